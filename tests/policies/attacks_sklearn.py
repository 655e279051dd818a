"""Attacks by what the pickles of scikit-learn consist of, which `Policy.sklearn()` refuses each.

Where nothing stops them, functions of scikit-learn run code, and what compiled code relies on leads
it out of its arrays. Those of the second kind are estimators that were changed after they were
fitted.
"""

from __future__ import annotations

import pickle
import warnings
from collections.abc import Callable
from copy import deepcopy
from typing import Any

import numpy as np
import sklearn
from sklearn.ensemble import RandomForestClassifier

from quickpickle.format import opcodes as op

from . import honest_sklearn
from .attacks import HARM, STATE, proto
from .attacks_numpy import NEW, Code, built, called, name, put, value

ATTACKS: dict[str, bytes] = {}
with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of models that did not converge
    MODELS: dict[str, Any] = {type(model).__name__: model for model in honest_sklearn.values()}


def attack(name: str, *parts: bytes, version: int = 4) -> None:
    assert name not in ATTACKS, name
    ATTACKS[name] = proto(version, *parts)


def changed(kind: str, what: str, change: Callable[[Any], None]) -> None:
    model = deepcopy(MODELS[kind])
    change(model)
    assert f"{kind} with {what}" not in ATTACKS
    ATTACKS[f"{kind} with {what}"] = pickle.dumps(model)


def attribute(kind: str, key: str, given: object, of: str = "") -> None:
    """With another attribute."""

    def change(model: Any) -> None:
        for part in of.split("."):
            model = getattr(model, part) if part else model
        vars(model)[key] = given

    shown = repr(given)[:60].replace("\n", " ")
    changed(kind, f"{of}.{key} as {shown}" if of else f"{key} as {shown}", change)


def new(full: str) -> Code:
    return Code(name(full) + op.EMPTY_TUPLE + op.NEWOBJ)


# --- functions that run code, load files, or call what they are given

for _name, _args in {
    "sklearn.utils._joblib.joblib.load": ("/tmp/attack",),
    "sklearn.externals.joblib.load": ("/tmp/attack",),
    "joblib.load": ("/tmp/attack",),
    "joblib.numpy_pickle.load": ("/tmp/attack",),
    "joblib.numpy_pickle.NumpyArrayWrapper": (),
    "joblib.memory.Memory": ("/tmp/attack",),
    "joblib.parallel.Parallel": (),
    "joblib.hashing.hash": (1,),
    "sklearn.datasets.load_files": ("/etc",),
    "sklearn.datasets.fetch_openml": ("iris",),
    "sklearn.datasets._base.load_files": ("/etc",),
    "sklearn.datasets._base._fetch_remote": ("x",),
    "sklearn.datasets._openml.fetch_openml": ("iris",),
    "sklearn.datasets._svmlight_format_io.load_svmlight_file": ("/etc/passwd",),
    "sklearn.base.clone": ([],),
    "sklearn.utils.all_estimators": (),
    "sklearn.utils._testing.set_random_state": (1,),
    "sklearn.utils._testing.run_script": (HARM,),
    "sklearn.utils._testing.assert_run_python_script_without_output": (HARM,),
    "sklearn.utils.parallel.Parallel": (),
    "sklearn.utils.parallel._FuncWrapper": (name("numpy.sin"),),
    "sklearn.utils.fixes._object_dtype_isnan": (1,),
    "sklearn.utils.metaestimators.available_if": (name("numpy.sin"),),
    "sklearn.utils.deprecation.deprecated": ("x",),
    "sklearn.utils.extmath._incremental_mean_and_var": (),
    "sklearn.set_config": (),
    "sklearn._config.set_config": (),
    "sklearn.show_versions": (),
    "sklearn.tree.export_graphviz": (),
    "sklearn.metrics.make_scorer": (name("numpy.sin"),),
    "sklearn.metrics._scorer.get_scorer": ("r2",),
    "sklearn.metrics.pairwise.pairwise_kernels": (),
    "sklearn.metrics._dist_metrics.PyFuncDistance": (name("numpy.sin"),),
    "sklearn.metrics._dist_metrics.EuclideanDistance64": (),
    "sklearn.metrics._dist_metrics.newObj": (
        name("sklearn.metrics._dist_metrics.PyFuncDistance64"),
    ),
    "sklearn.neighbors._kd_tree.newObj": (name("collections.OrderedDict"),),
    "sklearn.neighbors._kd_tree.KDTree": ([[1.0]],),
    "sklearn.tree._tree.Tree": (1 << 40, [1], 1),
    "sklearn.tree._tree.DepthFirstTreeBuilder": (),
    "sklearn.tree._tree.ccp_pruning_path": (),
    "sklearn.linear_model._base.LinearRegression": (),
    "sklearn.linear_model._logistic.LogisticRegression": (),
    "sklearn.preprocessing._function_transformer.FunctionTransformer": (name("numpy.sin"),),
    "sklearn.pipeline.Pipeline": ([],),
    "sklearn.pipeline.make_pipeline": (),
    "sklearn.feature_selection._univariate_selection.f_classif": ([[1.0]], [1]),
    "sklearn.metrics._classification.accuracy_score": ([1], [1]),
    "sklearn.cluster._hdbscan.hdbscan.HDBSCAN": (),
    "sklearn.cluster._bisect_k_means.BisectingKMeans": (),
    "sklearn._loss._loss.CyHuberLoss": ("x",),
    "sklearn._loss._loss.__pyx_unpickle_CyHalfMultinomialLoss": (name("numpy.sin"), 1, ()),
    "scipy.sparse._csr.csr_matrix": ((10**6, 10**6),),
    "scipy.sparse._dok.dok_matrix": ((1, 1),),
    "scipy.sparse._coo.coo_matrix": ((1, 1),),
    "scipy.sparse.load_npz": ("/tmp/attack",),
    "scipy.io.loadmat": ("/tmp/attack",),
    "scipy.io._fast_matrix_market.mmread": ("/etc/passwd",),
    "scipy._lib._ccallback.LowLevelCallable": (),
    "scipy.optimize.minimize": (name("numpy.sin"), 1),
    "scipy.integrate.quad": (name("numpy.sin"), 0, 1),
    "scipy.interpolate._bsplines.BSpline": (1, 2, 3),
    "scipy.stats._distn_infrastructure.rv_frozen": (),
    "scipy.stats.rv_continuous": (),
    "scipy.weave.inline": (HARM,),
}.items():
    attack(f"REDUCE {_name}", called(_name, *_args))
    attack(f"OBJ {_name}", op.MARK + name(_name) + b"".join(map(value, _args)) + op.OBJ)
    if _args:
        attack(f"NEWOBJ {_name}", name(_name) + value(_args) + op.NEWOBJ)
