"""Which names can run code of a stranger's choice when a pickle calls them: the marks on imports.

A name in these lists can do harm, whatever else is in the pickle. That a name is not in them says
nothing: any class or function of any installed module can be called, an import alone runs a
module's code, and nobody has looked at all of them. rules/kinds.py says which are harmless.
"""

from __future__ import annotations

from typing import Final

_COMMANDS: Final = "runs commands"
_CODE: Final = "runs Python code"
_ATTRIBUTES: Final = "reaches any attribute, and so any function"
_MODULES: Final = "imports or runs modules"
_FILES: Final = "changes or reads files"
_NATIVE: Final = "calls native code"
_PICKLES: Final = "loads another pickle"
_NETWORK: Final = "talks to the network"

# Whole modules, with all below them.
_DANGEROUS_MODULES: Final = {
    "_aix_support": _COMMANDS,
    "_ctypes": _NATIVE,
    "_io": _FILES,
    "_osx_support": _COMMANDS,
    "_pickle": _PICKLES,
    "_posixsubprocess": _COMMANDS,
    "_socket": _NETWORK,
    "_winapi": _COMMANDS,
    "_xxsubinterpreters": _CODE,
    "_interpreters": _CODE,
    "asyncio.subprocess": _COMMANDS,
    "bdb": _CODE,
    "cProfile": _CODE,
    "cffi": _NATIVE,
    "cloudpickle": _CODE,
    "code": _CODE,
    "codeop": _CODE,
    "concurrent.futures.process": _COMMANDS,
    "ctypes": _NATIVE,
    "dill": _CODE,
    "distutils": _COMMANDS,
    "doctest": _CODE,
    "ensurepip": _COMMANDS,
    "ftplib": _NETWORK,
    "http.client": _NETWORK,
    "http.server": _NETWORK,
    "idlelib": _CODE,
    "imp": _MODULES,
    "imaplib": _NETWORK,
    "importlib": _MODULES,
    "IPython": _CODE,
    "joblib.externals.cloudpickle": _CODE,
    "jsonpickle": _CODE,
    "lib2to3": _CODE,
    "marshal": _CODE,
    "mmap": _FILES,
    "multiprocessing": _COMMANDS,
    "nt": _COMMANDS,
    "nntplib": _NETWORK,
    "numpy.distutils": _COMMANDS,
    "numpy.f2py": _CODE,
    "numpy.testing": _CODE,
    "os": _COMMANDS,
    "pandas.core.computation": _CODE,
    "pdb": _CODE,
    "pip": _COMMANDS,
    "pkgutil": _MODULES,
    "poplib": _NETWORK,
    "posix": _COMMANDS,
    "profile": _CODE,
    "pty": _COMMANDS,
    "pydoc": _CODE,
    "pyspark.cloudpickle": _CODE,
    "quickpickle.cloud": _CODE,
    "quickpickle.cloud_copies": _CODE,
    "quickpickle.integrations": _CODE,
    "ray.cloudpickle": _CODE,
    "requests": _NETWORK,
    "runpy": _MODULES,
    "setuptools": _COMMANDS,
    "shelve": _PICKLES,
    "shutil": _FILES,
    "signal": "sends signals, or installs handlers",
    "smtplib": _NETWORK,
    "socket": _NETWORK,
    "sqlite3": _FILES,
    "ssl": _NETWORK,
    "subprocess": _COMMANDS,
    "sys": "changes the interpreter",
    "telnetlib": _NETWORK,
    "tempfile": _FILES,
    "test": _CODE,
    "threading": _CODE,
    "timeit": _CODE,
    "tkinter": _CODE,
    "torch._dynamo": _CODE,
    "torch._inductor": _COMMANDS,
    "torch.fx.experimental": _CODE,
    "torch.hub": _MODULES,
    "torch.jit.unsupported_tensor_ops": _CODE,
    "torch.utils._config_module": _PICKLES,
    "torch.utils.bottleneck": _CODE,
    "torch.utils.collect_env": _COMMANDS,
    "torch.utils.cpp_extension": _COMMANDS,
    "trace": _CODE,
    "urllib.request": _NETWORK,
    "urllib2": _NETWORK,
    "venv": _COMMANDS,
    "webbrowser": _COMMANDS,
    "xmlrpc": _NETWORK,
    "zipimport": _MODULES,
}

# More of them in a name from a stranger are not looked at.
_MOST_DOTS: Final = max(name.count(".") for name in _DANGEROUS_MODULES)

# These are harmless though their modules are marked.
_HARMLESS: Final = frozenset(
    {
        "_io.BytesIO",
        "_io.StringIO",
        "os.PathLike",
        "os._Environ",
        "os.stat_result",
        "os.terminal_size",
        "posix.stat_result",
        "signal.Handlers",
        "signal.Sigmasks",
        "signal.Signals",
        "socket.AddressFamily",
        "socket.SocketKind",
        "sys.intern",
    }
)

