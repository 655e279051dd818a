"""The table of opcodes agrees with pickletools, and the package has every name of pickle's."""

import pickle
import pickletools
from pathlib import Path

import quickpickle
from conftest import IMPLEMENTATIONS
from quickpickle.format import decode, opcodes


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
    assert set(quickpickle.__all__) >= set(pickle.__all__)
    for name in pickle.__all__:
        if name not in ("Pickler", "Unpickler", "dump", "dumps", "load", "loads"):
            assert getattr(quickpickle, name) == getattr(pickle, name)
    assert quickpickle.PicklingError is pickle.PicklingError
    assert quickpickle.format_version == pickle.format_version


def test_implementation_is_named():
    name = "native" if "native" in IMPLEMENTATIONS else "python"
    assert quickpickle.implementation == name
    assert quickpickle.Pickler is IMPLEMENTATIONS[name].Pickler


def test_the_arguments_are_those_of_pickletools():
    lengths = {
        pickletools.UP_TO_NEWLINE: decode.LINE,
        pickletools.TAKEN_FROM_ARGUMENT1: decode.COUNTED1,
        pickletools.TAKEN_FROM_ARGUMENT4: decode.COUNTED4_SIGNED,
        pickletools.TAKEN_FROM_ARGUMENT4U: decode.COUNTED4,
        pickletools.TAKEN_FROM_ARGUMENT8U: decode.COUNTED8,
    }
    odd = {"LONG1": decode.COUNTED1, "LONG4": decode.COUNTED4_SIGNED}
    odd |= {"GLOBAL": decode.TWO_LINES, "INST": decode.TWO_LINES}
    for opcode in pickletools.opcodes:
        length = 0 if opcode.arg is None else opcode.arg.n
        expected = odd.get(opcode.name, lengths.get(length, length))
        assert decode.ARGUMENT_OF[ord(opcode.code)] == expected, opcode.name
    known = {ord(opcode.code) for opcode in pickletools.opcodes}
    assert {i for i in range(256) if decode.ARGUMENT_OF[i] != decode.NO_OPCODE} == known
