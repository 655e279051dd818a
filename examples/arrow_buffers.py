"""A frame of Polars by way of Arrow: its columns stay out of the pickle, without a copy (PEP 574).

pip install quickpickle polars pyarrow
python examples/arrow_buffers.py
"""

from __future__ import annotations

import pickle

import polars as pl

import quickpickle


def main() -> None:
    frame = pl.DataFrame({"number": range(1_000_000), "value": [0.5] * 1_000_000})
    buffers: list[pickle.PickleBuffer] = []
    data = quickpickle.dumps(frame.to_arrow(), protocol=5, buffer_callback=buffers.append)
    copy = pl.from_arrow(pickle.loads(data, buffers=buffers))
    assert copy.equals(frame)
    shared = sum(buffer.raw().nbytes for buffer in buffers)
    print(f"a pickle of less than {len(data) // 1000 + 1} kB, {shared // 10**6} MB shared")


if __name__ == "__main__":
    main()
