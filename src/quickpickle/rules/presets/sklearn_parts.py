"""The checks of `Policy.sklearn()`: neighbours, support vectors, texts, sparse matrices, losses."""

from __future__ import annotations

from typing import Any, Final

from ..policy_objects import full_name
from .numpy_arrays import is_array
from .numpy_dtypes import numpy_module
from .sklearn_checks import is_data, is_int
from .states import is_done, words

# --- neighbours

METRICS: Final = frozenset(
    f"sklearn.metrics._dist_metrics.{kind}Distance{bits}"
    for kind in ("Euclidean", "Manhattan", "Chebyshev", "Minkowski")
    for bits in ("", "64", "32")
)
SPATIAL: Final = frozenset(
    {
        f"sklearn.neighbors._{module}.{name}{bits}"
        for module, name in (("kd_tree", "KDTree"), ("ball_tree", "BallTree"))
        for bits in ("", "64", "32")
    }
)
_METRIC_NAMES: Final = frozenset(
    words("minkowski euclidean l2 manhattan cityblock l1 chebyshev cosine sqeuclidean")
)


def new_of(classes: frozenset[str], guard: Any, args: tuple[Any, ...]) -> str | None:
    """newObj(cls)"""
    return None if len(args) == 1 and guard.name_of(args[0]) in classes else "another class"


def check_metric_state(guard: Any, obj: Any, state: Any) -> str | None:
    """(p, weights, matrix); only p is used by those that are listed."""
    if type(state) is not tuple or len(state) != 3 or type(state[0]) is not float:
        return "expected a number and two arrays"
    vector, matrix = state[1:]
    if not is_data(guard, vector, "f", 1) or not is_data(guard, matrix, "f", 2):
        return "expected a number and two arrays"
    most = 0 if "Minkowski" in type(obj).__name__ else 1
    return "weights" if len(vector) > most else None


def check_spatial_state(guard: Any, obj: Any, state: Any) -> str | None:
    """(data, places, nodes, bounds, leaf size, levels, nodes, three counts, splits, metric, …)"""
    numpy = numpy_module()
    if type(state) is not tuple or len(state) not in (12, 13):
        return "expected twelve or thirteen values"
    data, places, nodes, bounds = state[:4]
    leaf_size, levels, count = state[4:7]
    if not all(is_int(value, 0) for value in state[4:11]) or leaf_size < 1 or levels > 60:
        return "a number that is none"
    if not is_data(guard, data, "f", 2) or not is_data(guard, bounds, "f", 3):
        return "data that are none"
    if not is_data(guard, places, "i", 1) or not is_data(guard, nodes, "V", 1):
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
    if full_name(type(state[11])) not in METRICS or not is_done(guard, state[11]):
        return "a metric that is none"
    weights = state[12] if len(state) == 13 else None
    if weights is not None and (not is_data(guard, weights, "f", 1) or len(weights) != rows):
        return "weights that do not fit"
    return None


def check_neighbors(guard: Any, obj: Any, state: Any) -> str | None:
    if "_fit_X" not in state and "_tree" not in state:
        return None
    data, tree = state.get("_fit_X"), state.get("_tree")
    if not is_data(guard, data, "f", 2) and not (
        full_name(type(data)) in SPARSE and is_done(guard, data)
    ):
        return "data that are none"
    rows, features = data.shape
    if not is_int(state.get("n_features_in_"), features, features) or not is_int(
        state.get("n_samples_fit_"), rows, rows
    ):
        return "data that do not fit"
    if tree is not None:
        if full_name(type(tree)) not in SPATIAL or not is_done(guard, tree):
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


def check_density(guard: Any, obj: Any, state: Any) -> str | None:
    if "tree_" in state and (
        full_name(type(state["tree_"])) not in SPATIAL or not is_done(guard, state["tree_"])
    ):
        return "a tree that is none"
    return None


# --- support vectors, centers

_CLASSIFIERS: Final = ("SVC", "NuSVC")


def check_support_vectors(guard: Any, obj: Any, state: Any) -> str | None:
    if "support_vectors_" not in state:
        return None
    if state.get("_sparse") is not False or type(state.get("kernel")) is not str:
        return "a sparse matrix, or a kernel of one's own"
    if state["kernel"] not in ("linear", "poly", "rbf", "sigmoid"):
        return "another kernel"
    vectors, counts = state["support_vectors_"], state.get("_n_support")
    if not is_data(guard, vectors, "f", 2) or not is_data(guard, counts, "i", 1):
        return "vectors that are none"
    rows, features = vectors.shape
    if not is_int(state.get("n_features_in_"), features, features):
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
    if not is_data(guard, support, "i", 1) or len(support) != rows or (support < 0).any():
        return "places that do not fit"
    for name in ("dual_coef_", "_dual_coef_"):
        if not is_data(guard, state.get(name), "f", 2) or state[name].shape != (lines, rows):
            return "coefficients that do not fit"
    for name in ("intercept_", "_intercept_"):
        if not is_data(guard, state.get(name), "f", 1) or len(state[name]) != pairs:
            return "intercepts that do not fit"
    for name in ("_probA", "_probB"):
        if not is_data(guard, state.get(name), "f", 1) or len(state[name]) not in (0, pairs):
            return "probabilities that do not fit"
    return None


