"""The names of `Policy.torch()`: what `torch.load(weights_only=True)` takes, as far as it can be
checked here.

A tensor is a view of a storage, which comes from `persistent_load`: it has to lie inside. Hooks are
empty and stay so. Left out are sparse tensors, whose indices may not have been read yet when the
pickle is, nested tensors, tensors from NumPy, subclasses, and the old forms in which BUILD gives
a tensor its storage.
"""

from __future__ import annotations

import re
import sys
from collections import OrderedDict
from collections.abc import Callable
from math import prod
from typing import Any, Final

from ..policy_names import PLAIN, Rule
from ..policy_objects import full_name
from .states import called, words

_MOST_DIMENSIONS: Final = 64


def _torch() -> Any:
    """The module. A name of it was found already."""
    return sys.modules["torch"]


def _is_sizes(guard: Any, value: Any) -> bool:
    """Lengths, strides: not negative, and less than what overflows."""
    return (
        (type(value) is tuple or type(value) is _torch().Size)
        and len(value) <= _MOST_DIMENSIONS
        and all(type(number) is int and 0 <= number < 1 << 62 for number in value)
    )


def _extent_complaint(guard: Any, size: Any, strides: Any, offset: Any, item: int) -> str | None:
    if not _is_sizes(guard, size) or not _is_sizes(guard, strides) or len(size) != len(strides):
        return "a size or strides that are none"
    if type(offset) is not int or not 0 <= offset < 1 << 62:
        return "a place that is none"
    # With strides of 0 a tensor has more values than its storage.
    if prod(max(length, 1) for length in size) * item > min(guard.policy.limits.memory, 1 << 62):
        return "a size larger than the memory that the policy allows"
    return None


def _view_complaint(
    guard: Any, storage: Any, offset: Any, size: Any, strides: Any, dtype: Any = None
) -> str | None:
    """The complaint about a tensor as a view of a storage; None for none."""
    if full_name(type(storage)) != "torch.storage.TypedStorage":
        return "a storage that is none"
    if dtype is None:
        dtype = storage.dtype
    if type(dtype) is not _torch().dtype:
        return "a dtype that is none"
    complaint = _extent_complaint(guard, size, strides, offset, dtype.itemsize)
    if complaint is not None:
        return complaint
    last = offset
    if 0 not in size:
        last += 1 + sum((n - 1) * stride for n, stride in zip(size, strides, strict=True))
    if last * dtype.itemsize > storage._untyped_storage.nbytes():
        return "a view that is larger than its storage"
    return None


def _hooks_complaint(guard: Any, requires_grad: Any, hooks: Any) -> str | None:
    if type(requires_grad) is not bool:
        return "expected a bool"
    if hooks is None:
        return None
    if type(hooks) is not OrderedDict or hooks or guard.is_foreign(hooks):
        return "hooks"
    guard.foreign(hooks)  # nothing is put into them later
    return None


def _is_metadata(value: Any) -> bool:
    return value is None or (
        type(value) is dict
        and all(type(key) is str and key in ("conj", "neg") for key in value)
        and all(type(flag) is bool for flag in value.values())
    )


def _tensor(guard: Any, args: tuple[Any, ...]) -> str | None:
    """_rebuild_tensor(storage, offset, size, stride)"""
    if len(args) != 4:
        return "expected a storage, a place, a size and strides"
    return _view_complaint(guard, *args)


def _tensor2(guard: Any, args: tuple[Any, ...]) -> str | None:
    """_rebuild_tensor_v2(storage, offset, size, stride, requires_grad, hooks[, metadata])"""
    if len(args) not in (6, 7) or not _is_metadata(args[6] if len(args) == 7 else None):
        return "expected a storage, a place, a size, strides, a bool and no hooks"
    complaint = _view_complaint(guard, *args[:4])
    return _hooks_complaint(guard, *args[4:6]) if complaint is None else complaint


