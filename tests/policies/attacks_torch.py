"""Attacks by what the pickles of PyTorch consist of, which `Policy.torch()` refuses each.

Where nothing stops them, a tensor reads memory beside its storage, another pickle is loaded, or
functions that run code are reached. A storage of 16 bytes stands for each persistent id.
"""

from __future__ import annotations

from quickpickle.format import opcodes as op

from .attacks import HARM, STATE, proto, text
from .attacks_numpy import Code, built, called, get, name, put, value

ATTACKS: dict[str, bytes] = {}


def attack(name: str, *parts: bytes, version: int = 4) -> None:
    assert name not in ATTACKS, name
    ATTACKS[name] = proto(version, *parts)


STORAGE = Code(value(("storage", Code(name("torch.FloatStorage")), "0", "cpu", 4)) + op.BINPERSID)
HOOKS = called("collections.OrderedDict")


def tensor(
    offset: object = 0,
    size: object = (4,),
    strides: object = (1,),
    *rest: object,
    storage: Code = STORAGE,
) -> Code:
    rest = rest or (False, HOOKS)
    return called("torch._utils._rebuild_tensor_v2", storage, offset, size, strides, *rest)


for _name, _args in {
    "torch.load": ("/tmp/attack",),
    "torch.serialization.load": ("/tmp/attack",),
    "torch.storage._load_from_bytes": (b"\x80\2N.",),
    "torch.save": (1, "/tmp/attack"),
    "torch.hub.load": ("x", "y"),
    "torch.hub.load_state_dict_from_url": ("http://localhost",),
    "torch.hub.download_url_to_file": ("http://localhost", "/tmp/attack"),
    "torch.jit.load": ("/tmp/attack",),
    "torch.jit.script": (HARM,),
    "torch.jit.unsupported_tensor_ops.execWrapper": ("1", {}, {}),
    "torch.jit._script.CompilationUnit": ("x",),
    "torch._C._jit_compile": (),
    "torch.package.PackageImporter": ("/tmp/attack",),
    "torch.package.package_importer._patched_getattr": (),
    "torch.utils.cpp_extension.load_inline": ("x", "y"),
    "torch.utils.cpp_extension.load": ("x", "y"),
    "torch.utils._config_module.ConfigModule.load_config": (b"N.",),
    "torch.utils._config_module.load_config": (b"N.",),
    "torch.utils.bottleneck.__main__.run_cprofile": (HARM,),
    "torch.utils.bottleneck.__main__.run_autograd_prof": (HARM, {}),
    "torch.utils.collect_env.run": ("id",),
    "torch.utils.data.datapipes.utils.decoder.basichandlers": ("pickle", b"N."),
    "torch.utils.checkpoint.checkpoint": (),
    "torch.utils.mobile_optimizer.optimize_for_mobile": (),
    "torch._dynamo.guards.GuardBuilder.get": (HARM,),
    "torch._dynamo.compile": (),
    "torch._inductor.codecache.compile_file": ("/tmp/attack", "x", []),
    "torch._inductor.codecache.PyCodeCache.load": ("1",),
    "torch._inductor.utils.run_and_get_code": (),
    "torch.fx.experimental.symbolic_shapes.ShapeEnv.evaluate_guards_expression": (HARM, []),
    "torch.fx._symbolic_trace.wrap": (),
    "torch.fx.graph_module._forward_from_src": (HARM, {}),
    "torch.fx.graph_module.reduce_graph_module": ({}, ""),
    "torch.fx.graph_module._deserialize_graph_module": (),
    "torch.multiprocessing.spawn": (),
    "torch.multiprocessing.reductions.rebuild_storage_filename": (),
    "torch.multiprocessing.reductions.rebuild_cuda_tensor": (),
    "torch.distributed.rpc.api._run_function": (),
    "torch.distributed._shard.sharded_tensor.api.load": (),
    "torch.onnx.export": (),
    "torch.ops.load_library": ("/tmp/attack.so",),
    "torch.classes.load_library": ("/tmp/attack.so",),
    "torch.cuda.cudart": (),
    "torch.testing._internal.common_utils.run_tests": (),
    "torch.nn.Module": (),
    "torch.nn.modules.module.Module": (),
    "torch.nn.Linear": (10**6, 10**6),
    "torch.nn.modules.linear.Linear": (10**6, 10**6),
    "torch.empty": ((10**12,),),
    "torch.zeros": ((10**12,),),
    "torch.Tensor": ((10**12,),),
    "torch.FloatTensor": (10**12,),
    "torch.as_strided": (),
    "torch.from_file": ("/etc/passwd",),
    "torch.from_numpy": (),
    "torch.frombuffer": (b"x",),
    "torch.set_default_device": ("cpu",),
    "torch.manual_seed": (1,),
    "torch.UntypedStorage": (10**12,),
    "torch.storage.UntypedStorage": (10**12,),
    "torch.storage.TypedStorage": (10**12,),
    "torch.UntypedStorage.from_file": ("/etc/passwd", True, 100),
    "torch.FloatStorage": (10**12,),
    "torch.nn.parameter.Parameter": (),
    "torch.nn.parameter.UninitializedParameter": (),
    "torch._utils._rebuild_nested_tensor": (),
    "torch._utils._rebuild_sparse_tensor": (),
    "torch._utils._rebuild_sparse_csr_tensor": (),
    "torch._utils._rebuild_wrapper_subclass": (name("torch.Tensor"),),
    "torch._utils._rebuild_device_tensor_from_numpy": (),
    "torch._utils._rebuild_device_tensor_from_cpu_tensor": (),
    "torch._utils._rebuild_xla_tensor": (),
    "torch._utils._import_dotted_name": ("os.system",),
    "torch._utils._get_available_device_type": (),
    "torch._utils._set_obj_state": (STORAGE, {"x": 1}),
    "torch.serialization._get_layout": ("torch.strided",),
    "torch.nested._internal.nested_tensor._rebuild_njt": (),
    "torch.utils.data.dataset.ConcatDataset": ([],),
    "torchvision.datasets.folder.default_loader": ("/etc/passwd",),
    "numpy._core.multiarray._reconstruct": (name("numpy.ndarray"), (0,), b"b"),
}.items():
    attack(f"REDUCE {_name}", called(_name, *_args))
    attack(f"NEWOBJ {_name}", name(_name) + value(_args) + op.NEWOBJ)
    attack(f"OBJ {_name}", op.MARK + name(_name) + b"".join(map(value, _args)) + op.OBJ)
