"""Every opcode as data: what a reader of the stream does with it, and what it makes.

Both scanners use these tables, the pure one and the compiled one. The protocols that
brought opcodes are from the standard library's `pickletools`. `tools/generate`
writes the constants to compiled/table.pxi, where they have the same names.
"""

from __future__ import annotations

import pickletools
from typing import Final

from . import opcodes as op

# --- the kinds of nodes in the tree

FILE: Final = 0  # the root: all the bytes
PICKLE: Final = 1  # one pickle in the file
UNREAD: Final = 2  # what comes after an error
NONE: Final = 3  # from here to FLOAT: scalars
BOOL: Final = 4
INT: Final = 5
FLOAT: Final = 6
STR: Final = 7
STRING: Final = 8  # a str of Python 2
BYTES: Final = 9
BYTEARRAY: Final = 10
TUPLE: Final = 11
LIST: Final = 12
DICT: Final = 13
SET: Final = 14
FROZENSET: Final = 15
GLOBAL: Final = 16  # a class or function, by its name
OBJECT: Final = 17  # what a reduction makes
PERSISTENT: Final = 18  # what a persistent id stands for
BUFFER: Final = 19  # an out-of-band buffer
KINDS: Final = 20

KIND_NAMES: Final = [
    "file",
    "pickle",
    "unread",
    "NoneType",
    "bool",
    "int",
    "float",
    "str",
    "str (Python 2)",
    "bytes",
    "bytearray",
    "tuple",
    "list",
    "dict",
    "set",
    "frozenset",
    "class or function",
    "object",
    "persistent id",
    "out-of-band buffer",
]

# --- what a node is to its parent; in brackets what its step says

NOWHERE: Final = 0
NUMBERED: Final = 1  # a pickle of a file [its number]
REST: Final = 2  # the unread bytes of a file
ROOT: Final = 3  # the object of a pickle
LOOSE: Final = 4  # discarded, left over, or not finished [the offset's lower half]
ITEM: Final = 5  # [its index]
KEY: Final = 6  # [the number of the item]
VALUE: Final = 7  # [the node of the key]
MEMBER: Final = 8  # of a set [its number]
CALLABLE: Final = 9  # of REDUCE and OBJ
ARGUMENTS: Final = 10  # of REDUCE
CLASS: Final = 11  # of NEWOBJ and NEWOBJ_EX
NEW_ARGUMENTS: Final = 12  # of NEWOBJ
EX_ARGUMENTS: Final = 13  # of NEWOBJ_EX
EX_KEYWORDS: Final = 14  # of NEWOBJ_EX
ARGUMENT: Final = 15  # of INST and OBJ [its index]
STATE: Final = 16
MODULE: Final = 17  # of STACK_GLOBAL
NAME: Final = 18  # of STACK_GLOBAL
PERSISTENT_ID: Final = 19
STARTS: Final = {NUMBERED, REST, ROOT, LOOSE}  # where paths begin
SHARED: Final = 255  # meanwhile, of a node that is not in its place yet but in the memo

# --- what an opcode does

UNKNOWN: Final = 0
PUSH: Final = 1  # something of its kind
MARK: Final = 2
STOP: Final = 3
POP: Final = 4
POP_MARK: Final = 5
DUP: Final = 6
GET: Final = 7
PUT: Final = 8
MEMOIZE: Final = 9
TUPLE1: Final = 10
TUPLE2: Final = 11
TUPLE3: Final = 12
COLLECT: Final = 13  # what lies above the mark becomes one of its kind
APPEND: Final = 14
APPENDS: Final = 15
SETITEM: Final = 16
SETITEMS: Final = 17
ADDITEMS: Final = 18
FIND: Final = 19  # GLOBAL and EXT
FIND_ON_STACK: Final = 20
INST: Final = 21
OBJ: Final = 22
REDUCE: Final = 23
NEWOBJ: Final = 24
NEWOBJ_EX: Final = 25
BUILD: Final = 26
PERSID: Final = 27
BINPERSID: Final = 28
NEXT_BUFFER: Final = 29
READONLY_BUFFER: Final = 30
PROTO: Final = 31
FRAME: Final = 32