def check_centers(guard: Any, obj: Any, state: Any) -> str | None:
    if "cluster_centers_" not in state:
        return None
    centers = state["cluster_centers_"]
    if not is_data(guard, centers, "f", 2) or not centers.flags.c_contiguous or not len(centers):
        return "centers that are none"
    if not is_int(state.get("n_features_in_"), centers.shape[1], centers.shape[1]):
        return "another number of features"
    if not is_int(state.get("n_clusters"), len(centers), len(centers)):
        return "another number of centers"
    return None if is_int(state.get("_n_threads", 1), 1, 1024) else "a number of threads"


# --- texts, categories, splines and functions


def check_vocabulary(guard: Any, obj: Any, state: Any) -> str | None:
    for name in ("preprocessor", "tokenizer", "analyzer", "dtype"):
        value = state.get(name)
        if value is not None and type(value) is not str and not isinstance(value, type):
            return f"a function as its {name}"
    if "vocabulary_" not in state:
        return None
    found = state["vocabulary_"]
    if type(found) is not dict or not all(
        is_int(place, 0, len(found) - 1) for place in found.values()
    ):
        return "places of words that are none"
    state["vocabulary_"] = dict(found)
    return None


def check_hasher(guard: Any, obj: Any, state: Any) -> str | None:
    if not is_int(state.get("n_features"), 1, (1 << 31) - 1):
        return "a number of features that is none"
    return check_vocabulary(guard, obj, state)


def check_one_hot(guard: Any, obj: Any, state: Any) -> str | None:
    if "categories_" not in state:
        return None
    categories, counts = state["categories_"], state.get("_n_features_outs")
    if type(categories) is not list or type(counts) is not list:
        return "categories that are no list"
    state["categories_"], state["_n_features_outs"] = categories, counts = categories[:], counts[:]
    if not is_int(state.get("n_features_in_"), len(categories), len(categories)):
        return "another number of features"
    if len(counts) != len(categories) or state.get("_infrequent_enabled"):
        return "categories that are rare"
    dropped: Any = state.get("_drop_idx_after_grouping")
    if dropped is None:
        dropped = [None] * len(categories)
    elif not is_data(guard, dropped, "O", 1) or len(dropped) != len(categories):
        return "categories to leave out that are none"
    for names, count, place in zip(categories, counts, dropped, strict=True):
        if not is_array(guard, names) or names.ndim != 1:
            return "categories that are none"
        if place is not None and not is_int(place, 0, len(names) - 1):
            return "categories to leave out that are none"
        expected = len(names) - (place is not None)
        if not is_int(count, expected, expected):
            return "another number of categories"
    return None


def check_spline(guard: Any, obj: Any, state: Any) -> str | None:
    knots, values = state.get("_t", state.get("t")), state.get("_c", state.get("c"))
    degree = state.get("k")
    if not is_data(guard, knots, "f", 1) or not is_int(degree, 0, 50):
        return "knots that are none"
    if not is_array(guard, values) or values.dtype.kind not in "fc" or values.ndim < 1:
        return "values that are none"
    if len(knots) != len(values) + int(degree) + 1 or not len(values):
        return "values that do not fit"
    if not numpy_module().isfinite(knots).all() or (knots[1:] < knots[:-1]).any():
        return "knots that are none"
    return None if is_int(state.get("axis", 0), 0, values.ndim - 1) else "another axis"


def check_function(guard: Any, obj: Any, state: Any) -> str | None:
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

SPARSE: Final = frozenset(
    f"scipy.sparse._{module}.{module}_{kind}"
    for module in ("csr", "csc")
    for kind in ("matrix", "array")
)


def check_sparse_state(guard: Any, obj: Any, state: Any) -> str | None:
    """Each place lies inside: SciPy's C++ does not look."""
    names = {"_shape", "maxprint", "indptr", "indices", "data", "_has_sorted_indices"}
    names |= {"_has_canonical_format", "has_canonical_format", "has_sorted_indices"}
    if type(state) is not dict or not all(type(key) is str for key in state):
        return "expected a dict"
    if not {"_shape", "indptr", "indices", "data"} <= state.keys() <= names:
        return "other attributes"
    shape, starts, places, data = (state[key] for key in ("_shape", "indptr", "indices", "data"))
    if type(shape) is not tuple or len(shape) != 2 or not all(is_int(n, 0) for n in shape):
        return "a shape that is none"
    if not all(is_data(guard, part, "i", 1) for part in (starts, places)):
        return "places that are none"
    if not is_data(guard, data, "biufc", 1) or len(data) != len(places):
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
    return None if is_int(state.get("maxprint", 50), 0) else "attributes that are none"


# --- losses, in Cython


def check_numbers(guard: Any, args: tuple[Any, ...]) -> str | None:
    if len(args) <= 3 and all(type(arg) in (int, float) for arg in args):
        return None
    return "expected numbers"


def check_cython_loss(guard: Any, args: tuple[Any, ...]) -> str | None:
    """__pyx_unpickle_Cy…(cls, checksum, ())"""
    if len(args) != 3 or type(args[1]) is not int or type(args[2]) is not tuple or args[2]:
        return "expected a class, a number and nothing"
    name = guard.name_of(args[0]) or ""
    return None if name.startswith("sklearn._loss._loss.Cy") else "another class"


def check_loss(guard: Any, obj: Any, state: Any) -> str | None:
    if "is_multiclass" in state:
        return "an attribute of its class"
    closs = state.get("closs")
    if closs is not None and not full_name(type(closs)).startswith("sklearn._loss._loss.Cy"):
        return "a loss that is none"
    return None


def check_three(guard: Any, args: tuple[Any, ...]) -> str | None:
    return None if len(args) == 3 else "expected three values"


def check_bunch(guard: Any, obj: Any, state: Any) -> str | None:
    return None if type(state) is dict else "expected a dict"
