"""Pickles that do harm where nothing stops them, each written by hand, by what they try.

`ATTACKS` has pairs of a name and a pickle. `Policy.plain()` refuses each of them.
"""

from __future__ import annotations

import pickle
import struct

from quickpickle.format import opcodes as op

ATTACKS: dict[str, bytes] = {}


def text(value: str) -> bytes:
    data = value.encode()
    return op.BINUNICODE + struct.pack("<I", len(data)) + data


def number(value: int) -> bytes:
    data = pickle.encode_long(value)
    return op.LONG1 + bytes([len(data)]) + data


def glob(full: str) -> bytes:
    """By GLOBAL; the name is what comes after the last dot, or after a colon."""
    module, _, name = full.partition(":") if ":" in full else full.rpartition(".")
    return op.GLOBAL + f"{module}\n{name}\n".encode()


def stack_global(full: str) -> bytes:
    module, _, name = full.partition(":") if ":" in full else full.rpartition(".")
    return text(module) + text(name) + op.STACK_GLOBAL


def call(function: bytes, *args: bytes) -> bytes:
    return function + op.MARK + b"".join(args) + op.TUPLE + op.REDUCE


def proto(version: int, *parts: bytes) -> bytes:
    return op.PROTO + bytes([version]) + b"".join(parts) + op.STOP


def attack(name: str, *parts: bytes, version: int = 4) -> None:
    assert name not in ATTACKS, name
    ATTACKS[name] = proto(version, *parts)


HARM = text("the attack has run")

# --- names: functions that run code, by each of the opcodes that name and call

