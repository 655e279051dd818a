"""Objects of NumPy, pandas, networkx and scikit-learn. Each needs its library."""

from __future__ import annotations

import random

from workloads.workload import word, workload


@workload("libraries")
def numpy_small_arrays() -> object:
    """2,000 NumPy arrays of ten floats."""
    import numpy as np

    return [row.copy() for row in np.random.default_rng(0).random((2000, 10))]


@workload("libraries")
def numpy_numbers() -> object:
    """2,000 records with three numbers of NumPy's types."""
    import numpy as np

    rng = np.random.default_rng(0)
    return [
        {"loss": np.float64(loss), "grade": np.float32(grade), "count": np.int64(count)}
        for loss, grade, count in zip(
            rng.random(2000), rng.random(2000), rng.integers(1000, size=2000), strict=True
        )
    ]


@workload("libraries")
def numpy_large_array() -> object:
    """A NumPy array of 16 MB."""
    import numpy as np

    return np.random.default_rng(0).random((2000, 1000))


@workload("libraries")
def numpy_fortran_array() -> object:
    """A NumPy array of 16 MB, in Fortran order."""
    import numpy as np

    return np.asfortranarray(np.random.default_rng(0).random((2000, 1000)))


@workload("libraries")
def pandas_dataframe() -> object:
    """A pandas DataFrame of 20,000 rows: numbers, strings, dates, categories."""
    import numpy as np
    import pandas as pd

    rng = random.Random(0)
    numbers = np.random.default_rng(0)
    rows = 20_000
    return pd.DataFrame(
        {
            "id": np.arange(rows),
            "score": numbers.random(rows),
            "name": [word(rng) for _ in range(rows)],
            "placed": pd.date_range("2020-01-01", periods=rows, freq="min"),
            "level": pd.Categorical(rng.choices(("low", "middle", "high"), k=rows)),
        }
    )


@workload("libraries")
def networkx_graph() -> object:
    """A networkx graph of 2,100 nodes and 8,000 edges, with weights."""
    import networkx as nx

    rng = random.Random(0)
    graph = nx.gnm_random_graph(2100, 8000, seed=0)
    for _, _, attributes in graph.edges(data=True):
        attributes["weight"] = rng.random()
    return graph


@workload("libraries")
def sklearn_forest() -> object:
    """A scikit-learn forest of 20 trees, fitted to 300 rows."""
    import numpy as np
    from sklearn.ensemble import RandomForestClassifier

    rows = np.random.default_rng(0).random((300, 8))
    classes = (rows[:, 0] + rows[:, 1] > 1).astype(int)
    return RandomForestClassifier(n_estimators=20, random_state=0).fit(rows, classes)
