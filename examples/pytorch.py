"""A checkpoint of PyTorch, written by quickpickle and read by plain `torch.load`.

pip install quickpickle torch
python examples/pytorch.py
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import torch

import quickpickle


def main() -> None:
    model = torch.nn.Linear(3, 4)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "model.pt")
        torch.save({"model": model.state_dict(), "step": 5}, path, pickle_module=quickpickle)
        checkpoint = torch.load(path)
    assert all(
        torch.equal(checkpoint["model"][key], model.state_dict()[key]) for key in model.state_dict()
    )
    print(f"step {checkpoint['step']}")


if __name__ == "__main__":
    main()
