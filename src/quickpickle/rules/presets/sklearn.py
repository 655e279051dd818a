"""The names of `Policy.sklearn()`: estimators of scikit-learn, and what they consist of.

An estimator gets its attributes from the pickle, and scikit-learn does not look at them again.
Where its compiled code relies on them, they are checked here: the nodes of trees, neighbours,
support vectors, centers, places in sparse matrices and vocabularies. Lists that were checked are
copied, so that the pickle cannot change them afterwards. No attribute takes the place of a method.
"""

from __future__ import annotations

from functools import partial
from typing import Any, Final

from ..policy_names import Rule, nothing
from ..policy_objects import full_name
from .numpy import is_array, numpy_module
from .states import Built, attributes, called, is_done, once, wait_for_state, words


def _is_int(value: Any, least: int, most: int = 1 << 62) -> bool:
    """An int, also one of NumPy's."""
    if type(value) is not int and not isinstance(value, numpy_module().integer):
        return False
    return least <= int(value) <= most


def _is_data(guard: Any, value: Any, kinds: str, dimensions: int) -> bool:
    return (
        is_array(guard, value)
        and value.dtype.kind in kinds
        and value.dtype.isnative
        and value.ndim == dimensions
    )


def _estimator(more: Built | None, guard: Any, obj: Any, state: Any) -> str | None:
    complaint = attributes(guard, obj, state)
    if complaint is not None:
        return complaint
    version = state.get("_sklearn_version", "")
    if type(version) is not str or len(version) > 50:
        return "a version that is none"
    return None if more is None else more(guard, obj, state)


def _instance(more: Built | None = None) -> Rule:
    return Rule(new=nothing, built=once(partial(_estimator, more)), made=wait_for_state)


def _loose(check: Built | None = None) -> Rule:
    """An instance that is complete without a state, as it may have no attributes."""
    return Rule(new=nothing, built=partial(_estimator, check))


# --- decision trees

_TREE: Final = "sklearn.tree._tree.Tree"
_TREES: Final = frozenset(
    f"sklearn.tree._classes.{name}"
    for name in words(
        "DecisionTreeClassifier DecisionTreeRegressor ExtraTreeClassifier ExtraTreeRegressor"
    )
)


def _tree(guard: Any, args: tuple[Any, ...]) -> str | None:
    """Tree(features, classes, outputs)"""
    if len(args) != 3 or not _is_int(args[0], 0, 1 << 31) or not _is_int(args[2], 1, 1 << 20):
        return "expected numbers of features, classes and outputs"
    classes = args[1]
    if not _is_data(guard, classes, "i", 1) or classes.dtype.itemsize != 8:
        return "numbers of classes that are none"
    if len(classes) != args[2] or int(classes.min()) < 1 or int(classes.max()) > 1 << 20:
        return "numbers of classes that are none"
    if int(classes.max()) * args[2] * 8 > guard.policy.limits.memory:
        return "more classes than the memory that the policy allows"
    return None


def _tree_state(guard: Any, obj: Any, state: Any) -> str | None:
    if type(state) is not dict or set(state) != {"max_depth", "node_count", "nodes", "values"}:
        return "expected nodes and values"
    nodes, values = state["nodes"], state["values"]
    if not _is_data(guard, nodes, "V", 1) or not _is_data(guard, values, "f", 3):
        return "nodes or values that are none"
    count = len(nodes)
    needed = {"left_child", "right_child", "feature", "threshold"}
    if nodes.dtype.names is None or not needed <= set(nodes.dtype.names):
        return "nodes that are none"
    if any(nodes.dtype[name].kind != "i" for name in ("left_child", "right_child", "feature")):
        return "nodes that are none"
    if not count or not _is_int(state["node_count"], count, count):
        return "another number of nodes"
    if values.shape != (count, obj.n_outputs, obj.max_n_classes):
        return "values that do not fit"
    depth = _depth_of(nodes["left_child"], nodes["right_child"], nodes["left_child"] == -1)
    if depth is None:
        return "a node with children that are none"
    if not _is_int(state["max_depth"], depth, count):
        return "another depth"
    feature = nodes["feature"][nodes["left_child"] != -1]
    if feature.size and (int(feature.min()) < 0 or int(feature.max()) >= obj.n_features):
        return "a feature that is none"
    return None


_DEEPEST: Final = 10_000


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


def _decision_tree(guard: Any, obj: Any, state: Any) -> str | None:
    if "tree_" not in state:
        return None
    tree = state["tree_"]
    if full_name(type(tree)) != _TREE or not is_done(guard, tree):
        return "a tree that is none"
    if not _is_int(state.get("n_features_in_"), tree.n_features, tree.n_features):
        return "another number of features than that of its tree"
    return None


