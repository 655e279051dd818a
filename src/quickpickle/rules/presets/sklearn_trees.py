"""The checks of `Policy.sklearn()`: decision trees, and what consists of them."""

from __future__ import annotations

from typing import Any, Final

from ..policy_objects import full_name
from .numpy_dtypes import numpy_module
from .sklearn_checks import is_data, is_int
from .states import is_done, words

# --- decision trees

TREE: Final = "sklearn.tree._tree.Tree"
_TREES: Final = frozenset(
    f"sklearn.tree._classes.{name}"
    for name in words(
        "DecisionTreeClassifier DecisionTreeRegressor ExtraTreeClassifier ExtraTreeRegressor"
    )
)


def check_tree(guard: Any, args: tuple[Any, ...]) -> str | None:
    """Tree(features, classes, outputs)"""
    if len(args) != 3 or not is_int(args[0], 0, 1 << 31) or not is_int(args[2], 1, 1 << 20):
        return "expected numbers of features, classes and outputs"
    classes = args[1]
    if not is_data(guard, classes, "i", 1) or classes.dtype.itemsize != 8:
        return "numbers of classes that are none"
    counts = classes.tolist()
    if len(counts) != args[2] or min(counts) < 1 or max(counts) > 1 << 20:
        return "numbers of classes that are none"
    if max(counts) * args[2] * 8 > guard.policy.limits.memory:
        return "more classes than the memory that the policy allows"
    return None


def check_tree_state(guard: Any, obj: Any, state: Any) -> str | None:
    if type(state) is not dict or set(state) != {"max_depth", "node_count", "nodes", "values"}:
        return "expected nodes and values"
    nodes, values = state["nodes"], state["values"]
    if not is_data(guard, nodes, "V", 1) or not is_data(guard, values, "f", 3):
        return "nodes or values that are none"
    count = len(nodes)
    columns = _columns_of(guard, nodes.dtype)
    if columns is None:
        return "nodes that are none"
    if not count or not is_int(state["node_count"], count, count):
        return "another number of nodes"
    if values.shape != (count, obj.n_outputs, obj.max_n_classes):
        return "values that do not fit"
    shape = _shape_in_one_pass(guard, nodes, columns)
    if shape is NotImplemented:
        shape = shape_of(*[nodes[name] for name in _INTS])
    if shape is None:
        return "a node with children that are none"
    depth, least, greatest = shape
    if not is_int(state["max_depth"], depth, count):
        return "another depth"
    if least < 0 or greatest >= obj.n_features:
        return "a feature that is none"
    return None


_INTS: Final = ("left_child", "right_child", "feature")
_DEEPEST: Final = 10_000


def _columns_of(guard: Any, dtype: Any) -> Any:
    """Where the ints of a node lie in its record, and their sizes; None for other records."""
    note = "nodes", id(dtype)
    found = guard.notes.get(note)
    if found is None:
        fields = dtype.fields or {}
        columns = None
        if "threshold" in fields and all(
            name in fields and fields[name][0].kind == "i" for name in _INTS
        ):
            columns = [(fields[name][1], fields[name][0].itemsize) for name in _INTS]
        found = guard.notes[note] = dtype, columns
    return found[1]


def _shape_in_one_pass(guard: Any, nodes: Any, columns: Any) -> Any:
    """As `shape_of`, in compiled code; NotImplemented where there is none, or it sees no bytes."""
    if guard.tools is None:
        return NotImplemented
    try:
        return guard.tools.shape_of_tree(nodes, nodes.itemsize, *columns)
    except (BufferError, ValueError):  # NumPy has no format for some dtypes
        return NotImplemented


def shape_of(left: Any, right: Any, feature: Any) -> tuple[int, int, int] | None:
    """The depth of a tree, and the least and the greatest feature of nodes with children.

    None where it is no tree.
    """
    is_leaf = left == -1
    depth = _depth_of(left, right, is_leaf)
    if depth is None:
        return None
    used = feature[~is_leaf]
    return (depth, int(used.min()), int(used.max())) if used.size else (depth, 0, -1)


def _depth_of(left: Any, right: Any, is_leaf: Any) -> int | None:
    """How deep a tree is whose nodes follow those that they are children of, each once; or None."""
    numpy = numpy_module()
    count = len(left)
    inner = numpy.flatnonzero(~is_leaf)
    children = numpy.concatenate([left[inner], right[inner]]).astype("i8")
    if children.size != count - 1 or not numpy.array_equal(
        numpy.sort(children), numpy.arange(1, count)
    ):
        return None
    if (left[inner] <= inner).any() or (right[inner] <= inner).any():
        return None
    depth = 0
    level = numpy.zeros(1, "i8")
    while level.size:
        level = level[~is_leaf[level]]
        level = numpy.concatenate([left[level], right[level]]).astype("i8")
        depth += level.size > 0
        if depth > _DEEPEST:
            return None
    return int(depth)


def check_decision_tree(guard: Any, obj: Any, state: Any) -> str | None:
    if "tree_" not in state:
        return None
    tree = state["tree_"]
    if full_name(type(tree)) != TREE or not is_done(guard, tree):
        return "a tree that is none"
    if not is_int(state.get("n_features_in_"), tree.n_features, tree.n_features):
        return "another number of features than that of its tree"
    return None


def _has_trees(guard: Any, estimators: Any, features: Any) -> bool:
    """Whether these are fitted trees for so many features."""
    if not is_int(features, -(1 << 62)):
        return not estimators
    classes = set()  # of trees
    for tree in estimators:
        cls = type(tree)
        if cls not in classes:
            if full_name(cls) not in _TREES:
                return False
            classes.add(cls)
        if not is_done(guard, tree) or "tree_" not in vars(tree):
            return False
        if vars(tree)["tree_"].n_features != features:
            return False
    return True