for _name in (
    *(
        "torch.Tensor",
        "torch.Size",
        "torch.device",
        "torch.nn.parameter.Parameter",
        "torch.float32",
    ),
    *("torch._utils._rebuild_tensor_v2", "torch.storage.TypedStorage", "torch.FloatStorage"),
):
    attack(f"BUILD of {_name}", name(_name) + STATE + op.BUILD)
    attack(f"BUILD of {_name}, slots", name(_name) + op.NONE + STATE + op.TUPLE2 + op.BUILD)
    attack(f"SETITEM of {_name}", name(_name) + text("x") + op.NONE + op.SETITEM)
for _name, _made in {
    "a tensor": tensor(),
    "a parameter": called("torch._utils._rebuild_parameter", tensor(), False, HOOKS),
    "a storage": STORAGE,
    "a size": called("torch.Size", (1,)),
    "a device": called("torch.device", "cpu"),
}.items():
    attack(f"BUILD of {_name}", _made + STATE + op.BUILD)
    attack(f"BUILD of {_name}, set_", _made + value((STORAGE, 1 << 40, (1,), (1,))) + op.BUILD)
    # CVE-2026-24747: SETITEM of what is no dict.
    attack(f"SETITEM of {_name}", _made + value(0) + value(1) + op.SETITEM)
    attack(f"SETITEMS of {_name}", _made + op.MARK + value(0) + value(1) + op.SETITEMS)
    attack(f"APPEND to {_name}", _made + value(1) + op.APPEND)
    attack(f"a call of {_name}", _made + value((1,)) + op.REDUCE)

