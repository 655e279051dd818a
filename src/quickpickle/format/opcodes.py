"""Every opcode by its name, in the order of the protocols that brought them.

The names and codes are those of `pickletools`, where each opcode has its documentation.
"""

# Protocol 0: printable ASCII, one line for each argument.
MARK = b"("  # remember this place on the stack
STOP = b"."  # the end of the pickle
POP = b"0"  # discard the topmost item
DUP = b"2"  # duplicate the topmost item
FLOAT = b"F"  # repr()
INT = b"I"  # decimal; 00 and 01 are False and True
LONG = b"L"  # decimal, with an L behind it
NONE = b"N"
PERSID = b"P"  # a persistent id, as text
REDUCE = b"R"  # callable, arguments -> object
STRING = b"S"  # repr() of a Python 2 str
UNICODE = b"V"  # raw-unicode-escape
APPEND = b"a"  # list, item -> list
BUILD = b"b"  # object, state -> object
GLOBAL = b"c"  # module and name, a line each
DICT = b"d"  # MARK, keys and values -> dict
GET = b"g"  # a memo entry, decimal
INST = b"i"  # MARK, arguments, and a class by name -> object
LIST = b"l"  # MARK, items -> list
PUT = b"p"  # memoize the topmost item, decimal
SETITEM = b"s"  # dict, key, value -> dict
TUPLE = b"t"  # MARK, items -> tuple

# Protocol 1: binary arguments.
POP_MARK = b"1"  # discard everything down to the mark
BINFLOAT = b"G"  # 8 bytes, big-endian IEEE 754
BININT = b"J"  # 4 bytes, signed
BININT1 = b"K"  # 1 byte, unsigned
BININT2 = b"M"  # 2 bytes, unsigned
BINPERSID = b"Q"  # the topmost item is a persistent id
BINSTRING = b"T"  # a Python 2 str: 4 bytes of length
SHORT_BINSTRING = b"U"  # a Python 2 str: 1 byte of length
BINUNICODE = b"X"  # UTF-8: 4 bytes of length
EMPTY_LIST = b"]"
EMPTY_TUPLE = b")"
EMPTY_DICT = b"}"
APPENDS = b"e"  # list, MARK, items -> list
BINGET = b"h"  # a memo entry, 1 byte
OBJ = b"o"  # MARK, class, arguments -> object
LONG_BINGET = b"j"  # a memo entry, 4 bytes
BINPUT = b"q"  # memoize the topmost item, 1 byte
LONG_BINPUT = b"r"  # memoize the topmost item, 4 bytes
SETITEMS = b"u"  # dict, MARK, keys and values -> dict

# Protocol 2 (PEP 307).
PROTO = b"\x80"  # the protocol, 1 byte
NEWOBJ = b"\x81"  # class, arguments -> cls.__new__(cls, *args)
EXT1 = b"\x82"  # a code of copyreg's extension registry, 1 byte
EXT2 = b"\x83"  # the same, 2 bytes
EXT4 = b"\x84"  # the same, 4 bytes
TUPLE1 = b"\x85"
TUPLE2 = b"\x86"
TUPLE3 = b"\x87"
NEWTRUE = b"\x88"
NEWFALSE = b"\x89"
LONG1 = b"\x8a"  # little-endian two's complement: 1 byte of length
LONG4 = b"\x8b"  # the same: 4 bytes of length

# Protocol 3: bytes.
BINBYTES = b"B"  # 4 bytes of length
SHORT_BINBYTES = b"C"  # 1 byte of length

# Protocol 4 (PEP 3154): frames, sets, large objects.
SHORT_BINUNICODE = b"\x8c"  # 1 byte of length
BINUNICODE8 = b"\x8d"  # 8 bytes of length
BINBYTES8 = b"\x8e"  # 8 bytes of length
EMPTY_SET = b"\x8f"
ADDITEMS = b"\x90"  # set, MARK, items -> set
FROZENSET = b"\x91"  # MARK, items -> frozenset
NEWOBJ_EX = b"\x92"  # class, arguments, keyword arguments -> object
STACK_GLOBAL = b"\x93"  # module, name -> class or function
MEMOIZE = b"\x94"  # memoize the topmost item under the next number
FRAME = b"\x95"  # 8 bytes: how many bytes of opcodes follow

# Protocol 5 (PEP 574): out-of-band buffers.
BYTEARRAY8 = b"\x96"  # 8 bytes of length
NEXT_BUFFER = b"\x97"  # the next out-of-band buffer
READONLY_BUFFER = b"\x98"  # make the topmost buffer read-only
