"""Workloads that are no records: exceptions, log records, generators, a notebook."""

from __future__ import annotations

import collections
import functools
import logging
import random
from pathlib import PurePosixPath
from typing import Any

from workloads.workload import word, workload


@workload("applications")
def random_generators() -> object:
    """50 instances of random.Random: the state of each is a tuple of 625 numbers."""
    return [random.Random(seed) for seed in range(50)]


class RefusedError(Exception):
    """An exception with an attribute of its own."""

    def __init__(self, reason: str, code: int) -> None:
        super().__init__(reason, code)
        self.code = code


@workload("applications")
def exceptions() -> object:
    """4,000 exceptions: of the interpreter and of a class of a program, some with a note."""
    rng = random.Random(0)
    made: list[Exception] = []
    for number in range(1000):
        made += [
            ValueError(word(rng)),
            KeyError(number),
            OSError(2, "No such file or directory", word(rng)),
            RefusedError(word(rng), rng.randrange(600)),
        ]
        if number % 4 == 0:
            made[-1].add_note(word(rng))
    return made


@workload("applications")
def log_records() -> object:
    """2,000 records of logging, as QueueHandler and SocketHandler send them."""
    rng = random.Random(0)
    logger = logging.getLogger("benchmark")
    records = []
    for number in range(2000):
        record = logger.makeRecord(
            *(logger.name, rng.choice((logging.INFO, logging.ERROR)), "/srv/app.py", number),
            *("%s took %d ms", (word(rng), rng.randrange(1000)), None),
        )
        record.msg, record.args = record.getMessage(), None
        records.append(record)
    return records


@workload("applications")
def notebook_variables() -> object:
    """The variables that the cells of an analysis of scikit-learn's table of wines leave."""
    import numpy as np
    import pandas as pd
    from sklearn.datasets import load_wine
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.metrics import classification_report, confusion_matrix
    from sklearn.model_selection import KFold, train_test_split
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    seed = 7
    folder = PurePosixPath("data/wine")
    wine = load_wine(as_frame=True)
    frame = wine.frame.assign(origin=lambda table: wine.target_names[table["target"]])
    frame["strong"] = frame["alcohol"] > frame["alcohol"].median()
    summary = frame.groupby("origin").agg({"alcohol": ["mean", "std"], "hue": "median"})
    correlations = frame.select_dtypes("number").corr()
    strongest = correlations["target"].abs().sort_values(ascending=False).head(5)
    counts = collections.Counter(frame["origin"])
    bins = pd.cut(frame["alcohol"], 5)
    table = pd.crosstab(bins, frame["origin"])
    features = frame.drop(columns=["target", "origin", "strong"])
    train, test, train_target, test_target = train_test_split(
        features, frame["target"], random_state=seed
    )
    model = make_pipeline(
        StandardScaler(), RandomForestClassifier(n_estimators=20, random_state=seed)
    )
    model.fit(train, train_target)
    predicted = model.predict(test)
    matrix = confusion_matrix(test_target, predicted)
    report = classification_report(test_target, predicted, output_dict=True, zero_division=0)
    scores = [
        model.score(features.iloc[rows], frame["target"].iloc[rows])
        for _, rows in KFold(5, shuffle=True, random_state=seed).split(features)
    ]
    importances = dict(zip(features.columns, model[-1].feature_importances_, strict=True))
    grid = np.linspace(0, 1, 50)
    generator = np.random.default_rng(seed)
    samples = [generator.choice(frame["hue"], 20).mean() for _ in range(200)]
    add_one: Any = functools.partial(max, 1)
    variables: dict[str, object] = dict(locals())
    libraries = {"np", "pd", "load_wine", "RandomForestClassifier", "classification_report"}
    libraries |= {"confusion_matrix", "KFold", "train_test_split", "make_pipeline"}
    return {name: value for name, value in variables.items() if name not in libraries}
