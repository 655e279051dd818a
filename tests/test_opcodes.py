"""The table of opcodes agrees with pickletools, and the package has every name of pickle's."""

import pickle
import pickletools
from pathlib import Path

import quickpickle
from conftest import IMPLEMENTATIONS
from quickpickle.format import opcodes


def test_every_opcode_has_the_name_and_code_of_pickletools():
    ours = {name: code for name, code in vars(opcodes).items() if name.isupper()}
    assert ours == {op.name: op.code.encode("latin1") for op in pickletools.opcodes}


def test_opcodes_stand_under_the_protocol_that_brought_them():
    protocols = {op.name: op.proto for op in pickletools.opcodes}
    protocol = None
    for line in Path(opcodes.__file__).read_text(encoding="utf-8").splitlines():
        if line.startswith("# Protocol "):
            protocol = int(line.split()[2].rstrip(":"))
        elif " = b" in line:
            assert protocols[line.split()[0]] == protocol, line


def test_the_package_has_the_names_of_pickle():
    assert set(quickpickle.__all__) == set(pickle.__all__)
    for name in pickle.__all__:
        if name not in ("Pickler", "dump", "dumps", "load"):
            assert getattr(quickpickle, name) == getattr(pickle, name)
    assert quickpickle.PicklingError is pickle.PicklingError
    assert quickpickle.loads is pickle.loads
    assert quickpickle.format_version == pickle.format_version


def test_implementation_is_named():
    name = "native" if "native" in IMPLEMENTATIONS else "python"
    assert quickpickle.implementation == name
    assert quickpickle.Pickler is IMPLEMENTATIONS[name].Pickler