DANGEROUS = {
    "os.system": (HARM,),
    "posix.system": (HARM,),
    "os.popen": (HARM,),
    "subprocess.Popen": (HARM,),
    "subprocess.check_output": (HARM,),
    "builtins.eval": (HARM,),
    "builtins.exec": (HARM,),
    "builtins.compile": (HARM, HARM, text("exec")),
    "builtins.__import__": (text("antigravity"),),
    "builtins.open": (text("/tmp/attack"), text("w")),
    "builtins.breakpoint": (),
    "builtins.globals": (),
    "builtins.vars": (),
    "builtins.setattr": (glob("builtins.int"), text("real"), number(1)),
    "builtins.delattr": (glob("builtins.int"), text("real")),
    "builtins.type": (text("Made"), op.EMPTY_TUPLE, op.EMPTY_DICT),
    "builtins.map": (glob("builtins.int"), op.EMPTY_LIST),
    "builtins.super": (),
    "builtins.property": (glob("builtins.int"),),
    "builtins.memoryview": (op.SHORT_BINBYTES + b"\0",),
    "builtins.input": (),
    "importlib.import_module": (text("antigravity"),),
    "pkgutil.resolve_name": (text("os:system"),),
    "pydoc.locate": (text("os.system"),),
    "runpy.run_path": (HARM,),
    "operator.attrgetter": (text("__class__"),),
    "operator.methodcaller": (text("system"), HARM),
    "operator.itemgetter": (number(1),),
    "operator.mul": (text("x"), number(10**12)),
    "operator.concat": (text("x"), text("y")),
    "functools.partial": (glob("builtins.int"), text("1")),
    "functools.reduce": (glob("builtins.int"), op.EMPTY_LIST, number(1)),
    "itertools.repeat": (number(1), number(10**12)),
    "itertools.starmap": (glob("builtins.int"), op.EMPTY_LIST),
    "collections.namedtuple": (text("Made"), text("a b")),
    "collections.UserDict": (),
    "types.FunctionType": (op.NONE, op.EMPTY_DICT),
    "types.CodeType": (),
    "types.SimpleNamespace": (),
    "types.ModuleType": (text("made"),),
    "types.MethodType": (glob("builtins.int"), number(1)),
    "marshal.loads": (op.SHORT_BINBYTES + b"\1N",),
    "pickle.loads": (op.SHORT_BINBYTES + b"\2N.",),
    "_pickle.loads": (op.SHORT_BINBYTES + b"\2N.",),
    "quickpickle.loads": (op.SHORT_BINBYTES + b"\2N.",),
    "shelve.open": (text("/tmp/attack"),),
    "ctypes.CDLL": (text("libc.so.6"),),
    "code.interact": (),
    "pdb.run": (HARM,),
    "timeit.timeit": (HARM,),
    "cProfile.run": (HARM,),
    "doctest.debug_script": (HARM,),
    "webbrowser.open": (text("http://localhost"),),
    "socket.socket": (),
    "socket.create_connection": (),
    "urllib.request.urlopen": (text("file:///etc/passwd"),),
    "tempfile.mkdtemp": (),
    "shutil.rmtree": (text("/tmp/attack"),),
    "io.open": (text("/tmp/attack"), text("w")),
    "io.FileIO": (text("/tmp/attack"), text("w")),
    "linecache.getline": (text("/etc/passwd"), number(1)),
    "fileinput.input": (text("/etc/passwd"),),
    "sys.exit": (),
    "sys.settrace": (op.NONE,),
    "signal.raise_signal": (number(15),),
    "threading.Thread": (op.NONE, glob("builtins.int")),
    "_thread.start_new_thread": (glob("builtins.int"), op.EMPTY_TUPLE),
    "atexit.register": (glob("builtins.int"),),
    "weakref.finalize": (glob("builtins.int"), glob("builtins.int")),
    "gc.get_objects": (),
    "gc.get_referrers": (op.EMPTY_LIST,),
    "inspect.getattr_static": (glob("builtins.int"), text("real")),
    "logging.config.dictConfig": (op.EMPTY_DICT,),
    "logging.config.listen": (),
    "multiprocessing.Process": (),
    "asyncio.create_subprocess_shell": (HARM,),
    "typing.get_type_hints": (glob("builtins.int"),),
    "dataclasses.make_dataclass": (text("Made"), op.EMPTY_LIST),
    "copyreg.add_extension": (text("os"), text("system"), number(200)),
    "copyreg.pickle": (glob("builtins.int"), glob("builtins.str")),
    "copyreg.constructor": (glob("builtins.int"),),
    "codecs.decode": (op.SHORT_BINBYTES + b"\0", text("zip")),
    "_codecs.decode": (op.SHORT_BINBYTES + b"\0", text("zip")),
    "encodings.search_function": (text("zip"),),
    "zipimport.zipimporter": (text("/tmp/attack.zip"),),
    "ensurepip.bootstrap": (),
    "venv.create": (text("/tmp/attack"),),
    "idlelib.pyshell.main": (),
    "test.support.script_helper.assert_python_ok": (),
    "unittest.mock._importer": (text("antigravity"),),
    "distutils.file_util.write_file": (text("/tmp/attack"), op.EMPTY_LIST),
    "uuid._get_command_stdout": (text("id"),),
    "bdb.Bdb.run": (),
    "ssl.get_server_certificate": (),
    "numpy.f2py.crackfortran.getlincoef": (HARM, op.EMPTY_DICT),
    "numpy.testing._private.utils.runstring": (HARM, op.EMPTY_DICT),
    "pandas.eval": (HARM,),
    "torch._inductor.codecache.compile_file": (HARM,),
    "torch.hub.load": (HARM,),
    "torch.serialization.load": (HARM,),
    "torch.utils.bottleneck.__main__.run_cprofile": (HARM,),
    "cloudpickle.loads": (op.SHORT_BINBYTES + b"\2N.",),
    "joblib.load": (text("/tmp/attack"),),
    "zoneinfo.ZoneInfo": (text("Europe/Berlin"),),
    "string.Formatter": (),
    "re.compile": (text("(a+)+$"),),
    "ast.literal_eval": (text("1"),),
    "json.loads": (text("[]"),),
    "xml.dom.minidom.parseString": (text("<a/>"),),
    "sqlite3.connect": (text("/tmp/attack"),),
    "random.Random": (),
    "decimal.setcontext": (op.NONE,),
    "decimal.Context": (),
    "datetime.datetime.now": (),
    "array.array": (text("b"), number(10**12)),
    "mmap.mmap": (),
    "struct.Struct": (text("1000000000s"),),
    "time.sleep": (number(10**6),),
}