def _has_trees(guard: Any, estimators: Any, features: Any) -> bool:
    """Whether these are fitted trees for so many features."""
    return all(
        full_name(type(tree)) in _TREES
        and is_done(guard, tree)
        and "tree_" in vars(tree)
        and _is_int(features, vars(tree)["tree_"].n_features, vars(tree)["tree_"].n_features)
        for tree in estimators
    )


def _forest(guard: Any, obj: Any, state: Any) -> str | None:
    if "estimators_" not in state:
        return None
    if type(state["estimators_"]) is not list:
        return "trees that are no list"
    state["estimators_"] = list(state["estimators_"])
    if not _has_trees(guard, state["estimators_"], state.get("n_features_in_")):
        return "trees that do not fit"
    return None


def _isolation_forest(guard: Any, obj: Any, state: Any) -> str | None:
    if "estimators_" not in state:
        return None
    trees, features = state["estimators_"], state.get("estimators_features_")
    if type(trees) is not list or type(features) is not list or len(trees) != len(features):
        return "trees that are no list"
    state["estimators_"], state["estimators_features_"] = trees, features = trees[:], features[:]
    count, used = state.get("n_features_in_"), state.get("_max_features")
    if not _is_int(count, 0) or not _is_int(used, 0):
        return "no number of features"
    for tree, part in zip(trees, features, strict=True):
        if not _is_data(guard, part, "iu", 1) or not _has_trees(guard, [tree], len(part)):
            return "trees that do not fit"
        if used == count and len(part) != count:
            return "trees that do not fit"
    return None


def _gradient_boosting(guard: Any, obj: Any, state: Any) -> str | None:
    if "estimators_" not in state:
        return None
    trees = state["estimators_"]
    if not _is_data(guard, trees, "O", 2):
        return "trees that are none"
    classes = trees.shape[1]
    if not _is_int(state.get("n_trees_per_iteration_"), classes, classes):
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
        or not _is_int(given.get("n_outputs_"), 1, 1)
        or not _is_int(given.get("n_classes_"), classes, classes)
        or not _is_data(guard, given.get("class_prior_"), "f", 1)
        or len(given["class_prior_"]) != classes
    ):
        return "an estimator to begin with that does not fit"
    return None


# --- gradient boosting by histograms, without categories

_PREDICTOR: Final = "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor"
_MAPPER: Final = "sklearn.ensemble._hist_gradient_boosting.binning._BinMapper"


def _predictor(guard: Any, obj: Any, state: Any) -> str | None:
    nodes = state.get("nodes")
    if not _is_data(guard, nodes, "V", 1) or nodes.dtype.names is None or not len(nodes):
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
        if not _is_data(guard, state.get(name), "u", 2):
            return "sets of categories that are none"
    return None


def _bin_mapper(guard: Any, obj: Any, state: Any) -> str | None:
    if "is_categorical_" in state:
        found = state["is_categorical_"]
        if not _is_data(guard, found, "u", 1) or found.any():
            return "features of categories"
    return None if _is_int(state.get("n_threads", 1), 1, 1024) else "a number of threads"


def _histograms(guard: Any, obj: Any, state: Any) -> str | None:
    if "_predictors" not in state:
        return None
    features, count = state.get("n_features_in_"), state.get("n_trees_per_iteration_")
    if not _is_int(features, 0) or not _is_int(count, 1):
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


# --- neighbours

_METRICS: Final = frozenset(
    f"sklearn.metrics._dist_metrics.{kind}Distance{bits}"
    for kind in ("Euclidean", "Manhattan", "Chebyshev", "Minkowski")
    for bits in ("", "64", "32")
)
_SPATIAL: Final = frozenset(
    {
        f"sklearn.neighbors._{module}.{name}{bits}"
        for module, name in (("kd_tree", "KDTree"), ("ball_tree", "BallTree"))
        for bits in ("", "64", "32")
    }
)
_METRIC_NAMES: Final = frozenset(
    words("minkowski euclidean l2 manhattan cityblock l1 chebyshev cosine sqeuclidean")
)


def _new_of(classes: frozenset[str], guard: Any, args: tuple[Any, ...]) -> str | None:
    """newObj(cls)"""
    return None if len(args) == 1 and guard.name_of(args[0]) in classes else "another class"


def _metric_state(guard: Any, obj: Any, state: Any) -> str | None:
    """(p, weights, matrix); only p is used by those that are listed."""
    if type(state) is not tuple or len(state) != 3 or type(state[0]) is not float:
        return "expected a number and two arrays"
    vector, matrix = state[1:]
    if not _is_data(guard, vector, "f", 1) or not _is_data(guard, matrix, "f", 2):
        return "expected a number and two arrays"
    most = 0 if "Minkowski" in type(obj).__name__ else 1
    return "weights" if len(vector) > most else None