for _name in (
    *("sklearn.linear_model._base.LinearRegression", "sklearn.tree._tree.Tree"),
    *("sklearn.feature_selection._univariate_selection.f_classif", "scipy.sparse._csr.csr_matrix"),
    *("sklearn.pipeline.Pipeline", "sklearn.metrics._dist_metrics.newObj"),
):
    attack(f"BUILD of {_name}", name(_name) + STATE + op.BUILD)
    attack(f"BUILD of {_name}, slots", name(_name) + op.NONE + STATE + op.TUPLE2 + op.BUILD)
    attack(f"SETITEM of {_name}", name(_name) + value("x") + op.NONE + op.SETITEM)

# --- attributes that take the place of methods, and what is no state

LINEAR = new("sklearn.linear_model._base.LinearRegression")
for _name, _given in {
    "a method": {"predict": name("numpy.sin")},
    "another method": {"get_params": name("numpy.mean")},
    "a private method": {"_validate_params": name("numpy.sin")},
    "a hook": {"__sklearn_tags__": name("numpy.sin")},
    "a class": {"__class__": name("numpy.ndarray")},
    "a dict": {"__dict__": {}},
    "a number": {1: 2},
    "a version that is a list": {"_sklearn_version": []},
    "a long version": {"_sklearn_version": "x" * 1000},
    "a tuple": ({"coef_": 1}, {"intercept_": 1}),
    "a list": [1],
    "None": None,
}.items():
    attack(f"LinearRegression with {_name}", built(LINEAR, _given))
attack("LinearRegression without a state", LINEAR)
attack("LinearRegression with two states", built(put(Code(built(LINEAR, {"a_": 1})), 1), {"a_": 2}))
attack("LinearRegression with an array that waits", built(LINEAR, {"coef_": NEW}))
attack("SETITEM of LinearRegression", built(LINEAR, {"a_": 1}) + value(1) + value(2) + op.SETITEM)

# --- trees

TREE = MODELS["DecisionTreeClassifier"].tree_
_LEAF = int(np.flatnonzero(TREE.children_left == -1)[0])


def tree(what: str, change: Callable[[dict[str, Any]], None], kind: str = "Tree") -> None:
    """A tree with other nodes."""
    _, args, state = TREE.__reduce__()
    state = deepcopy(state)
    change(state)

    class Changed:
        def __reduce__(self) -> Any:
            return type(TREE), args, state

    ATTACKS[f"{kind} with {what}"] = pickle.dumps(Changed())


