"""A local class and functions of it, pickled by value: to a file, and to the workers of joblib.

pip install 'quickpickle[joblib]'
python examples/cloud.py
"""

from __future__ import annotations

import pickle
import subprocess
import sys
import tempfile
from pathlib import Path

import joblib
from joblib.externals.loky import set_loky_pickler

import quickpickle.cloud as cloudpickle


def main() -> None:
    class Account:
        def __init__(self, balance: float) -> None:
            self.balance = balance

    rate = 0.05
    add_interest = lambda account: Account(account.balance * (1 + rate))  # noqa: E731
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "function.pkl")
        cloudpickle.dump((add_interest, Account(100)), path)
        # Another process, with the standard library's pickle and no trace of this script.
        script = (
            "import pickle, sys\n"
            "function, account = pickle.load(open(sys.argv[1], 'rb'))\n"
            "print(f'{function(account).balance:.2f}')"
        )
        run = [sys.executable, "-c", script, str(path)]
        print(subprocess.run(run, check=True, capture_output=True, text=True).stdout, end="")
    assert pickle.loads(cloudpickle.dumps(add_interest))(Account(200)).balance == 210

    set_loky_pickler("quickpickle.cloud")
    jobs = (joblib.delayed(add_interest)(Account(i)) for i in range(100))
    accounts = joblib.Parallel(n_jobs=2)(jobs)
    print(f"{sum(account.balance for account in accounts):.2f}")


if __name__ == "__main__":
    main()