for _name, _args in DANGEROUS.items():
    attack(f"REDUCE {_name}", call(stack_global(_name), *_args))
    attack(f"GLOBAL {_name}", call(glob(_name), *_args), version=2)
    attack(f"OBJ {_name}", op.MARK + stack_global(_name) + b"".join(_args) + op.OBJ)
    attack(
        f"INST {_name}",
        op.MARK
        + b"".join(_args)
        + op.INST
        + "\n".join(_name.rpartition(".")[::2]).encode()
        + b"\n",
    )
    attack(f"NEWOBJ {_name}", stack_global(_name) + op.EMPTY_TUPLE + op.NEWOBJ)
    attack(f"named only {_name}", stack_global(_name))

# --- what is harmless to import by name, reached or named in other ways

for _name, _parts in {
    "dotted through a module": stack_global("collections:abc.sys.modules"),
    "dotted to a function": stack_global("uuid:os.system"),
    "dotted through a class": stack_global("collections:OrderedDict.__init__.__globals__"),
    "a method of a listed class": stack_global("builtins:bytes.join"),
    "a class method": stack_global("builtins:int.from_bytes"),
    "a class attribute": stack_global("datetime:datetime.__class__"),
    "a module": stack_global("decimal:sys"),
    "a package": stack_global("os:path"),
    "a function that was imported": stack_global("uuid:bytes_"),
    "a dict of a module": stack_global("builtins:__dict__"),
    "__builtins__": stack_global("decimal:__builtins__"),
    "an empty name": text("") + text("") + op.STACK_GLOBAL,
    "an empty attribute": text("builtins") + text("") + op.STACK_GLOBAL,
    "a trailing dot": text("builtins") + text("set.") + op.STACK_GLOBAL,
    "a leading dot": text("builtins") + text(".set") + op.STACK_GLOBAL,
    "spaces": text("builtins ") + text("set") + op.STACK_GLOBAL,
    "another script": text("builtins") + text("\u0455et") + op.STACK_GLOBAL,
    "a wide letter": text("builtins") + text("\uff53et") + op.STACK_GLOBAL,
    "a null byte": text("builtins\0") + text("set") + op.STACK_GLOBAL,
    "upper case": text("Builtins") + text("set") + op.STACK_GLOBAL,
    "a relative module": text(".builtins") + text("set") + op.STACK_GLOBAL,
    "the main module": text("__main__") + text("set") + op.STACK_GLOBAL,
    "a name with a slash": text("collections/abc") + text("set") + op.STACK_GLOBAL,
}.items():
    attack(_name, _parts)
for _version in (0, 1, 2):
    for _name in (
        "__builtin__.eval",
        "__builtin__.apply",
        "__builtin__.execfile",
        "__builtin__.getattr",
        "__builtin__.unicode",
        "__builtin__.file",
        "commands.getoutput",
        "exceptions.OSError",
        "urllib2.urlopen",
        "UserDict.UserDict",
        "itertools.imap",
        "os.getcwdu",
        "whichdb.whichdb",
    ):
        attack(f"{_name}, protocol {_version}", call(glob(_name), HARM), version=_version)
        attack(
            f"INST of {_name}, protocol {_version}",
            op.MARK + HARM + op.INST + "\n".join(_name.rpartition(".")[::2]).encode() + b"\n",
            version=_version,
        )
attack("EXT1", op.EXT1 + b"\xf0")
attack("EXT2", op.EXT2 + b"\xf0\0")
attack("EXT4", op.EXT4 + b"\xf0\0\0\0")
attack("EXT4, negative", op.EXT4 + b"\xff\xff\xff\xff")
attack("EXT1, called", call(op.EXT1 + b"\xf0", HARM))

# --- calls hidden where scanners do not look

attack("behind POP", call(stack_global("os.system"), HARM) + op.POP + op.NONE)
attack("behind POP_MARK", op.MARK + call(stack_global("os.system"), HARM) + op.POP_MARK + op.NONE)
attack("a key", op.EMPTY_DICT + call(stack_global("os.system"), HARM) + op.NONE + op.SETITEM)
attack("an argument", call(stack_global("builtins.set"), call(glob("os.system"), HARM)))
attack("a persistent id", call(stack_global("os.system"), HARM) + op.BINPERSID)
attack("below a mark", call(stack_global("os.system"), HARM) + op.MARK + op.NONE + op.POP_MARK)
attack("from the memo", stack_global("os.system") + op.BINPUT + b"\1" + op.POP + call(b"h\1", HARM))
attack(
    "a name from the memo",
    text("os") + b"q\1" + text("system") + b"q\2" + b"00h\1h\2" + op.STACK_GLOBAL + HARM + b"\x85R",
)
attack("by DUP", text("os") + text("system") + op.STACK_GLOBAL + op.DUP + HARM + b"\x85R")