def node(field: str, index: int, given: int) -> Callable[[dict[str, Any]], None]:
    def change(state: dict[str, Any]) -> None:
        state["nodes"][field][index] = given

    return change


for _field, _index, _given in (
    *(("left_child", 0, number) for number in (0, -2, 10**6, 2**40, -(2**40), TREE.node_count)),
    *(("right_child", 0, number) for number in (0, -1, 10**6, 2**40, 1)),
    *(("feature", 0, number) for number in (-2, 4, 10**6, -(2**40))),
    *(("left_child", _LEAF, number) for number in (0, _LEAF, 10**6)),
):
    tree(f"{_field} {_given} of node {_index}", node(_field, _index, _given))
for _name, _change in {
    "few nodes": lambda state: state.update(nodes=state["nodes"][:1]),
    "no nodes": lambda state: state.update(nodes=state["nodes"][:0], values=state["values"][:0]),
    "another count": lambda state: state.update(node_count=10**6),
    "few values": lambda state: state.update(values=state["values"][:1]),
    "narrow values": lambda state: state.update(values=state["values"][:, :, :1].copy()),
    "values of objects": lambda state: state.update(values=state["values"].astype(object)),
    "a small depth": lambda state: state.update(max_depth=0),
    "a negative depth": lambda state: state.update(max_depth=-1),
    "a list of nodes": lambda state: state.update(nodes=[1]),
    "more": lambda state: state.update(attacked=1),
    "nodes of the other order of bytes": lambda state: state.update(
        nodes=state["nodes"].view(state["nodes"].dtype.newbyteorder())
    ),
    "nodes of other fields": lambda state: state.update(nodes=state["nodes"].view("V64")),
}.items():
    tree(_name, _change)
for _name, _args in {
    "few classes": (4, np.zeros(0, int), 1),
    "no class": (4, np.zeros(1, int), 1),
    "many classes": (4, np.array([1 << 60]), 1),
    "classes of float": (4, np.array([1.0]), 1),
    "many outputs": (4, np.ones(1, int), 1 << 30),
    "no output": (4, np.ones(0, int), 0),
    "negative features": (-1, np.ones(1, int), 1),
}.items():

    class _Made:
        def __init__(self, args: Any) -> None:
            self.args = args

        def __reduce__(self) -> Any:
            return type(TREE), self.args

    ATTACKS[f"a Tree of {_name}"] = pickle.dumps(_Made(_args))
attribute("DecisionTreeClassifier", "n_features_in_", 3)
attribute("DecisionTreeClassifier", "n_features_in_", 10**6)
attribute("DecisionTreeClassifier", "n_features_in_", "4")
attribute("DecisionTreeClassifier", "tree_", "x")
attribute("DecisionTreeClassifier", "predict", np.sin)
changed("DecisionTreeClassifier", "no features", lambda model: vars(model).pop("n_features_in_"))
_WIDE = RandomForestClassifier(2).fit(np.tile(honest_sklearn.POINTS, 5), honest_sklearn.CLASSES)
_WITH_TREE = deepcopy(MODELS["LinearSVC"])  # no tree, though it has one
_WITH_TREE.tree_ = TREE
for _kind in ("RandomForestClassifier", "ExtraTreesRegressor", "RandomTreesEmbedding"):
    attribute(_kind, "n_features_in_", 3)
    attribute(_kind, "n_features_in_", float(TREE.n_features))
    attribute(_kind, "estimators_", tuple(MODELS[_kind].estimators_))
    attribute(_kind, "estimators_", [MODELS["LinearSVC"]])
    attribute(_kind, "estimators_", MODELS[_kind].estimators_[:1] + _WIDE.estimators_[:1])
    changed(
        _kind,
        "another estimator that has a tree",
        lambda model: vars(model).update(estimators_=[_WITH_TREE]),
    )
attribute("IsolationForest", "estimators_", _WIDE.estimators_)
attribute("IsolationForest", "estimators_features_", [])
attribute("IsolationForest", "estimators_features_", [np.arange(2)] * 3)
attribute("IsolationForest", "_max_features", 2**70)
attribute("GradientBoostingClassifier", "n_trees_per_iteration_", 1)
attribute("GradientBoostingClassifier", "n_features_in_", 2)
attribute("GradientBoostingClassifier", "_loss", None)
attribute("GradientBoostingClassifier", "init_", MODELS["LinearSVC"])
attribute("GradientBoostingClassifier", "class_prior_", np.ones(2), "init_")
attribute("GradientBoostingClassifier", "_strategy", "uniform", "init_")
attribute("GradientBoostingClassifier", "n_classes_", 2, "init_")
attribute("GradientBoostingClassifier", "is_multiclass", False, "_loss")
attribute("GradientBoostingRegressor", "n_trees_per_iteration_", 5)
attribute("GradientBoostingRegressor", "estimators_", np.array([[MODELS["LinearSVC"]]], object))


