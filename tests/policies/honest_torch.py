"""Values of PyTorch, which `torch.load` reads under `Policy.torch()`."""

from __future__ import annotations

import io
from collections.abc import Callable
from functools import partial
from types import ModuleType, SimpleNamespace
from typing import Any

import torch

from quickpickle import Policy

KINDS = "float32 float64 float16 bfloat16 int8 int16 int32 int64 uint8 bool complex64 complex128"


def tensors() -> list[Any]:
    base = torch.arange(24).reshape(4, 6)
    return [
        *(torch.ones(2, 3, dtype=getattr(torch, kind)) for kind in KINDS.split()),
        *(base, base.T, base[1:3, ::2], base.expand(2, 4, 6), base[0, 0], torch.empty(0, 3)),
        torch.ones(3, requires_grad=True),
        torch.ones(3, dtype=torch.complex64).conj(),
        torch.ones(2, 3, device="meta"),
        torch.quantize_per_tensor(torch.ones(3), 0.5, 1, torch.qint8),
        torch.quantize_per_channel(
            torch.ones(2, 3), torch.tensor([0.5, 1]), torch.tensor([0, 1]), 0, torch.quint8
        ),
        torch.nn.Parameter(torch.ones(2)),
        torch.ones(2).to(torch.float8_e4m3fn),
        torch.ones(3, dtype=torch.uint16),
    ]


def values() -> list[Any]:
    model = torch.nn.Sequential(
        *(torch.nn.Conv2d(1, 2, 3), torch.nn.BatchNorm2d(2), torch.nn.Flatten(), torch.nn.ReLU()),
        *(torch.nn.Linear(8, 4), torch.nn.LSTM(4, 3), torch.nn.Embedding(5, 2)),
        torch.nn.MultiheadAttention(4, 2),
    )
    small = torch.nn.Linear(2, 1)
    optimizer = torch.optim.Adam(small.parameters())
    small(torch.ones(2)).backward()
    optimizer.step()
    noted = torch.ones(2)
    noted.note = "x"
    noted_parameter = torch.nn.Parameter(torch.ones(2))
    noted_parameter.note = [1]
    return [
        *tensors(),
        model.state_dict(),
        {"model": small.state_dict(), "optimizer": optimizer.state_dict(), "epoch": 3},
        [torch.float32, torch.Size([1, 2]), torch.device("cpu"), torch.device("cuda", 1)],
        {"shared": [torch.ones(3)] * 2},
        noted,
        noted_parameter,
    ]


NOT_IN_OLD_FILES = (torch.float8_e4m3fn, torch.uint16)
"""PyTorch itself does not read tensors of these kinds, where it has saved them without zip."""


def saved(value: Any, *, is_zip: bool = True, protocol: int = 2) -> bytes:
    file = io.BytesIO()
    torch.save(value, file, pickle_protocol=protocol, _use_new_zipfile_serialization=is_zip)
    return file.getvalue()


def loaded(data: bytes, implementation: ModuleType, policy: Policy) -> Any:
    """By torch.load, with Unpicklers under the policy."""

    class Unpickler(implementation.Unpickler):  # type: ignore[name-defined, misc]
        def __init__(self, file: Any, **options: Any) -> None:
            super().__init__(file, policy=policy, **options)

    load: Callable[..., Any] = partial(implementation.load, policy=policy)
    module = SimpleNamespace(Unpickler=Unpickler, load=load, __name__="quickpickle")
    return torch.load(io.BytesIO(data), weights_only=False, pickle_module=module)


def same(one: Any, other: Any) -> bool:
    assert type(one) is type(other)
    if isinstance(one, torch.Tensor):
        assert one.dtype == other.dtype
        assert one.stride() == other.stride()
        assert one.requires_grad == other.requires_grad
        assert getattr(one, "note", None) == getattr(other, "note", None)
        if one.is_meta:
            return bool(one.shape == other.shape)
        if one.is_quantized:
            return bool(torch.equal(one.dequantize(), other.dequantize()))
        if one.dtype is torch.float8_e4m3fn:
            one, other = one.float(), other.float()
        return bool(torch.equal(one, other))
    if isinstance(one, dict):
        assert getattr(one, "_metadata", None) == getattr(other, "_metadata", None)
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    return bool(one == other)


def loads(implementation: ModuleType, data: bytes, policy: Policy) -> Any:
    """A pickle in which a persistent id stands for a storage of 16 bytes."""

    class Unpickler(implementation.Unpickler):  # type: ignore[name-defined, misc]
        def persistent_load(self, pid: Any) -> Any:
            return torch.storage.TypedStorage(
                wrap_storage=torch.UntypedStorage(16), dtype=torch.float32, _internal=True
            )

    return Unpickler(io.BytesIO(data), policy=policy).load()


def use(value: Any) -> None:
    """Use a value as programs do: a wrong one ends the interpreter here, if anywhere."""
    repr(value)
    if isinstance(value, torch.Tensor):
        value.sum()
        value.clone()
        value.tolist()