# --- listed names with other arguments

for _name, _parts in {
    "bytes of a size": call(glob("builtins.bytes"), number(10**12)),
    "bytes of a text": call(glob("builtins.bytes"), text("x"), text("utf-32")),
    "bytearray of a size": call(glob("builtins.bytearray"), number(10**12)),
    "bytearray of a range": call(
        glob("builtins.bytearray"), call(glob("builtins.range"), number(0), number(9), number(1))
    ),
    "bytearray by another encoding": call(glob("builtins.bytearray"), text("x"), text("idna")),
    "encode by another encoding": call(glob("_codecs.encode"), text("x"), text("idna")),
    "encode by a codec of bytes": call(glob("_codecs.encode"), text("x"), text("zip")),
    "encode with errors": call(glob("_codecs.encode"), text("x"), text("latin1"), text("strict")),
    "encode of bytes": call(glob("_codecs.encode"), op.SHORT_BINBYTES + b"\0", text("latin1")),
    "list of a range": call(
        glob("builtins.list"), call(glob("builtins.range"), *map(number, (0, 10**12, 1)))
    ),
    "tuple of a range": call(
        glob("builtins.tuple"), call(glob("builtins.range"), *map(number, (0, 10**12, 1)))
    ),
    "set of a range": call(
        glob("builtins.set"), call(glob("builtins.range"), *map(number, (0, 10**12, 1)))
    ),
    "frozenset of a range": call(
        glob("builtins.frozenset"), call(glob("builtins.range"), *map(number, (0, 10**12, 1)))
    ),
    "deque of a range": call(
        glob("collections.deque"), call(glob("builtins.range"), *map(number, (0, 10**12, 1)))
    ),
    "deque of a range, and a length": call(
        glob("collections.deque"),
        call(glob("builtins.range"), *map(number, (0, 10**12, 1))),
        number(1),
    ),
    "Counter of a range": call(
        glob("collections.Counter"), call(glob("builtins.range"), *map(number, (0, 10**12, 1)))
    ),
    "Counter of a text": call(glob("collections.Counter"), text("x" * 100)),
    "OrderedDict of a range": call(
        glob("collections.OrderedDict"), call(glob("builtins.range"), *map(number, (0, 9, 1)))
    ),
    "int of a Decimal": call(
        glob("builtins.int"), call(glob("decimal.Decimal"), text("1e999999999"))
    ),
    "int of a text": call(glob("builtins.int"), text("9" * 4000)),
    "str of bytes": call(glob("builtins.str"), op.SHORT_BINBYTES + b"\0", text("idna")),
    "str of a number": call(glob("builtins.str"), number(1 << 2000)),
    "float of a text": call(glob("builtins.float"), text("1")),
    "dict of a list": call(glob("builtins.dict"), op.EMPTY_LIST),
    "object": call(glob("builtins.object")),
    "bool": call(glob("builtins.bool"), number(1)),
    "Fraction with an exponent": call(glob("fractions.Fraction"), text("1e999999999")),
    "Fraction of a Decimal": call(
        glob("fractions.Fraction"), call(glob("decimal.Decimal"), text("1e999999999"))
    ),
    "Fraction of large numbers": call(
        glob("fractions.Fraction"), op.LONG4 + struct.pack("<i", 9000) + b"\1" * 9000, number(3)
    ),
    "Decimal of a float": call(glob("decimal.Decimal"), op.BINFLOAT + b"\0" * 8),
    "Decimal of a tuple": call(
        glob("decimal.Decimal"), op.MARK + number(0) + op.EMPTY_TUPLE + number(10**9) + op.TUPLE
    ),
    "Decimal with a context": call(glob("decimal.Decimal"), text("1"), op.NONE),
    "Decimal of many digits": call(glob("decimal.Decimal"), text("9" * 20_000)),
    "complex of a text": call(glob("builtins.complex"), text("1j")),
    "range of a text": call(glob("builtins.range"), text("1")),
    "a slice of lists": call(glob("builtins.slice"), op.EMPTY_LIST, op.NONE, op.NONE),
    "datetime of numbers": call(glob("datetime.datetime"), *map(number, (2020, 1, 1))),
    "datetime that is none": call(
        glob("datetime.datetime"), op.SHORT_BINBYTES + b"\x0a\xff\xff\1" + b"\xff" * 7
    ),
    "date that is none": call(glob("datetime.date"), op.SHORT_BINBYTES + b"\4\0\0\1\xff"),
    "date without a month": call(glob("datetime.date"), op.SHORT_BINBYTES + b"\4\7\xe4\x8c\1"),
    "time that is none": call(glob("datetime.time"), op.SHORT_BINBYTES + b"\6\x17\x3b\xff\0\0\0"),
    "time with microseconds": call(
        glob("datetime.time"), op.SHORT_BINBYTES + b"\6\x17\x3b\x01\xff\xff\xff"
    ),
    "datetime with a tzinfo of text": call(
        glob("datetime.datetime"), op.SHORT_BINBYTES + b"\x0a\7\xe4\1\1" + b"\0" * 6, text("UTC")
    ),
    "datetime with a class as tzinfo": call(
        glob("datetime.datetime"),
        op.SHORT_BINBYTES + b"\x0a\7\xe4\1\1" + b"\0" * 6,
        glob("datetime.timezone"),
    ),
    "a tzinfo": call(glob("datetime.tzinfo")),
    "timezone of a number": call(glob("datetime.timezone"), number(1)),
    "timedelta of floats": call(glob("datetime.timedelta"), op.BINFLOAT + b"\x7f" + b"\0" * 7),
    "timedelta of large numbers": call(glob("datetime.timedelta"), number(1 << 1000)),
    "defaultdict of a function": call(glob("collections.defaultdict"), glob("_codecs.encode")),
    "defaultdict of a range": call(glob("collections.defaultdict"), glob("builtins.range")),
    "defaultdict of an instance": call(glob("collections.defaultdict"), op.EMPTY_LIST),
    "defaultdict with items": call(
        glob("collections.defaultdict"), glob("builtins.list"), op.EMPTY_DICT
    ),
    "UUID of a text": call(glob("uuid.UUID"), text("0" * 32)),
    "a path of a range": call(
        glob("pathlib.PurePosixPath"), call(glob("builtins.range"), *map(number, (0, 9, 1)))
    ),
    "a path that is not pure": call(glob("pathlib.PosixPath"), text("/etc/passwd")),
    "an address of a long text": call(glob("ipaddress.IPv4Network"), text("1" * 10_000)),
    "an address of bytes": call(glob("ipaddress.IPv4Address"), op.SHORT_BINBYTES + b"\4\1\1\1\1"),
    "an address of a tuple": call(glob("ipaddress.IPv4Network"), op.EMPTY_TUPLE),
    "getattr of a class": call(glob("builtins.getattr"), glob("builtins.bytes"), text("join")),
    "getattr of an instance": call(glob("builtins.getattr"), op.EMPTY_LIST, text("append")),
    "getattr for a class": call(glob("builtins.getattr"), glob("builtins.int"), text("__class__")),
    "getattr with a default": call(
        glob("builtins.getattr"), glob("builtins.int"), text("x"), op.NONE
    ),
    "__newobj__ of a listed name": call(
        glob("copyreg.__newobj__"), glob("builtins.bytes"), number(10**12)
    ),
    "__newobj__ of nothing": call(glob("copyreg.__newobj__")),
    "__newobj_ex__ of a listed name": call(
        glob("copyreg.__newobj_ex__"), glob("builtins.bytes"), op.EMPTY_TUPLE, op.EMPTY_DICT
    ),
    "_reconstructor with a state": call(
        glob("copyreg._reconstructor"), glob("uuid.UUID"), glob("builtins.bytes"), number(10**12)
    ),
    "_reconstructor of a type": call(
        glob("copyreg._reconstructor"), glob("builtins.bytes"), glob("builtins.object"), op.NONE
    ),
    "_reconstructor of a text": call(
        glob("copyreg._reconstructor"), text("x"), glob("builtins.object"), op.NONE
    ),
    "NEWOBJ with a size": glob("builtins.bytes") + number(10**12) + op.TUPLE1 + op.NEWOBJ,
    "NEWOBJ of a list": glob("builtins.list") + op.EMPTY_TUPLE + op.NEWOBJ,
    "NEWOBJ of a range": glob("builtins.range") + number(10**12) + op.TUPLE1 + op.NEWOBJ,
    "NEWOBJ of a function": glob("_codecs.encode") + op.EMPTY_TUPLE + op.NEWOBJ,
    "NEWOBJ_EX": glob("uuid.UUID") + op.EMPTY_TUPLE + op.EMPTY_DICT + op.NEWOBJ_EX,
    "NEWOBJ_EX with keywords": glob("builtins.bytes")
    + op.EMPTY_TUPLE
    + op.EMPTY_DICT
    + text("source")
    + number(10**12)
    + op.SETITEM
    + op.NEWOBJ_EX,
    "OBJ with a size": op.MARK + glob("builtins.bytes") + number(10**12) + op.OBJ,
    "INST with a size": op.MARK + number(10**12) + op.INST + b"builtins\nbytes\n",
    "arguments that are a list": glob("builtins.set") + op.EMPTY_LIST + op.REDUCE,
    "arguments that are None": glob("builtins.set") + op.NONE + op.REDUCE,
}.items():
    attack(_name, _parts)

