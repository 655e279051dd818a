"""A table whose memory is not copied: its buffers stay out of the pickle (PEP 574).

pip install quickpickle pandas
python examples/buffers.py
"""

from __future__ import annotations

import pickle

import numpy as np
import pandas as pd

import quickpickle


def main() -> None:
    table = pd.DataFrame(np.arange(5_000_000.0).reshape(-1, 5), columns=list("abcde"))
    buffers: list[pickle.PickleBuffer] = []
    data = quickpickle.dumps(table, protocol=5, buffer_callback=buffers.append)
    copy = pickle.loads(data, buffers=buffers)
    assert copy.equals(table)
    assert np.shares_memory(copy.to_numpy(), table.to_numpy())
    size = sum(buffer.raw().nbytes for buffer in buffers)
    print(f"a pickle of less than {-(-len(data) // 1000)} kB, {size // 10**6} MB shared")


if __name__ == "__main__":
    main()