def histogram(field: str, index: int, given: int) -> None:
    def change(model: Any) -> None:
        model._predictors[0][0].nodes[field][index] = given

    changed("HistGradientBoostingClassifier", f"{field} {given} of node {index}", change)


for _field, _given in (
    *(("left", number) for number in (0, 10**6, 2**31)),
    *(("right", number) for number in (0, 10**6, 1)),
    *(("feature_idx", number) for number in (-1, 4, 10**6)),
    *(("is_categorical", 1), ("is_leaf", 1)),
):
    histogram(_field, 0, _given)
attribute("HistGradientBoostingClassifier", "n_features_in_", 2)
attribute("HistGradientBoostingClassifier", "n_trees_per_iteration_", 1)
attribute("HistGradientBoostingClassifier", "_predictors", [[1]])
attribute("HistGradientBoostingClassifier", "_bin_mapper", None)
attribute("HistGradientBoostingClassifier", "is_categorical_", np.ones(4, "u1"), "_bin_mapper")
attribute("HistGradientBoostingClassifier", "n_threads", 10**9, "_bin_mapper")

# --- neighbours


def spatial(kind: str, what: str, index: int, given: object) -> None:
    model = MODELS[kind]
    function, args, state = model._tree.__reduce__()

    class Changed:
        def __reduce__(self) -> Any:
            return function, args, (*state[:index], given, *state[index + 1 :])

    ATTACKS[f"the tree of {kind} with {what}"] = pickle.dumps(Changed())


for _kind in ("KNeighborsClassifier", "KNeighborsRegressor"):
    if MODELS[_kind]._tree is None:
        continue
    _state = MODELS[_kind]._tree.__reduce__()[2]
    _places, _nodes = _state[1].copy(), _state[2].copy()
    _places[0] = 10**6
    spatial(_kind, "a place outside", 1, _places)
    spatial(_kind, "negative places", 1, -_places)
    spatial(_kind, "few places", 1, _state[1][:3])
    for _field, _given in (("idx_end", 10**6), ("idx_start", -5), ("idx_start", 99)):
        _nodes = _state[2].copy()
        _nodes[_field][0] = _given
        spatial(_kind, f"{_field} {_given}", 2, _nodes)
    _nodes = _state[2].copy()
    _nodes["is_leaf"] = 0
    spatial(_kind, "no leaf", 2, _nodes)
    spatial(_kind, "few nodes", 2, _state[2][:1])
    spatial(_kind, "few data", 0, _state[0][:3])
    spatial(_kind, "narrow data", 0, _state[0][:, :1].copy())
    spatial(_kind, "few bounds", 3, _state[3][:, :1])
    spatial(_kind, "narrow bounds", 3, _state[3][:, :, :1].copy())
    spatial(_kind, "many levels", 5, 50)
    spatial(_kind, "no leaf size", 4, 0)
    spatial(_kind, "another metric", 11, None)
    spatial(_kind, "few weights", 12, np.ones(1))
for _given in (3, 10**6):
    attribute("KNeighborsRegressor", "n_features_in_", _given)
    attribute("NearestNeighbors", "n_samples_fit_", _given)
attribute("NearestNeighbors", "_fit_X", honest_sklearn.POINTS[:, :1].copy())
attribute("NearestNeighbors", "effective_metric_", "haversine")
attribute("NearestNeighbors", "effective_metric_", np.sin)
attribute("NearestNeighbors", "effective_metric_params_", {"w": np.ones(1)})
attribute("KNeighborsClassifier", "_y", np.full(40, 10**6))
attribute("KNeighborsClassifier", "_y", np.full(40, -1))
attribute("KNeighborsClassifier", "_y", np.zeros(3, int))
attribute("KNeighborsClassifier", "_y", np.zeros(40))
attribute("KNeighborsClassifier", "classes_", np.arange(1))
attribute("KernelDensity", "tree_", None)

# --- support vectors and centers

for _given in (np.array([40, 40, 40], "i4"), np.array([-1, 0, 1], "i4"), np.zeros(1, "i4")):
    attribute("SVC", "_n_support", _given)