for _name, _made in {
    "a place outside": tensor(1 << 40),
    "a place at the end": tensor(1),
    "a place before": tensor(-1),
    "a place of text": tensor("0"),
    "a size outside": tensor(0, (5,)),
    "a size far outside": tensor(0, (1 << 40,)),
    "a size that overflows": tensor(0, (1 << 32, 1 << 32, 1 << 32), (0, 0, 0)),
    "a negative size": tensor(0, (-1,)),
    "a size of text": tensor(0, ("4",)),
    "a size that is a list": tensor(0, [4]),
    "a size of a terabyte": tensor(0, (1 << 40,), (0,)),
    "a size of a terabyte beside none": tensor(0, (0, 1 << 60), (0, 0)),
    "strides outside": tensor(0, (2,), (1 << 40,)),
    "negative strides": tensor(3, (4,), (-1,)),
    "few strides": tensor(0, (2, 2), (1,)),
    "no strides": tensor(0, (4,), None),
    "hooks": tensor(
        0, (4,), (1,), False, called("collections.OrderedDict", [(0, name("torch.Size"))])
    ),
    "hooks in a dict": tensor(0, (4,), (1,), False, {0: name("torch.Size")}),
    "hooks in a list": tensor(0, (4,), (1,), False, []),
    "a text as requires_grad": tensor(0, (4,), (1,), "x", HOOKS),
    "metadata": tensor(0, (4,), (1,), False, HOOKS, {"attacked": 1}),
    "metadata of text": tensor(0, (4,), (1,), False, HOOKS, {"conj": "x"}),
    "a storage of bytes": tensor(storage=Code(value(b"x" * 16))),
    "a storage of a list": tensor(storage=Code(value([1, 2, 3, 4]))),
    "a storage that is a class": tensor(storage=name("torch.FloatStorage")),
    "a storage that is a tensor": tensor(storage=tensor()),
    "few values": called("torch._utils._rebuild_tensor_v2", STORAGE),
}.items():
    attack(f"a tensor with {_name}", _made)
attack(
    "a tensor whose hooks come later",
    put(HOOKS, 1)
    + put(tensor(0, (4,), (1,), True, get(1)), 2)
    + op.POP
    + get(1)
    + value(0)
    + name("torch.Size")
    + op.SETITEM,
)
attack("two tensors with the same hooks", put(HOOKS, 1) + tensor(0, (4,), (1,), True, get(1))
       + tensor(0, (4,), (1,), True, get(1)))  # fmt: skip
attack("an old tensor outside", called("torch._utils._rebuild_tensor", STORAGE, 9, (4,), (1,)))
for _name, _args in {
    "a larger dtype": (STORAGE, 0, (4,), (1,), False, HOOKS, name("torch.float64")),
    "a dtype of text": (STORAGE, 0, (4,), (1,), False, HOOKS, "float32"),
    "a place outside": (STORAGE, 9, (4,), (1,), False, HOOKS, name("torch.float32")),
}.items():
    attack(f"a tensor, version 3, with {_name}", called("torch._utils._rebuild_tensor_v3", *_args))
for _name, _given in {
    "an axis outside": (name("torch.per_channel_affine"), tensor(), tensor(), 9),
    "a negative axis": (name("torch.per_channel_affine"), tensor(), tensor(), -1),
    "few scales": (name("torch.per_channel_affine"), tensor(0, (2,)), tensor(0, (2,)), 0),
    "a list of scales": (name("torch.per_channel_affine"), [1.0] * 4, [0] * 4, 0),
    "a scheme of text": ("x", 1.0, 0),
    "a scale of text": (name("torch.per_tensor_affine"), "x", 0),
    "a large zero": (name("torch.per_tensor_affine"), 1.0, 1 << 60),
}.items():
    attack(
        f"a quantized tensor with {_name}",
        called("torch._utils._rebuild_qtensor", STORAGE, 0, (4,), (1,), _given, False, HOOKS),
    )
