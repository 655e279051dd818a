"""A state dict under `Policy.torch()` beside `torch.load(weights_only=True)`, which restricts too.

    python benchmarks/torch_policies.py [--rounds 9]

All take turns in one process and read the same file from memory. PyTorch is in no extra.
"""

from __future__ import annotations

import argparse
import io
from collections.abc import Callable
from functools import partial
from time import perf_counter
from types import SimpleNamespace
from typing import Any

import torch

import quickpickle
from quickpickle import Policy
from quickpickle.cli import timing


class Unpickler(quickpickle.Unpickler):
    def __init__(self, file: Any, **options: Any) -> None:
        super().__init__(file, policy=Policy.torch(), **options)


MODULE = SimpleNamespace(
    Unpickler=Unpickler,
    load=partial(quickpickle.load, policy=Policy.torch()),
    __name__="quickpickle",
)


def models() -> dict[str, Any]:
    def layers(count: int, width: int) -> Any:
        return torch.nn.Sequential(*(torch.nn.Linear(width, width) for _ in range(count)))

    return {
        "1,000 tensors of 64 numbers": layers(500, 8).state_dict(),
        "200 tensors, 100 MB": layers(100, 512).state_dict(),
        "a checkpoint with Adam": checkpoint(layers(200, 32)),
    }


def checkpoint(model: Any) -> dict[str, Any]:
    optimizer = torch.optim.Adam(model.parameters())
    model(torch.zeros(1, 32)).sum().backward()
    optimizer.step()
    return {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "epoch": 3}


def sides(data: bytes) -> dict[str, Callable[[], Any]]:
    return {
        "unrestricted": lambda: torch.load(io.BytesIO(data), weights_only=False),
        "weights_only": lambda: torch.load(io.BytesIO(data), weights_only=True),
        "Policy.torch": lambda: torch.load(
            io.BytesIO(data), weights_only=False, pickle_module=MODULE
        ),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    options = parser.parse_args()
    torch.set_num_threads(1)
    print(f"torch {torch.__version__}; ms, the least of {options.rounds} rounds")
    for name, model in models().items():
        file = io.BytesIO()
        torch.save(model, file)
        functions = sides(file.getvalue())
        best = dict.fromkeys(functions, float("inf"))
        for round_ in range(options.rounds):
            for side in timing.in_turn(list(functions), round_):
                began = perf_counter()
                functions[side]()
                best[side] = min(best[side], perf_counter() - began)
        shown = ", ".join(f"{side} {seconds * 1e3:.1f}" for side, seconds in best.items())
        print(f"{name}: {shown}")


if __name__ == "__main__":
    main()