attribute("SVC", "support_vectors_", MODELS["SVC"].support_vectors_[:2].copy())
attribute("SVC", "support_vectors_", MODELS["SVC"].support_vectors_[:, :1].copy())
attribute("SVC", "_dual_coef_", MODELS["SVC"]._dual_coef_[:1].copy())
attribute("SVC", "_dual_coef_", MODELS["SVC"]._dual_coef_[:, :1].copy())
attribute("SVC", "_intercept_", np.zeros(1))
attribute("SVC", "_probA", np.zeros(1))
attribute("SVC", "_sparse", True)
attribute("SVC", "kernel", "precomputed")
attribute("SVC", "kernel", np.sin)
attribute("SVC", "n_features_in_", 10**6)
attribute("SVC", "classes_", np.arange(9))
attribute("NuSVR", "_n_support", np.array([40], "i4"))
attribute("NuSVR", "_dual_coef_", np.zeros((1, 1)))
attribute("OneClassSVM", "_intercept_", np.zeros(0))
for _kind in ("KMeans", "MiniBatchKMeans"):
    attribute(_kind, "n_features_in_", 10**6)
    attribute(_kind, "cluster_centers_", np.zeros((2, 1)))
    attribute(_kind, "cluster_centers_", np.zeros((0, 4)))
    attribute(_kind, "n_clusters", 10**6)
    attribute(_kind, "_n_threads", 10**9)

# --- texts, categories, splines, functions, sparse matrices

for _kind in ("CountVectorizer", "TfidfVectorizer", "DictVectorizer"):
    attribute(_kind, "vocabulary_", {"some": 10**6})
    attribute(_kind, "vocabulary_", {"some": -1})
    attribute(_kind, "vocabulary_", {"some": 1.5})
    attribute(_kind, "vocabulary_", [1])
attribute("CountVectorizer", "tokenizer", np.sin)
attribute("CountVectorizer", "preprocessor", np.sin)
attribute("CountVectorizer", "analyzer", np.sin)
attribute("HashingVectorizer", "n_features", 0)
attribute("HashingVectorizer", "n_features", -1)
attribute("HashingVectorizer", "n_features", 2**40)
attribute("OneHotEncoder", "_n_features_outs", [1])
attribute("OneHotEncoder", "_n_features_outs", [10**6])
attribute("OneHotEncoder", "_n_features_outs", [])
attribute("OneHotEncoder", "_drop_idx_after_grouping", np.array([99], object))
attribute("OneHotEncoder", "_drop_idx_after_grouping", None)
attribute("OneHotEncoder", "_infrequent_enabled", True)
attribute("OneHotEncoder", "n_features_in_", 5)
attribute("FunctionTransformer", "func", np.mean)
attribute("FunctionTransformer", "inverse_func", np.linalg.inv)
attribute("FunctionTransformer", "kw_args", {"out": 1})


def spline(key: str, given: object) -> None:
    def change(model: Any) -> None:
        own = vars(model.bsplines_[0])
        own[f"_{key}" if f"_{key}" in own else key] = given

    changed("SplineTransformer", f"{key} as {str(given)[:40]}", change)


spline("t", np.zeros(1))
spline("t", np.array([np.nan] * 9))
spline("c", np.zeros((1, 1)))
spline("k", 2)
spline("k", 10**6)
spline("axis", 5)
for _kind in ("csr_matrix", "csc_matrix", "csr_array"):
    for _key, _given in (
        ("indices", np.array([0, 99], "i4")),
        ("indices", np.array([0, -1], "i4")),
        ("indices", np.array([0], "i4")),
        ("indices", np.array([0.0, 1.0])),
        ("indptr", np.array([0, 1, 1, 99], "i4")),
        ("indptr", np.array([0, 2, 1, 2], "i4")),
        ("indptr", np.array([1, 1, 1, 2], "i4")),
        ("indptr", np.array([0, 2], "i4")),
        ("indptr", np.array([0, 1, 1, 2], "i8")),
        ("data", np.zeros(1)),
        ("data", np.zeros(2, object)),
        ("_shape", (10**6, 10**6)),
        ("_shape", (1, 1)),
        ("_shape", (-1, 3)),
        ("_shape", (3,)),
        ("attacked", 1),
    ):
        attribute(_kind, _key, _given)

# --- the same parts as they should be, which load: so the attacks are refused for what is wrong

HONEST: dict[str, bytes] = {kind: pickle.dumps(model) for kind, model in MODELS.items()}
HONEST["the tree of DecisionTreeClassifier"] = pickle.dumps(TREE)
HONEST["attributes"] = proto(
    4, built(LINEAR, {"coef_": 1, "_sklearn_version": sklearn.__version__})
)