_WORDS: Final = {
    "MARK": MARK,
    "STOP": STOP,
    "POP": POP,
    "POP_MARK": POP_MARK,
    "DUP": DUP,
    "GET": GET,
    "BINGET": GET,
    "LONG_BINGET": GET,
    "PUT": PUT,
    "BINPUT": PUT,
    "LONG_BINPUT": PUT,
    "MEMOIZE": MEMOIZE,
    "TUPLE1": TUPLE1,
    "TUPLE2": TUPLE2,
    "TUPLE3": TUPLE3,
    "TUPLE": COLLECT,
    "LIST": COLLECT,
    "DICT": COLLECT,
    "FROZENSET": COLLECT,
    "APPEND": APPEND,
    "APPENDS": APPENDS,
    "SETITEM": SETITEM,
    "SETITEMS": SETITEMS,
    "ADDITEMS": ADDITEMS,
    "GLOBAL": FIND,
    "EXT1": FIND,
    "EXT2": FIND,
    "EXT4": FIND,
    "STACK_GLOBAL": FIND_ON_STACK,
    "INST": INST,
    "OBJ": OBJ,
    "REDUCE": REDUCE,
    "NEWOBJ": NEWOBJ,
    "NEWOBJ_EX": NEWOBJ_EX,
    "BUILD": BUILD,
    "PERSID": PERSID,
    "BINPERSID": BINPERSID,
    "NEXT_BUFFER": NEXT_BUFFER,
    "READONLY_BUFFER": READONLY_BUFFER,
    "PROTO": PROTO,
    "FRAME": FRAME,
}

_KINDS: Final = {
    "NONE": NONE,
    "NEWTRUE": BOOL,
    "NEWFALSE": BOOL,
    "INT": INT,
    "BININT": INT,
    "BININT1": INT,
    "BININT2": INT,
    "LONG": INT,
    "LONG1": INT,
    "LONG4": INT,
    "FLOAT": FLOAT,
    "BINFLOAT": FLOAT,
    "UNICODE": STR,
    "SHORT_BINUNICODE": STR,
    "BINUNICODE": STR,
    "BINUNICODE8": STR,
    "STRING": STRING,
    "SHORT_BINSTRING": STRING,
    "BINSTRING": STRING,
    "SHORT_BINBYTES": BYTES,
    "BINBYTES": BYTES,
    "BINBYTES8": BYTES,
    "BYTEARRAY8": BYTEARRAY,
    "EMPTY_TUPLE": TUPLE,
    "TUPLE": TUPLE,
    "EMPTY_LIST": LIST,
    "LIST": LIST,
    "EMPTY_DICT": DICT,
    "DICT": DICT,
    "EMPTY_SET": SET,
    "FROZENSET": FROZENSET,
}

_actions = bytearray(256)
_made = bytearray(256)
_protocols = bytearray(256)
OPCODE_NAMES: Final[dict[int, str]] = {}
for _opcode in pickletools.opcodes:
    _code = ord(_opcode.code)
    OPCODE_NAMES[_code] = _opcode.name
    _actions[_code] = _WORDS.get(_opcode.name, PUSH if _opcode.name in _KINDS else UNKNOWN)
    _made[_code] = _KINDS.get(_opcode.name, 0)
    _protocols[_code] = _opcode.proto

ACTION_OF: Final = bytes(_actions)
KIND_OF: Final = bytes(_made)  # the kind that PUSH and COLLECT make
PROTOCOL_OF: Final = bytes(_protocols)

INT_CODE: Final = op.INT[0]  # whose argument may be that of a bool
MEMOIZE_CODE: Final = op.MEMOIZE[0]

# --- limits

NOTHING: Final = 0xFFFFFFFF  # no node, no type
MOST_NODES: Final = 0x7FFFFFFF
LONGEST_NUMBER: Final = 4300  # digits; int() refuses more
LONGEST_NAMES: Final = 1 << 20  # bytes of a module and a name
HIGHEST_PROTOCOL: Final = 5

TARGET_DEPTH: Final = {
    APPEND: 2, SETITEM: 3, BUILD: 2, PUT: 1, MEMOIZE: 1, BINPERSID: 1, READONLY_BUFFER: 1
}  # fmt: skip
"""How deep on the stack lies what an action changes or is about; with all others it is what lies
below the last mark."""

# So many plain scalars in a row are no nodes of their own: their bytes are those of what they are
# in. It keeps a list of a hundred million numbers small.
LONG_ROW: Final = 16

# --- what is known of each pickle: so many numbers, one after the other

P_START: Final = 0
P_SIZE: Final = 1
P_PROTOCOL: Final = 2
P_FRAMES: Final = 3
P_OPCODES: Final = 4
P_OBJECTS: Final = 5
P_REFERENCES: Final = 6
P_MEMO: Final = 7
P_UNUSED: Final = 8  # memo entries that nothing refers to
P_BUFFERS: Final = 9
P_PERSISTENT: Final = 10
P_DEPTH: Final = 11
P_NODE: Final = 12
P_FIELDS: Final = 13