def _spatial_state(guard: Any, obj: Any, state: Any) -> str | None:
    """(data, places, nodes, bounds, leaf size, levels, nodes, three counts, splits, metric, …)"""
    numpy = numpy_module()
    if type(state) is not tuple or len(state) not in (12, 13):
        return "expected twelve or thirteen values"
    data, places, nodes, bounds = state[:4]
    leaf_size, levels, count = state[4:7]
    if not all(_is_int(value, 0) for value in state[4:11]) or leaf_size < 1 or levels > 60:
        return "a number that is none"
    if not _is_data(guard, data, "f", 2) or not _is_data(guard, bounds, "f", 3):
        return "data that are none"
    if not _is_data(guard, places, "i", 1) or not _is_data(guard, nodes, "V", 1):
        return "places that are none"
    rows, features = data.shape
    if not rows or not numpy.array_equal(numpy.sort(places), numpy.arange(rows)):
        return "places that are none"
    if nodes.dtype.names != ("idx_start", "idx_end", "is_leaf", "radius"):
        return "nodes that are none"
    if len(nodes) != count or count != 2**levels - 1:
        return "another number of nodes"
    first, last, is_leaf = nodes["idx_start"], nodes["idx_end"], nodes["is_leaf"]
    if (first < 0).any() or (last < first).any() or (last > rows).any():
        return "a node outside of the data"
    if (is_leaf[count // 2 :] == 0).any():
        return "a node without children"
    if bounds.shape[0] not in (1, 2) or bounds.shape[1:] != (count, features):
        return "bounds that do not fit"
    if bounds.shape[0] != (2 if "KDTree" in type(obj).__name__ else 1):
        return "bounds that do not fit"
    if full_name(type(state[11])) not in _METRICS or not is_done(guard, state[11]):
        return "a metric that is none"
    weights = state[12] if len(state) == 13 else None
    if weights is not None and (not _is_data(guard, weights, "f", 1) or len(weights) != rows):
        return "weights that do not fit"
    return None


def _neighbors(guard: Any, obj: Any, state: Any) -> str | None:
    if "_fit_X" not in state and "_tree" not in state:
        return None
    data, tree = state.get("_fit_X"), state.get("_tree")
    if not _is_data(guard, data, "f", 2) and not (
        full_name(type(data)) in _SPARSE and is_done(guard, data)
    ):
        return "data that are none"
    rows, features = data.shape
    if not _is_int(state.get("n_features_in_"), features, features) or not _is_int(
        state.get("n_samples_fit_"), rows, rows
    ):
        return "data that do not fit"
    if tree is not None:
        if full_name(type(tree)) not in _SPATIAL or not is_done(guard, tree):
            return "a tree that is none"
        if tuple(tree.data.shape) != (rows, features):
            return "a tree that does not fit"
    metric = state.get("effective_metric_")
    if type(metric) is not str or metric not in _METRIC_NAMES:
        return "a metric that is none"
    given = state.get("effective_metric_params_")
    if given is not None:
        if type(given) is not dict or not all(
            type(key) is str and key == "p" and type(value) in (int, float)
            for key, value in given.items()
        ):
            return "parameters of a metric"
        state["effective_metric_params_"] = dict(given)
    return _targets_complaint(guard, rows, state) if "_y" in state else None


def _targets_complaint(guard: Any, rows: int, state: dict[str, Any]) -> str | None:
    targets, classes = state["_y"], state.get("classes_")
    if not is_array(guard, targets) or targets.ndim not in (1, 2) or len(targets) != rows:
        return "targets that do not fit"
    if classes is None:
        return None if targets.dtype.kind in "biuf" else "targets that are none"
    if targets.dtype.kind != "i":
        return "classes that are none"
    if type(classes) is list:
        state["classes_"] = classes = classes[:]
        columns = targets.T if targets.ndim == 2 else [targets]
    else:
        classes, columns = [classes], [targets]
    if len(classes) != len(columns):
        return "classes that do not fit"
    for names, column in zip(classes, columns, strict=True):
        if not is_array(guard, names) or names.ndim != 1:
            return "classes that are none"
        if column.size and (int(column.min()) < 0 or int(column.max()) >= len(names)):
            return "a class that is none"
    return None


def _density(guard: Any, obj: Any, state: Any) -> str | None:
    if "tree_" in state and (
        full_name(type(state["tree_"])) not in _SPATIAL or not is_done(guard, state["tree_"])
    ):
        return "a tree that is none"
    return None


# --- support vectors, centers

_CLASSIFIERS: Final = ("SVC", "NuSVC")


def _support_vectors(guard: Any, obj: Any, state: Any) -> str | None:
    if "support_vectors_" not in state:
        return None
    if state.get("_sparse") is not False or type(state.get("kernel")) is not str:
        return "a sparse matrix, or a kernel of one's own"
    if state["kernel"] not in ("linear", "poly", "rbf", "sigmoid"):
        return "another kernel"
    vectors, counts = state["support_vectors_"], state.get("_n_support")
    if not _is_data(guard, vectors, "f", 2) or not _is_data(guard, counts, "i", 1):
        return "vectors that are none"
    rows, features = vectors.shape
    if not _is_int(state.get("n_features_in_"), features, features):
        return "another number of features"
    if type(obj).__name__ in _CLASSIFIERS:
        classes = state.get("classes_")
        if not is_array(guard, classes) or classes.ndim != 1 or len(classes) < 2:
            return "classes that are none"
        if len(counts) != len(classes) or (counts < 0).any() or int(counts.sum()) != rows:
            return "another number of vectors"
        lines, pairs = len(classes) - 1, len(classes) * (len(classes) - 1) // 2
    else:
        lines = pairs = 1
        if len(counts) != 2:  # what they are is not used
            return "another number of classes"
    support = state.get("support_")
    if not _is_data(guard, support, "i", 1) or len(support) != rows or (support < 0).any():
        return "places that do not fit"
    for name in ("dual_coef_", "_dual_coef_"):
        if not _is_data(guard, state.get(name), "f", 2) or state[name].shape != (lines, rows):
            return "coefficients that do not fit"
    for name in ("intercept_", "_intercept_"):
        if not _is_data(guard, state.get(name), "f", 1) or len(state[name]) != pairs:
            return "intercepts that do not fit"
    for name in ("_probA", "_probB"):
        if not _is_data(guard, state.get(name), "f", 1) or len(state[name]) not in (0, pairs):
            return "probabilities that do not fit"
    return None


def _centers(guard: Any, obj: Any, state: Any) -> str | None:
    if "cluster_centers_" not in state:
        return None
    centers = state["cluster_centers_"]
    if not _is_data(guard, centers, "f", 2) or not centers.flags.c_contiguous or not len(centers):
        return "centers that are none"
    if not _is_int(state.get("n_features_in_"), centers.shape[1], centers.shape[1]):
        return "another number of features"
    if not _is_int(state.get("n_clusters"), len(centers), len(centers)):
        return "another number of centers"
    return None if _is_int(state.get("_n_threads", 1), 1, 1024) else "a number of threads"


# --- texts, categories, splines and functions


def _vocabulary(guard: Any, obj: Any, state: Any) -> str | None:
    for name in ("preprocessor", "tokenizer", "analyzer", "dtype"):
        value = state.get(name)
        if value is not None and type(value) is not str and not isinstance(value, type):
            return f"a function as its {name}"
    if "vocabulary_" not in state:
        return None
    found = state["vocabulary_"]
    if type(found) is not dict or not all(
        _is_int(place, 0, len(found) - 1) for place in found.values()
    ):
        return "places of words that are none"
    state["vocabulary_"] = dict(found)
    return None


def _hasher(guard: Any, obj: Any, state: Any) -> str | None:
    if not _is_int(state.get("n_features"), 1, (1 << 31) - 1):
        return "a number of features that is none"
    return _vocabulary(guard, obj, state)


def _one_hot(guard: Any, obj: Any, state: Any) -> str | None:
    if "categories_" not in state:
        return None
    categories, counts = state["categories_"], state.get("_n_features_outs")
    if type(categories) is not list or type(counts) is not list:
        return "categories that are no list"
    state["categories_"], state["_n_features_outs"] = categories, counts = categories[:], counts[:]
    if not _is_int(state.get("n_features_in_"), len(categories), len(categories)):
        return "another number of features"
    if len(counts) != len(categories) or state.get("_infrequent_enabled"):
        return "categories that are rare"
    dropped: Any = state.get("_drop_idx_after_grouping")
    if dropped is None:
        dropped = [None] * len(categories)
    elif not _is_data(guard, dropped, "O", 1) or len(dropped) != len(categories):
        return "categories to leave out that are none"
    for names, count, place in zip(categories, counts, dropped, strict=True):
        if not is_array(guard, names) or names.ndim != 1:
            return "categories that are none"
        if place is not None and not _is_int(place, 0, len(names) - 1):
            return "categories to leave out that are none"
        expected = len(names) - (place is not None)
        if not _is_int(count, expected, expected):
            return "another number of categories"
    return None


def _spline(guard: Any, obj: Any, state: Any) -> str | None:
    knots, values = state.get("_t", state.get("t")), state.get("_c", state.get("c"))
    degree = state.get("k")
    if not _is_data(guard, knots, "f", 1) or not _is_int(degree, 0, 50):
        return "knots that are none"
    if not is_array(guard, values) or values.dtype.kind not in "fc" or values.ndim < 1:
        return "values that are none"
    if len(knots) != len(values) + int(degree) + 1 or not len(values):
        return "values that do not fit"
    if not numpy_module().isfinite(knots).all() or (knots[1:] < knots[:-1]).any():
        return "knots that are none"
    return None if _is_int(state.get("axis", 0), 0, values.ndim - 1) else "another axis"


def _function(guard: Any, obj: Any, state: Any) -> str | None:
    for name in ("func", "inverse_func"):
        value = state.get(name)
        if value is not None and type(value) is not numpy_module().ufunc:
            return "a function that is no ufunc"
    for name in ("kw_args", "inv_kw_args"):
        if state.get(name) not in (None, {}):
            return "arguments for a function"
        state[name] = None
    return None


# --- sparse matrices of SciPy

_SPARSE: Final = frozenset(
    f"scipy.sparse._{module}.{module}_{kind}"
    for module in ("csr", "csc")
    for kind in ("matrix", "array")
)


def _sparse_state(guard: Any, obj: Any, state: Any) -> str | None:
    """Each place lies inside: SciPy's C++ does not look."""
    names = {"_shape", "maxprint", "indptr", "indices", "data", "_has_sorted_indices"}
    names |= {"_has_canonical_format", "has_canonical_format", "has_sorted_indices"}
    if type(state) is not dict or not all(type(key) is str for key in state):
        return "expected a dict"
    if not {"_shape", "indptr", "indices", "data"} <= state.keys() <= names:
        return "other attributes"
    shape, starts, places, data = (state[key] for key in ("_shape", "indptr", "indices", "data"))
    if type(shape) is not tuple or len(shape) != 2 or not all(_is_int(n, 0) for n in shape):
        return "a shape that is none"
    if not all(_is_data(guard, part, "i", 1) for part in (starts, places)):
        return "places that are none"
    if not _is_data(guard, data, "biufc", 1) or len(data) != len(places):
        return "data that do not fit"
    rows, columns = shape if type(obj).__name__.startswith("csr") else shape[::-1]
    if starts.dtype != places.dtype or len(starts) != rows + 1:
        return "places that do not fit"
    if starts[0] != 0 or starts[-1] > len(places) or (starts[1:] < starts[:-1]).any():
        return "places that do not fit"
    if places.size and (int(places.min()) < 0 or int(places.max()) >= columns):
        return "a place outside"
    for key in names & state.keys():
        if key.endswith(("_format", "_sorted_indices")):
            del state[key]  # SciPy finds them again
    return None if _is_int(state.get("maxprint", 50), 0) else "attributes that are none"


# --- losses, in Cython


def _numbers(guard: Any, args: tuple[Any, ...]) -> str | None:
    if len(args) <= 3 and all(type(arg) in (int, float) for arg in args):
        return None
    return "expected numbers"


def _cython_loss(guard: Any, args: tuple[Any, ...]) -> str | None:
    """__pyx_unpickle_Cy…(cls, checksum, ())"""
    if len(args) != 3 or type(args[1]) is not int or type(args[2]) is not tuple or args[2]:
        return "expected a class, a number and nothing"
    name = guard.name_of(args[0]) or ""
    return None if name.startswith("sklearn._loss._loss.Cy") else "another class"


def _loss(guard: Any, obj: Any, state: Any) -> str | None:
    if "is_multiclass" in state:
        return "an attribute of its class"
    closs = state.get("closs")
    if closs is not None and not full_name(type(closs)).startswith("sklearn._loss._loss.Cy"):
        return "a loss that is none"
    return None


def _three(guard: Any, args: tuple[Any, ...]) -> str | None:
    return None if len(args) == 3 else "expected three values"


def _bunch(guard: Any, obj: Any, state: Any) -> str | None:
    return None if type(state) is dict else "expected a dict"


# --- names

_LOOSE: Final[dict[str, str]] = {
    "_loss.link": "HalfLogitLink IdentityLink Interval LogLink LogitLink MultinomialLogit",
    "metrics._scorer": "_CurveScorer _PassthroughScorer _Scorer",
    "model_selection._split": (
        "GroupKFold GroupShuffleSplit KFold LeaveOneOut LeavePOut RepeatedKFold"
        " RepeatedStratifiedKFold ShuffleSplit StratifiedGroupKFold StratifiedKFold"
        " StratifiedShuffleSplit TimeSeriesSplit"
    ),
    "utils._metadata_requests": "MetadataRequest MethodMetadataRequest",
}
"""Those in Python that may have no attributes."""

_ESTIMATORS: Final[dict[str, str]] = {
    "calibration": "CalibratedClassifierCV _CalibratedClassifier _SigmoidCalibration",
    "cluster._affinity_propagation": "AffinityPropagation",
    "cluster._agglomerative": "AgglomerativeClustering FeatureAgglomeration",
    "cluster._bicluster": "SpectralBiclustering SpectralCoclustering",
    "cluster._birch": "Birch _CFNode _CFSubcluster",
    "cluster._dbscan": "DBSCAN",
    "cluster._mean_shift": "MeanShift",
    "cluster._optics": "OPTICS",
    "cluster._spectral": "SpectralClustering",
    "compose._column_transformer": "ColumnTransformer _RemainderColsList",
    "compose._target": "TransformedTargetRegressor",
    "covariance._elliptic_envelope": "EllipticEnvelope",
    "covariance._empirical_covariance": "EmpiricalCovariance",
    "covariance._graph_lasso": "GraphicalLasso GraphicalLassoCV",
    "covariance._robust_covariance": "MinCovDet",
    "covariance._shrunk_covariance": "LedoitWolf OAS ShrunkCovariance",
    "cross_decomposition._pls": "CCA PLSCanonical PLSRegression PLSSVD",
    "decomposition._dict_learning": "DictionaryLearning MiniBatchDictionaryLearning SparseCoder",
    "decomposition._factor_analysis": "FactorAnalysis",
    "decomposition._fastica": "FastICA",
    "decomposition._incremental_pca": "IncrementalPCA",
    "decomposition._kernel_pca": "KernelPCA",
    "decomposition._lda": "LatentDirichletAllocation",
    "decomposition._nmf": "MiniBatchNMF NMF",
    "decomposition._pca": "PCA",
    "decomposition._sparse_pca": "MiniBatchSparsePCA SparsePCA",
    "decomposition._truncated_svd": "TruncatedSVD",
    "discriminant_analysis": "LinearDiscriminantAnalysis QuadraticDiscriminantAnalysis",
    "dummy": "DummyClassifier DummyRegressor",
    "ensemble._bagging": "BaggingClassifier BaggingRegressor",
    "ensemble._stacking": "StackingClassifier StackingRegressor",
    "ensemble._voting": "VotingClassifier VotingRegressor",
    "ensemble._weight_boosting": "AdaBoostClassifier AdaBoostRegressor",
    "feature_extraction.image": "PatchExtractor",
    "feature_selection._from_model": "SelectFromModel",
    "feature_selection._rfe": "RFE RFECV",
    "feature_selection._sequential": "SequentialFeatureSelector",
    "feature_selection._univariate_selection": (
        "GenericUnivariateSelect SelectFdr SelectFpr SelectFwe SelectKBest SelectPercentile"
    ),
    "feature_selection._variance_threshold": "VarianceThreshold",
    "frozen._frozen": "FrozenEstimator",
    "gaussian_process._gpc": ("GaussianProcessClassifier _BinaryGaussianProcessClassifierLaplace"),
    "gaussian_process._gpr": "GaussianProcessRegressor",
    "gaussian_process.kernels": (
        "CompoundKernel ConstantKernel DotProduct ExpSineSquared Exponentiation Matern"
        " PairwiseKernel Product RBF RationalQuadratic Sum WhiteKernel"
    ),
    "impute._base": "MissingIndicator SimpleImputer",
    "impute._iterative": "IterativeImputer",
    "impute._knn": "KNNImputer",
    "isotonic": "IsotonicRegression",
    "kernel_approximation": (
        "AdditiveChi2Sampler Nystroem PolynomialCountSketch RBFSampler SkewedChi2Sampler"
    ),
    "kernel_ridge": "KernelRidge",
    "linear_model._base": "LinearRegression",
    "linear_model._bayes": "ARDRegression BayesianRidge",
    "linear_model._coordinate_descent": (
        "ElasticNet ElasticNetCV Lasso LassoCV MultiTaskElasticNet MultiTaskElasticNetCV"
        " MultiTaskLasso MultiTaskLassoCV"
    ),
    "linear_model._glm.glm": "GammaRegressor PoissonRegressor TweedieRegressor",
    "linear_model._huber": "HuberRegressor",
    "linear_model._least_angle": "Lars LarsCV LassoLars LassoLarsCV LassoLarsIC",
    "linear_model._logistic": "LogisticRegression LogisticRegressionCV",
    "linear_model._omp": "OrthogonalMatchingPursuit OrthogonalMatchingPursuitCV",
    "linear_model._passive_aggressive": "PassiveAggressiveClassifier PassiveAggressiveRegressor",
    "linear_model._perceptron": "Perceptron",
    "linear_model._quantile": "QuantileRegressor",
    "linear_model._ransac": "RANSACRegressor",
    "linear_model._ridge": "Ridge RidgeCV RidgeClassifier RidgeClassifierCV",
    "linear_model._stochastic_gradient": "SGDClassifier SGDOneClassSVM SGDRegressor",
    "linear_model._theil_sen": "TheilSenRegressor",
    "manifold._classical_mds": "ClassicalMDS",
    "manifold._isomap": "Isomap",
    "manifold._locally_linear": "LocallyLinearEmbedding",
    "manifold._mds": "MDS",
    "manifold._spectral_embedding": "SpectralEmbedding",
    "manifold._t_sne": "TSNE",
    "mixture._bayesian_mixture": "BayesianGaussianMixture",
    "mixture._gaussian_mixture": "GaussianMixture",
    "model_selection._classification_threshold": (
        "FixedThresholdClassifier TunedThresholdClassifierCV"
    ),
    "model_selection._search": "GridSearchCV RandomizedSearchCV",
    "multiclass": "OneVsOneClassifier OneVsRestClassifier OutputCodeClassifier _ConstantPredictor",
    "multioutput": "ClassifierChain MultiOutputClassifier MultiOutputRegressor RegressorChain",
    "naive_bayes": "BernoulliNB CategoricalNB ComplementNB GaussianNB MultinomialNB",
    "neighbors._nca": "NeighborhoodComponentsAnalysis",
    "neighbors._nearest_centroid": "NearestCentroid",
    "neural_network._multilayer_perceptron": "MLPClassifier MLPRegressor",
    "neural_network._rbm": "BernoulliRBM",
    "neural_network._stochastic_optimizers": "AdamOptimizer SGDOptimizer",
    "pipeline": "FeatureUnion Pipeline",
    "preprocessing._data": (
        "Binarizer KernelCenterer MaxAbsScaler MinMaxScaler Normalizer PowerTransformer"
        " QuantileTransformer RobustScaler StandardScaler"
    ),
    "preprocessing._discretization": "KBinsDiscretizer",
    "preprocessing._encoders": "OrdinalEncoder",
    "preprocessing._label": "LabelBinarizer LabelEncoder MultiLabelBinarizer",
    "preprocessing._polynomial": "PolynomialFeatures SplineTransformer",
    "preprocessing._target_encoder": "TargetEncoder",
    "random_projection": "GaussianRandomProjection SparseRandomProjection",
    "semi_supervised._label_propagation": "LabelPropagation LabelSpreading",
    "semi_supervised._self_training": "SelfTrainingClassifier",
    "svm._classes": "LinearSVC LinearSVR",
}
"""Those whose predictions are made by Python and NumPy, and by code that looks at its arguments."""

_CHECKED: Final[dict[str, tuple[str, Built]]] = {
    "tree._classes": (
        "DecisionTreeClassifier DecisionTreeRegressor ExtraTreeClassifier ExtraTreeRegressor",
        _decision_tree,
    ),
    "ensemble._forest": (
        "ExtraTreesClassifier ExtraTreesRegressor RandomForestClassifier RandomForestRegressor"
        " RandomTreesEmbedding",
        _forest,
    ),
    "ensemble._iforest": ("IsolationForest", _isolation_forest),
    "ensemble._gb": ("GradientBoostingClassifier GradientBoostingRegressor", _gradient_boosting),
    "ensemble._hist_gradient_boosting.gradient_boosting": (
        "HistGradientBoostingClassifier HistGradientBoostingRegressor",
        _histograms,
    ),
    "ensemble._hist_gradient_boosting.predictor": ("TreePredictor", _predictor),
    "ensemble._hist_gradient_boosting.binning": ("_BinMapper", _bin_mapper),
    "neighbors._classification": ("KNeighborsClassifier RadiusNeighborsClassifier", _neighbors),
    "neighbors._regression": ("KNeighborsRegressor RadiusNeighborsRegressor", _neighbors),
    "neighbors._graph": ("KNeighborsTransformer RadiusNeighborsTransformer", _neighbors),
    "neighbors._unsupervised": ("NearestNeighbors", _neighbors),
    "neighbors._lof": ("LocalOutlierFactor", _neighbors),
    "neighbors._kde": ("KernelDensity", _density),
    "svm._classes": ("NuSVC NuSVR OneClassSVM SVC SVR", _support_vectors),
    "cluster._kmeans": ("KMeans MiniBatchKMeans", _centers),
    "feature_extraction.text": ("CountVectorizer TfidfVectorizer TfidfTransformer", _vocabulary),
    "feature_extraction._dict_vectorizer": ("DictVectorizer", _vocabulary),
    "feature_extraction._hash": ("FeatureHasher", _hasher),
    "preprocessing._encoders": ("OneHotEncoder", _one_hot),
    "preprocessing._function_transformer": ("FunctionTransformer", _function),
    "_loss.loss": (
        "AbsoluteError ExponentialLoss HalfBinomialLoss HalfGammaLoss HalfMultinomialLoss"
        " HalfPoissonLoss HalfSquaredError HalfTweedieLoss HalfTweedieLossIdentity HuberLoss"
        " PinballLoss",
        _loss,
    ),
}
"""Those with code that relies on their attributes."""

_LOSSES: Final = words(
    "CyAbsoluteError CyExponentialLoss CyHalfBinomialLoss CyHalfGammaLoss CyHalfMultinomialLoss"
    " CyHalfPoissonLoss CyHalfSquaredError CyHalfTweedieLoss CyHalfTweedieLossIdentity CyHuberLoss"
    " CyPinballLoss"
)
_SGD_LOSSES: Final = words(
    "EpsilonInsensitive Hinge ModifiedHuber SquaredEpsilonInsensitive SquaredHinge Huber Log"
    " SquaredLoss"
)

_NAMED: Final = Rule()
_FUNCTIONS: Final[dict[str, str]] = {
    "sklearn.feature_selection._univariate_selection": (
        "chi2 f_classif f_oneway f_regression r_regression"
    ),
    "sklearn.feature_selection._mutual_info": "mutual_info_classif mutual_info_regression",
    "sklearn.metrics._regression": (
        "d2_absolute_error_score explained_variance_score max_error mean_absolute_error"
        " mean_absolute_percentage_error mean_gamma_deviance mean_poisson_deviance"
        " mean_squared_error mean_squared_log_error median_absolute_error r2_score"
        " root_mean_squared_error root_mean_squared_log_error"
    ),
    "sklearn.metrics._classification": (
        "accuracy_score balanced_accuracy_score brier_score_loss f1_score jaccard_score log_loss"
        " matthews_corrcoef precision_score recall_score"
    ),
    "sklearn.metrics._ranking": "average_precision_score roc_auc_score top_k_accuracy_score",
    "scipy._lib.array_api_compat.numpy._aliases": "asarray",
    "numpy": "mean median max min",
}
"""Functions that estimators keep, to call them with data and targets."""

NAMES: Final[dict[str, Rule]] = {
    **{
        f"sklearn.{module}.{name}": _instance()
        for module, names in _ESTIMATORS.items()
        for name in words(names)
    },
    **{
        f"sklearn.{module}.{name}": _instance(check)
        for module, (names, check) in _CHECKED.items()
        for name in words(names)
    },
    "sklearn.feature_extraction.text.HashingVectorizer": _instance(_hasher),
    **{f"{module}.{name}": _NAMED for module, names in _FUNCTIONS.items() for name in words(names)},
    **{
        f"sklearn.{module}.{name}": _loose()
        for module, names in _LOOSE.items()
        for name in words(names)
    },
    "sklearn.impute._iterative._ImputerTriplet": Rule(new=_three),
    **{f"sklearn._loss._loss.{name}": called(_numbers) for name in _LOSSES},
    **{f"sklearn._loss._loss.__pyx_unpickle_{name}": called(_cython_loss) for name in _LOSSES},
    **{f"sklearn.linear_model._sgd_fast.{name}": called(_numbers) for name in _SGD_LOSSES},
    _TREE: called(_tree, built=once(_tree_state), made=wait_for_state),
    "sklearn.metrics._dist_metrics.newObj": called(partial(_new_of, _METRICS), made=wait_for_state),
    **dict.fromkeys(_METRICS, Rule(built=once(_metric_state))),
    **{
        f"sklearn.neighbors._{module}.newObj": called(
            partial(_new_of, _SPATIAL), made=wait_for_state
        )
        for module in ("kd_tree", "ball_tree")
    },
    **dict.fromkeys(_SPATIAL, Rule(built=once(_spatial_state))),
    **dict.fromkeys(_SPARSE, Rule(new=nothing, built=once(_sparse_state), made=wait_for_state)),
    "scipy.interpolate._bsplines.BSpline": _instance(_spline),
    "sklearn.utils._bunch.Bunch": Rule(new=nothing, built=_bunch, items="s"),
    "sklearn.utils.Bunch": Rule(new=nothing, built=_bunch, items="s"),
}
"""The names of `Policy.sklearn()`, beside those of `Policy.numpy()`."""
