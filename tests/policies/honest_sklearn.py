"""Estimators of scikit-learn, which load under `Policy.sklearn()`. tools/sklearn_census has all."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse
from sklearn import (
    cluster,
    compose,
    decomposition,
    ensemble,
    feature_extraction,
    feature_selection,
    gaussian_process,
    linear_model,
    model_selection,
    neighbors,
    neural_network,
    pipeline,
    preprocessing,
    svm,
    tree,
)

POINTS = np.random.default_rng(0).normal(size=(40, 4))
CLASSES = (POINTS[:, 0] > 0).astype(int) + (POINTS[:, 1] > 0.5)
TEXTS = ["some words here", "other words there", "and some others"]
METHODS = (
    *("predict", "predict_proba", "decision_function", "transform", "score_samples", "apply"),
    *("decision_path", "kneighbors"),
)


def arrays() -> list[Any]:
    """Sparse matrices."""
    dense = np.eye(3) * [[1], [0], [2]]
    return [getattr(sparse, name)(dense) for name in ("csr_matrix", "csc_matrix", "csr_array")]


def values() -> list[Any]:
    models = [
        *(tree.DecisionTreeClassifier(max_depth=3), tree.ExtraTreeRegressor(max_depth=3)),
        *(ensemble.RandomForestClassifier(3), ensemble.ExtraTreesRegressor(3)),
        *(ensemble.IsolationForest(n_estimators=3), ensemble.RandomTreesEmbedding(2, max_depth=2)),
        *(ensemble.GradientBoostingClassifier(n_estimators=2, max_depth=2),),
        *(ensemble.GradientBoostingRegressor(n_estimators=2, max_depth=2),),
        *(ensemble.HistGradientBoostingClassifier(max_iter=2, min_samples_leaf=5),),
        *(ensemble.AdaBoostClassifier(n_estimators=2), ensemble.BaggingRegressor(n_estimators=2)),
        *(neighbors.KNeighborsClassifier(algorithm="kd_tree", leaf_size=5),),
        *(neighbors.KNeighborsRegressor(algorithm="ball_tree", leaf_size=5),),
        *(neighbors.KNeighborsClassifier(algorithm="brute"), neighbors.NearestNeighbors()),
        *(neighbors.LocalOutlierFactor(novelty=True), neighbors.KernelDensity(leaf_size=5)),
        *(svm.SVC(), svm.NuSVR(), svm.OneClassSVM(), svm.LinearSVC()),
        *(cluster.KMeans(2, n_init=1), cluster.MiniBatchKMeans(2, n_init=1), cluster.Birch()),
        *(linear_model.LogisticRegression(), linear_model.SGDClassifier(), linear_model.LassoCV()),
        *(linear_model.PoissonRegressor(), neural_network.MLPClassifier([3], max_iter=5)),
        *(decomposition.PCA(2), decomposition.KernelPCA(2)),
        *(gaussian_process.GaussianProcessRegressor(), preprocessing.SplineTransformer(n_knots=3)),
        *(preprocessing.KBinsDiscretizer(3), preprocessing.FunctionTransformer(np.exp)),
        feature_selection.SelectKBest(feature_selection.f_classif, k=2),
        pipeline.make_pipeline(preprocessing.StandardScaler(), linear_model.Ridge()),
        compose.make_column_transformer((preprocessing.MinMaxScaler(), [0, 1])),
        model_selection.GridSearchCV(linear_model.Ridge(), {"alpha": [1, 2]}, scoring="r2", cv=2),
    ]
    return [
        *(model.fit(POINTS, CLASSES) for model in models),
        preprocessing.OneHotEncoder(drop="first").fit(CLASSES[:, None]),
        feature_extraction.text.CountVectorizer().fit(TEXTS),
        feature_extraction.text.TfidfVectorizer().fit(TEXTS),
        feature_extraction.text.HashingVectorizer(n_features=16),
        feature_extraction.DictVectorizer().fit([{"a": 1, "b": 2}]),
        *arrays(),
    ]


def outputs(value: Any) -> list[Any]:
    found = []
    for name in METHODS:
        for data in (POINTS, TEXTS, CLASSES[:, None], [{"a": 1}]):
            try:
                result = getattr(value, name)(data)
            except Exception as error:
                result = type(error).__name__
            found.append(result.toarray() if sparse.issparse(result) else result)
    return found


def same(one: Any, other: Any) -> bool:
    """Equal predictions."""
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, np.ndarray | str):
        return bool(np.array_equal(one, other))
    if sparse.issparse(one):
        return bool((one.toarray() == other.toarray()).all())
    return same(outputs(one), outputs(other))


def use(value: Any) -> None:
    """Use a value as programs do: a wrong one ends the interpreter here, if anywhere."""
    repr(value)
    outputs(value)
    if sparse.issparse(value):
        value.toarray()
        value @ value