def _tensor3(guard: Any, args: tuple[Any, ...]) -> str | None:
    """_rebuild_tensor_v3(storage, offset, size, stride, requires_grad, hooks, dtype[, metadata])"""
    if len(args) not in (7, 8) or not _is_metadata(args[7] if len(args) == 8 else None):
        return "expected a storage, a place, a size, strides, a bool, no hooks and a dtype"
    if type(args[6]) is not _torch().dtype:
        return "a dtype that is none"
    complaint = _view_complaint(guard, args[0], args[1], args[2], args[3], args[6])
    return _hooks_complaint(guard, *args[4:6]) if complaint is None else complaint


def _quantized(guard: Any, args: tuple[Any, ...]) -> str | None:
    """_rebuild_qtensor(storage, offset, size, stride, parameters, requires_grad, hooks)"""
    if len(args) != 7 or type(args[4]) is not tuple or len(args[4]) not in (3, 4):
        return "expected a storage, a place, a size, strides, parameters, a bool and no hooks"
    complaint = _view_complaint(guard, *args[:4])
    if complaint is not None:
        return complaint
    torch = _torch()
    scheme, scales, zeros = args[4][:3]
    if scheme is torch.per_tensor_affine:
        if len(args[4]) != 3 or type(scales) is not float or not _is_zero_point(zeros):
            return "a scale or a zero that are none"
    elif scheme in (torch.per_channel_affine, torch.per_channel_affine_float_qparams):
        axis = args[4][3] if len(args[4]) == 4 else None
        if type(axis) is not int or not 0 <= axis < len(args[2]):
            return "an axis that is none"
        for part in (scales, zeros):
            if type(part) is not torch.Tensor or tuple(part.shape) != (args[2][axis],):
                return "scales or zeros that are none"
    else:
        return "another scheme"
    return _hooks_complaint(guard, *args[5:7])


def _is_zero_point(value: Any) -> bool:
    return type(value) is int and -(1 << 31) <= value < 1 << 31


def _meta_tensor(guard: Any, args: tuple[Any, ...]) -> str | None:
    """_rebuild_meta_tensor_no_storage(dtype, size, stride, requires_grad)"""
    if len(args) != 4 or type(args[0]) is not _torch().dtype or type(args[3]) is not bool:
        return "expected a dtype, a size, strides and a bool"
    return _extent_complaint(guard, args[1], args[2], 0, args[0].itemsize)


def _parameter(guard: Any, args: tuple[Any, ...]) -> str | None:
    """_rebuild_parameter(tensor, requires_grad, hooks)"""
    if len(args) != 3 or not _is_tensor(args[0]):
        return "expected a tensor, a bool and no hooks"
    return _hooks_complaint(guard, *args[1:])


def _parameter_with_state(guard: Any, args: tuple[Any, ...]) -> str | None:
    if len(args) != 4:
        return "expected a tensor, a bool, no hooks and a state"
    complaint = _parameter(guard, args[:3])
    return _state_complaint(args[3]) if complaint is None else complaint


def _is_tensor(value: Any) -> bool:
    torch = _torch()
    return type(value) is torch.Tensor or type(value) is torch.nn.parameter.Parameter


def _state_complaint(state: Any) -> str | None:
    """Attributes that a tensor does not have itself, as those are set with setattr()."""
    if type(state) is tuple and len(state) == 2 and state[1] in (None, {}):
        state = state[0]
    if type(state) is not dict:
        return "attributes that are no dict"
    cls = _torch().nn.parameter.Parameter
    for key in state:
        if type(key) is not str or key.startswith("_") or hasattr(cls, key):
            return "an attribute that every tensor has"
    return None