# --- calls of what the pickle has made

for _name, _made in {
    "a list": op.EMPTY_LIST,
    "None": op.NONE,
    "a text": text("os.system"),
    "a number": number(1),
    "a deque": call(glob("collections.deque")),
    "a defaultdict": call(glob("collections.defaultdict"), glob("builtins.list")),
    "a tuple": glob("builtins.set") + op.TUPLE1,
}.items():
    attack(f"a call of {_name}", call(_made))
    attack(f"NEWOBJ of {_name}, made", _made + op.EMPTY_TUPLE + op.NEWOBJ)
    attack(f"OBJ of {_name}", op.MARK + _made + op.OBJ)

# --- changes of what was there before

STATE = op.EMPTY_DICT + text("attacked") + number(1) + op.SETITEM
for _name in ("uuid.UUID", "collections.OrderedDict", "builtins.set", "copyreg._reconstructor",
              "_codecs.encode", "fractions.Fraction", "builtins.object"):  # fmt: skip
    attack(f"BUILD of {_name}", stack_global(_name) + STATE + op.BUILD)
    attack(f"BUILD of {_name}, slots", stack_global(_name) + op.NONE + STATE + op.TUPLE2 + op.BUILD)
    attack(f"APPEND to {_name}", stack_global(_name) + number(1) + op.APPEND)
    attack(f"APPENDS to {_name}", stack_global(_name) + op.MARK + number(1) + op.APPENDS)
    attack(f"SETITEM of {_name}", stack_global(_name) + number(1) + number(2) + op.SETITEM)
    attack(f"SETITEMS of {_name}", stack_global(_name) + b"(K\1K\2" + op.SETITEMS)
    attack(f"ADDITEMS to {_name}", stack_global(_name) + op.MARK + number(1) + op.ADDITEMS)