def check_forest(guard: Any, obj: Any, state: Any) -> str | None:
    if "estimators_" not in state:
        return None
    if type(state["estimators_"]) is not list:
        return "trees that are no list"
    state["estimators_"] = list(state["estimators_"])
    if not _has_trees(guard, state["estimators_"], state.get("n_features_in_")):
        return "trees that do not fit"
    return None


def check_isolation_forest(guard: Any, obj: Any, state: Any) -> str | None:
    if "estimators_" not in state:
        return None
    trees, features = state["estimators_"], state.get("estimators_features_")
    if type(trees) is not list or type(features) is not list or len(trees) != len(features):
        return "trees that are no list"
    state["estimators_"], state["estimators_features_"] = trees, features = trees[:], features[:]
    count, used = state.get("n_features_in_"), state.get("_max_features")
    if not is_int(count, 0) or not is_int(used, 0):
        return "no number of features"
    for tree, part in zip(trees, features, strict=True):
        if not is_data(guard, part, "iu", 1) or not _has_trees(guard, [tree], len(part)):
            return "trees that do not fit"
        if used == count and len(part) != count:
            return "trees that do not fit"
    return None


def check_gradient_boosting(guard: Any, obj: Any, state: Any) -> str | None:
    if "estimators_" not in state:
        return None
    trees = state["estimators_"]
    if not is_data(guard, trees, "O", 2):
        return "trees that are none"
    classes = trees.shape[1]
    if not is_int(state.get("n_trees_per_iteration_"), classes, classes):
        return "another number of trees"
    if not _has_trees(guard, trees.ravel().tolist(), state.get("n_features_in_")):
        return "trees that do not fit"
    if classes == 1:
        return None
    # The predictions begin with those of init_, and have to be as many.
    loss, start = state.get("_loss"), state.get("init_")
    name = full_name(type(loss))
    if name != "sklearn._loss.loss.HalfMultinomialLoss" or not is_done(guard, loss):
        return "a loss that does not fit"
    if type(start) is str and start == "zero":
        return None
    if full_name(type(start)) != "sklearn.dummy.DummyClassifier" or not is_done(guard, start):
        return "an estimator to begin with that is not the usual one"
    given = vars(start)
    if (
        type(given.get("_strategy")) is not str
        or given["_strategy"] != "prior"
        or not is_int(given.get("n_outputs_"), 1, 1)
        or not is_int(given.get("n_classes_"), classes, classes)
        or not is_data(guard, given.get("class_prior_"), "f", 1)
        or len(given["class_prior_"]) != classes
    ):
        return "an estimator to begin with that does not fit"
    return None


# --- gradient boosting by histograms, without categories

_PREDICTOR: Final = "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor"
_MAPPER: Final = "sklearn.ensemble._hist_gradient_boosting.binning._BinMapper"


def check_predictor(guard: Any, obj: Any, state: Any) -> str | None:
    nodes = state.get("nodes")
    if not is_data(guard, nodes, "V", 1) or nodes.dtype.names is None or not len(nodes):
        return "nodes that are none"
    if not {"left", "right", "is_leaf", "feature_idx", "is_categorical"} <= set(nodes.dtype.names):
        return "nodes that are none"
    if any(nodes.dtype[name].kind not in "iu" for name in ("left", "right", "feature_idx")):
        return "nodes that are none"
    is_leaf = nodes["is_leaf"] != 0
    if _depth_of(nodes["left"], nodes["right"], is_leaf) is None:
        return "a node with children that are none"
    if nodes["is_categorical"].any():
        return "a node of categories"
    if (nodes["feature_idx"] < 0).any():
        return "a feature that is none"
    for name in ("binned_left_cat_bitsets", "raw_left_cat_bitsets"):
        if not is_data(guard, state.get(name), "u", 2):
            return "sets of categories that are none"
    return None


def check_bin_mapper(guard: Any, obj: Any, state: Any) -> str | None:
    if "is_categorical_" in state:
        found = state["is_categorical_"]
        if not is_data(guard, found, "u", 1) or found.any():
            return "features of categories"
    return None if is_int(state.get("n_threads", 1), 1, 1024) else "a number of threads"


def check_histograms(guard: Any, obj: Any, state: Any) -> str | None:
    if "_predictors" not in state:
        return None
    features, count = state.get("n_features_in_"), state.get("n_trees_per_iteration_")
    if not is_int(features, 0) or not is_int(count, 1):
        return "no number of features, or of trees"
    if state.get("is_categorical_") is not None or state.get("_preprocessor") is not None:
        return "features of categories"
    mapper = state.get("_bin_mapper")
    if full_name(type(mapper)) != _MAPPER or not is_done(guard, mapper):
        return "bins that are none"
    if len(vars(mapper).get("is_categorical_", ())) != features:
        return "bins that do not fit"
    rounds = state["_predictors"]
    if type(rounds) is not list or not all(type(trees) is list for trees in rounds):
        return "trees that are no lists"
    state["_predictors"] = rounds = [trees[:] for trees in rounds]
    for trees in rounds:
        if len(trees) != count:
            return "another number of trees"
        for tree in trees:
            if full_name(type(tree)) != _PREDICTOR or not is_done(guard, tree):
                return "a tree that is none"
            nodes = vars(tree)["nodes"]
            used = nodes["feature_idx"][nodes["is_leaf"] == 0]
            if used.size and int(used.max()) >= features:
                return "a tree of more features"
    return None