def _from_type(guard: Any, args: tuple[Any, ...]) -> str | None:
    """_rebuild_from_type_v2(function, type, arguments, state): tensors with attributes."""
    if len(args) != 4 or type(args[2]) is not tuple:
        return "expected a function, a type, arguments and a state"
    check = _FROM_TYPE.get(guard.name_of(args[0]) or "")
    if check is None:
        return "a function that makes no tensor"
    torch = _torch()
    if args[1] is not torch.Tensor and args[1] is not torch.nn.parameter.Parameter:
        return "another type"
    complaint = check(guard, args[2])
    return _state_complaint(args[3]) if complaint is None else complaint


def _size(guard: Any, args: tuple[Any, ...]) -> str | None:
    if len(args) == 1 and type(args[0]) in (tuple, list) and _is_sizes(guard, tuple(args[0])):
        return None
    return "expected lengths"


_DEVICE: Final = re.compile(r"[a-z]{1,20}(?::[0-9]{1,3})?", re.ASCII)


def _device(guard: Any, args: tuple[Any, ...]) -> str | None:
    if (
        1 <= len(args) <= 2
        and type(args[0]) is str
        and _DEVICE.fullmatch(args[0])
        and all(type(arg) is int and 0 <= arg < 128 for arg in args[1:])
    ):
        return None
    return "expected the name of a device, and a number"


def _metadata_of_states(guard: Any, obj: Any, state: Any) -> str | None:
    """That of a state dict, which is an OrderedDict with an attribute."""
    if (
        type(state) is dict
        and list(state) == ["_metadata"]
        and type(state["_metadata"]) in (OrderedDict, dict)
    ):
        return None
    return "expected the metadata of a state dict"


# --- names

_NAMED: Final = Rule()


_FROM_TYPE: Final[dict[str, Callable[[Any, tuple[Any, ...]], str | None]]] = {
    "torch._utils._rebuild_tensor_v2": _tensor2,
    "torch._utils._rebuild_tensor_v3": _tensor3,
    "torch._utils._rebuild_parameter": _parameter,
    "torch._utils._rebuild_qtensor": _quantized,
    "torch._utils._rebuild_meta_tensor_no_storage": _meta_tensor,
}

_DTYPES: Final = words(
    "bool uint8 int8 int16 int32 int64 uint16 uint32 uint64 float16 float32 float64 bfloat16"
    " complex32 complex64 complex128 qint8 qint32 quint8 quint4x2 quint2x4 float8_e4m3fn"
    " float8_e4m3fnuz float8_e5m2 float8_e5m2fnuz float8_e8m0fnu"
)
_STORAGES: Final = [
    f"{kind}Storage"
    for kind in words(
        "Double Float Half BFloat16 Long Int Short Char Byte Bool ComplexDouble ComplexFloat"
        " QInt8 QInt32 QUInt8 QUInt4x2 QUInt2x4"
    )
]

NAMES: Final[dict[str, Rule]] = {
    **{name: called(check) for name, check in _FROM_TYPE.items()},
    "torch._utils._rebuild_tensor": called(_tensor),
    "torch._utils._rebuild_parameter_with_state": called(_parameter_with_state),
    "torch._tensor._rebuild_from_type_v2": called(_from_type),
    "torch.Size": called(_size),
    "torch.device": called(_device),
    "torch.Tensor": _NAMED,
    "torch._tensor.Tensor": _NAMED,
    "torch.nn.parameter.Parameter": _NAMED,
    "torch.storage.UntypedStorage": _NAMED,
    "torch.storage.TypedStorage": _NAMED,
    **{f"torch.{name}": _NAMED for name in _DTYPES},
    **{f"torch.{name}": _NAMED for name in _STORAGES},
    **{f"torch.cuda.{name}": _NAMED for name in _STORAGES if not name.startswith("Q")},
    **{
        f"torch.{name}": _NAMED
        for name in ("per_tensor_affine", "per_channel_affine", "per_channel_affine_float_qparams")
    },
    "collections.OrderedDict": PLAIN["collections.OrderedDict"]._replace(built=_metadata_of_states),
}
"""The names of `Policy.torch()`, beside those of `Policy.plain()`."""