for _name, _made in {
    "a Fraction": call(glob("fractions.Fraction"), number(1), number(3)),
    "a Decimal": call(glob("decimal.Decimal"), text("1")),
    "a path": call(glob("pathlib.PurePosixPath"), text("x")),
    "an OrderedDict": call(glob("collections.OrderedDict")),
    "a Counter": call(glob("collections.Counter"), op.EMPTY_DICT),
    "a timezone": call(
        glob("datetime.timezone"), call(glob("datetime.timedelta"), *map(number, (0, 0, 0)))
    ),
}.items():
    attack(f"BUILD of {_name}", _made + STATE + op.BUILD)
    attack(f"ADDITEMS to {_name}", _made + op.MARK + number(1) + op.ADDITEMS)
attack("SETITEM of a Counter", call(glob("collections.Counter"), op.EMPTY_DICT) + b"K\1K\1s")
attack("APPEND to a bytearray", call(glob("builtins.bytearray")) + number(1) + op.APPEND)
attack("APPEND to an OrderedDict", call(glob("collections.OrderedDict")) + number(1) + op.APPEND)
attack("BUILD of a list", op.EMPTY_LIST + STATE + op.BUILD)
attack("BUILD of a text", text("x") + STATE + op.BUILD)
attack("BUILD of None", op.NONE + STATE + op.BUILD)
attack(
    "a slice of a list",
    op.EMPTY_LIST
    + call(glob("builtins.slice"), op.NONE, op.NONE, op.NONE)
    + call(glob("builtins.range"), *map(number, (0, 10**12, 1)))
    + op.SETITEM,
)
UUID = glob("uuid.UUID") + op.EMPTY_TUPLE + op.NEWOBJ
for _name, _state in {
    "a text": STATE,
    "no number": op.EMPTY_DICT + text("int") + text("x") + op.SETITEM,
    "a tuple as its number": op.EMPTY_DICT + text("int") + op.EMPTY_TUPLE + op.SETITEM,
    "a large number": op.EMPTY_DICT + text("int") + number(1 << 128) + op.SETITEM,
    "slots": op.NONE + STATE + op.TUPLE2,
    "None": op.NONE,
}.items():
    attack(f"a UUID with {_name}", UUID + _state + op.BUILD)

