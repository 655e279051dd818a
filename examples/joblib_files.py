"""A model written by quickpickle, whole or not at all and compressed, and read by joblib.

pip install 'quickpickle[joblib]' scikit-learn
python examples/joblib_files.py
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import joblib
import numpy as np
from sklearn.linear_model import LinearRegression

import quickpickle


def main() -> None:
    features = np.arange(20.0).reshape(-1, 2)
    model = LinearRegression().fit(features, features.sum(axis=1))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "model.pkl.gz")
        quickpickle.dump(model, path)
        copy = joblib.load(path)
    print(f"1 + 2 = {copy.predict([[1, 2]])[0]:.2f}")


if __name__ == "__main__":
    main()