_DANGEROUS_NAMES: Final = {
    "builtins.__import__": _MODULES,
    "builtins.apply": _CODE,
    "builtins.breakpoint": _CODE,
    "builtins.compile": _CODE,
    "builtins.delattr": _ATTRIBUTES,
    "builtins.eval": _CODE,
    "builtins.exec": _CODE,
    "builtins.execfile": _CODE,
    "builtins.file": _FILES,
    "builtins.getattr": _ATTRIBUTES,
    "builtins.globals": _ATTRIBUTES,
    "builtins.help": _CODE,
    "builtins.input": _CODE,
    "builtins.locals": _ATTRIBUTES,
    "builtins.open": _FILES,
    "builtins.reload": _MODULES,
    "builtins.setattr": _ATTRIBUTES,
    "builtins.type": _CODE,
    "builtins.vars": _ATTRIBUTES,
    "_operator.attrgetter": _ATTRIBUTES,
    "_operator.methodcaller": _ATTRIBUTES,
    "operator.attrgetter": _ATTRIBUTES,
    "operator.methodcaller": _ATTRIBUTES,
    "operator.call": _CODE,
    "_operator.call": _CODE,
    "io.FileIO": _FILES,
    "io.open": _FILES,
    "io.open_code": _FILES,
    "pickle.load": _PICKLES,
    "pickle.loads": _PICKLES,
    "pickle._load": _PICKLES,
    "pickle._loads": _PICKLES,
    "pickle.Unpickler": _PICKLES,
    "pickle._Unpickler": _PICKLES,
    "quickpickle.load": _PICKLES,
    "quickpickle.loads": _PICKLES,
    "quickpickle.load_all": _PICKLES,
    "quickpickle.recover": _PICKLES,
    "quickpickle.recovering.recover": _PICKLES,
    "quickpickle.Unpickler": _PICKLES,
    "quickpickle.loading.load": _PICKLES,
    "quickpickle.loading.load_all": _PICKLES,
    "logging.config.dictConfig": _CODE,
    "logging.config.fileConfig": _CODE,
    "logging.config._resolve": _MODULES,
    "linecache.getline": _FILES,
    "linecache.updatecache": _FILES,
    "fileinput.input": _FILES,
    "fileinput.FileInput": _FILES,
    "glob.glob": _FILES,
    "types.CodeType": _CODE,
    "types.FunctionType": _CODE,
    "types.MethodType": _CODE,
    "uuid._get_command_stdout": _COMMANDS,
    "joblib.load": _PICKLES,
    "joblib.numpy_pickle.load": _PICKLES,
    "numpy.load": _PICKLES,
    "numpy.memmap": _FILES,
    "numpy.fromfile": _FILES,
    "pandas.io.pickle.read_pickle": _PICKLES,
    "pandas.read_pickle": _PICKLES,
    "pandas.eval": _CODE,
    "torch.fx.graph_module.reduce_graph_module": _CODE,
    "torch.load": _PICKLES,
    "torch.serialization.load": _PICKLES,
    "torch.utils.data.datapipes.utils.decoder.basichandlers": _PICKLES,
    "torch.storage._load_from_bytes": _PICKLES,
    "site.main": _CODE,
    "site.addpackage": _CODE,
    "asyncio.create_subprocess_exec": _COMMANDS,
    "asyncio.create_subprocess_shell": _COMMANDS,
    "dataclasses.make_dataclass": _CODE,
    "typing.get_type_hints": _CODE,
    "typing.ForwardRef": _CODE,
    "inspect.getattr_static": _ATTRIBUTES,
    "copyreg.add_extension": "changes the interpreter",
    "copyreg.pickle": "changes the interpreter",
}

# However they are reached: names with dots go through attributes, which leads anywhere.
_DANGEROUS_PARTS: Final = frozenset(
    {
        "__builtins__",
        "__class__",
        "__bases__",
        "__base__",
        "__subclasses__",
        "__globals__",
        "__code__",
        "__mro__",
        "__getattribute__",
        "__import__",
        "__loader__",
        "__dict__",
        "__init__",
        "__reduce__",
        "__reduce_ex__",
        "eval",
        "exec",
        "system",
        "popen",
    }
)


def danger_of(module: str, name: str) -> str | None:
    """The danger of a name, in a few words, if it can run code; else None."""
    if name.endswith("…"):  # cut off, so nobody knows where its attributes lead
        return _ATTRIBUTES
    module = {"__builtin__": "builtins", "copy_reg": "copyreg"}.get(module, module)
    full = f"{module}.{name}"
    if full in _HARMLESS:
        return None
    found = _DANGEROUS_NAMES.get(full)
    # A dot in the name: an attribute of what comes before it.
    first = found or _DANGEROUS_NAMES.get(f"{module}.{name.partition('.')[0]}")
    if first is not None:
        return first
    parts = module.split(".", _MOST_DOTS + 1)[: _MOST_DOTS + 1]
    for length in range(len(parts), 0, -1):
        danger = _DANGEROUS_MODULES.get(".".join(parts[:length]))
        if danger is not None:
            return danger
    if "." in name and not _DANGEROUS_PARTS.isdisjoint(name.split(".")):
        return _ATTRIBUTES
    return None