# --- costs


def tree(depth: int, twice: bytes = op.DUP + op.TUPLE2) -> bytes:
    return op.EMPTY_TUPLE + twice * depth


attack("a key that takes for ever", op.EMPTY_DICT + tree(60) + op.NONE + op.SETITEM)
attack("keys that take for ever", op.EMPTY_DICT + op.MARK + tree(60) + op.NONE + op.SETITEMS)
attack("DICT that takes for ever", op.MARK + tree(60) + op.NONE + op.DICT)
attack("a set that takes for ever", op.EMPTY_SET + op.MARK + tree(60) + op.ADDITEMS)
attack("a frozenset that takes for ever", op.MARK + tree(60) + op.FROZENSET)
attack(
    "frozensets that take for ever",
    op.EMPTY_TUPLE + b"q\1" + (op.MARK + b"h\1" + b"h\1\x85" + op.FROZENSET + b"q\1") * 60
    + op.EMPTY_SET + b"(h\1" + op.ADDITEMS,
)  # fmt: skip
attack(
    "a set from a list that takes for ever",
    call(glob("builtins.set"), op.EMPTY_LIST + tree(60) + op.APPEND),
)
attack(
    "a frozenset from a list that takes for ever",
    call(glob("builtins.frozenset"), op.EMPTY_LIST + tree(60) + op.APPEND),
)
attack(
    "an OrderedDict that takes for ever",
    call(glob("collections.OrderedDict")) + tree(60) + op.NONE + op.SETITEM,
)
attack(
    "pairs that take for ever",
    call(
        glob("collections.OrderedDict"),
        op.EMPTY_LIST + tree(60) + op.NONE + op.TUPLE2 + op.APPEND,
    ),
)
attack(
    "a Counter that takes for ever",
    call(glob("collections.Counter"), op.EMPTY_DICT + tree(60) + op.NONE + op.SETITEM),
)
attack("a deep key", op.EMPTY_DICT + op.EMPTY_TUPLE + op.TUPLE1 * 200_000 + op.NONE + op.SETITEM)
attack(
    "a large number as a key, again and again",
    op.LONG4 + struct.pack("<i", 1 << 20) + b"\1" * (1 << 20) + op.BINPUT + b"\1" + op.POP
    + op.EMPTY_DICT + (b"h\1" + op.NONE + op.SETITEM) * 1000,
)  # fmt: skip
_deque = glob("collections.deque") + b"q\1" + b")R"
attack("deep deques", _deque + b"q\2" + (b"h\1)Rh\2aq\2") * 20_000)
attack("deep deques, from outside", _deque + b"q\2" + (b"h\1)Rq\3a0h\3q\2") * 20_000)
_defaultdict = glob("collections.defaultdict") + b"q\1" + b")R"
attack("deep defaultdicts", _defaultdict + b"q\2" + (b"h\1)RNh\2sq\2") * 20_000)