_meta = "torch._utils._rebuild_meta_tensor_no_storage"
attack("a meta tensor of petabytes", called(_meta, name("torch.float32"), (1 << 60,), (1,), False))
attack("a meta tensor of text", called(_meta, "float32", (1,), (1,), False))
for _name, _args in {
    "a list": ([1], False, HOOKS),
    "a storage": (STORAGE, False, HOOKS),
    "hooks": (tensor(), False, {0: name("torch.Size")}),
    "a text": (tensor(), "x", HOOKS),
}.items():
    attack(f"a parameter with {_name}", called("torch._utils._rebuild_parameter", *_args))
_with_state = "torch._utils._rebuild_parameter_with_state"
for _name, _given in {
    "a method": {"backward": name("torch.Size")},
    "data": {"data": tensor()},
    "grad": {"grad": 1},
    "hooks": {"_backward_hooks": {}},
    "a class": {"__class__": name("torch.Size")},
    "a number": {1: 1},
    "a list": [1],
    "slots": ({}, {"data": 1}),
}.items():
    attack(f"a parameter and {_name}", called(_with_state, tensor(), False, HOOKS, _given))
for _name, _args in {
    "a function that runs code": (name("torch.load"), name("torch.Tensor"), ("x",), {}),
    "a listed function": (name("collections.OrderedDict"), name("torch.Tensor"), (), {}),
    "itself": (name("torch._tensor._rebuild_from_type_v2"), name("torch.Tensor"), (), {}),
    "a place outside": (
        name("torch._utils._rebuild_tensor_v2"),
        *(name("torch.Tensor"), (STORAGE, 9, (4,), (1,), False, HOOKS), {}),
    ),
    "another type": (
        name("torch._utils._rebuild_tensor_v2"),
        *(name("torch.Size"), (STORAGE, 0, (4,), (1,), False, HOOKS), {}),
    ),
    "a method": (
        name("torch._utils._rebuild_tensor_v2"),
        *(name("torch.Tensor"), (STORAGE, 0, (4,), (1,), False, HOOKS), {"backward": 1}),
    ),
}.items():
    attack(f"a tensor of {_name}", called("torch._tensor._rebuild_from_type_v2", *_args))
for _name, _args in {
    "a size of texts": ("torch.Size", ("x",)),
    "a size of a range": ("torch.Size", called("builtins.range", 0, 10**12, 1)),
    "a device of text": ("torch.device", "x" * 1000),
    "a device of a number": ("torch.device", 1),
    "a device with more": ("torch.device", "cuda", 1 << 60),
}.items():
    attack(_name, called(*_args))  # type: ignore[arg-type]
for _name, _given in {
    "a method": {"keys": name("torch.Size")},
    "metadata of a list": {"_metadata": []},
    "metadata and more": {"_metadata": {}, "attacked": 1},
    "a list": [1],
}.items():
    attack(f"a state dict with {_name}", built(called("collections.OrderedDict"), _given))

# --- the same parts as they should be, which load: so the attacks are refused for what is wrong

HONEST: dict[str, bytes] = {
    _name: proto(4, _made)
    for _name, _made in {
        "a tensor": tensor(),
        "a part of a storage": tensor(1, (3,)),
        "a repeated tensor": tensor(0, (5, 4), (0, 1)),
        "an empty tensor": tensor(4, (0, 9), (9, 1)),
        "a parameter": called("torch._utils._rebuild_parameter", tensor(), False, HOOKS),
        "a parameter and a note": called(_with_state, tensor(), False, HOOKS, {"note": 1}),
        "a tensor, version 3": called(
            "torch._utils._rebuild_tensor_v3",
            *(STORAGE, 0, (4,), (1,), False, HOOKS, name("torch.int32")),
        ),
        "a meta tensor": called(_meta, name("torch.float32"), (1,), (1,), False),
        "a tensor with attributes": called(
            "torch._tensor._rebuild_from_type_v2",
            name("torch._utils._rebuild_tensor_v2"),
            *(name("torch.Tensor"), (STORAGE, 0, (4,), (1,), False, HOOKS), {"note": 1}),
        ),
        "a size": called("torch.Size", (1, 2)),
        "a device": called("torch.device", "cuda", 1),
        "a state dict": built(
            called("collections.OrderedDict"), {"_metadata": called("collections.OrderedDict")}
        ),
    }.items()
}
