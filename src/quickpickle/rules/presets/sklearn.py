"""The names of `Policy.sklearn()`: estimators of scikit-learn, and what they consist of.

An estimator gets its attributes from the pickle, and scikit-learn does not look at them again.
Where its compiled code relies on them, they are checked here: the nodes of trees, neighbours,
support vectors, centers, places in sparse matrices and vocabularies. Lists that were checked are
copied, so that the pickle cannot change them afterwards. No attribute takes the place of a method.
"""

from __future__ import annotations

from functools import partial
from typing import Final

from ..policy_names import Rule, nothing
from .sklearn_checks import instance, loose
from .sklearn_parts import (
    METRICS,
    SPARSE,
    SPATIAL,
    check_bunch,
    check_centers,
    check_cython_loss,
    check_density,
    check_function,
    check_hasher,
    check_loss,
    check_metric_state,
    check_neighbors,
    check_numbers,
    check_one_hot,
    check_sparse_state,
    check_spatial_state,
    check_spline,
    check_support_vectors,
    check_three,
    check_vocabulary,
    new_of,
)
from .sklearn_trees import (
    TREE,
    check_bin_mapper,
    check_decision_tree,
    check_forest,
    check_gradient_boosting,
    check_histograms,
    check_isolation_forest,
    check_predictor,
    check_tree,
    check_tree_state,
)
from .states import Built, called, once, wait_for_state, words

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
        check_decision_tree,
    ),
    "ensemble._forest": (
        "ExtraTreesClassifier ExtraTreesRegressor RandomForestClassifier RandomForestRegressor"
        " RandomTreesEmbedding",
        check_forest,
    ),
    "ensemble._iforest": ("IsolationForest", check_isolation_forest),
    "ensemble._gb": (
        "GradientBoostingClassifier GradientBoostingRegressor",
        check_gradient_boosting,
    ),
    "ensemble._hist_gradient_boosting.gradient_boosting": (
        "HistGradientBoostingClassifier HistGradientBoostingRegressor",
        check_histograms,
    ),
    "ensemble._hist_gradient_boosting.predictor": ("TreePredictor", check_predictor),
    "ensemble._hist_gradient_boosting.binning": ("_BinMapper", check_bin_mapper),
    "neighbors._classification": (
        "KNeighborsClassifier RadiusNeighborsClassifier",
        check_neighbors,
    ),
    "neighbors._regression": ("KNeighborsRegressor RadiusNeighborsRegressor", check_neighbors),
    "neighbors._graph": ("KNeighborsTransformer RadiusNeighborsTransformer", check_neighbors),
    "neighbors._unsupervised": ("NearestNeighbors", check_neighbors),
    "neighbors._lof": ("LocalOutlierFactor", check_neighbors),
    "neighbors._kde": ("KernelDensity", check_density),
    "svm._classes": ("NuSVC NuSVR OneClassSVM SVC SVR", check_support_vectors),
    "cluster._kmeans": ("KMeans MiniBatchKMeans", check_centers),
    "feature_extraction.text": (
        "CountVectorizer TfidfVectorizer TfidfTransformer",
        check_vocabulary,
    ),
    "feature_extraction._dict_vectorizer": ("DictVectorizer", check_vocabulary),
    "feature_extraction._hash": ("FeatureHasher", check_hasher),
    "preprocessing._encoders": ("OneHotEncoder", check_one_hot),
    "preprocessing._function_transformer": ("FunctionTransformer", check_function),
    "_loss.loss": (
        "AbsoluteError ExponentialLoss HalfBinomialLoss HalfGammaLoss HalfMultinomialLoss"
        " HalfPoissonLoss HalfSquaredError HalfTweedieLoss HalfTweedieLossIdentity HuberLoss"
        " PinballLoss",
        check_loss,
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
        f"sklearn.{module}.{name}": instance()
        for module, names in _ESTIMATORS.items()
        for name in words(names)
    },
    **{
        f"sklearn.{module}.{name}": instance(check)
        for module, (names, check) in _CHECKED.items()
        for name in words(names)
    },
    "sklearn.feature_extraction.text.HashingVectorizer": instance(check_hasher),
    **{f"{module}.{name}": _NAMED for module, names in _FUNCTIONS.items() for name in words(names)},
    **{
        f"sklearn.{module}.{name}": loose()
        for module, names in _LOOSE.items()
        for name in words(names)
    },
    "sklearn.impute._iterative._ImputerTriplet": Rule(new=check_three),
    **{f"sklearn._loss._loss.{name}": called(check_numbers) for name in _LOSSES},
    **{f"sklearn._loss._loss.__pyx_unpickle_{name}": called(check_cython_loss) for name in _LOSSES},
    **{f"sklearn.linear_model._sgd_fast.{name}": called(check_numbers) for name in _SGD_LOSSES},
    TREE: called(check_tree, built=once(check_tree_state), made=wait_for_state),
    "sklearn.metrics._dist_metrics.newObj": called(partial(new_of, METRICS), made=wait_for_state),
    **dict.fromkeys(METRICS, Rule(built=once(check_metric_state))),
    **{
        f"sklearn.neighbors._{module}.newObj": called(partial(new_of, SPATIAL), made=wait_for_state)
        for module in ("kd_tree", "ball_tree")
    },
    **dict.fromkeys(SPATIAL, Rule(built=once(check_spatial_state))),
    **dict.fromkeys(SPARSE, Rule(new=nothing, built=once(check_sparse_state), made=wait_for_state)),
    "scipy.interpolate._bsplines.BSpline": instance(check_spline),
    "sklearn.utils._bunch.Bunch": Rule(new=nothing, built=check_bunch, items="s"),
    "sklearn.utils.Bunch": Rule(new=nothing, built=check_bunch, items="s"),
}
"""The names of `Policy.sklearn()`, beside those of `Policy.numpy()`."""
