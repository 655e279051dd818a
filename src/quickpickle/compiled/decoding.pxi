# Opcodes and their arguments, as they are in a file.

cdef struct Opcode:
    uint8_t action
    uint8_t argument
    uint8_t kind
    uint8_t protocol
    uint8_t fixed  # so many bytes at least, with the opcode

cdef struct Argument:
    const unsigned char *at  # behind the opcode
    const unsigned char *stop  # the end of what was read of the file
    const unsigned char *line  # the last one, of an opcode with lines
    uint64_t line_length

cdef Opcode OPCODES[256]
for _code in range(256):
    OPCODES[_code].action = table.ACTION_OF[_code]
    OPCODES[_code].argument = ARGUMENT_OF[_code] % NO_OPCODE  # 0 where no opcode is
    OPCODES[_code].kind = table.KIND_OF[_code]
    OPCODES[_code].protocol = table.PROTOCOL_OF[_code]
    OPCODES[_code].fixed = 1 + (ARGUMENT_OF[_code] & 0xF) * (ARGUMENT_OF[_code] < LINE)


cdef inline uint64_t little_endian(const unsigned char *data, int width) noexcept:
    cdef uint64_t value = data[0]
    cdef int i
    for i in range(1, width):
        value |= <uint64_t>data[i] << (8 * i)
    return value


cdef object far_number(const unsigned char *line, uint64_t length):
    """The number in a line, of any size; ValueError where there is none."""
    text = bytes(line[:min(length, <uint64_t>LONGEST_NUMBER + 1)])
    return int(text.partition(b"\0")[0])  # an Unpickler sees a C string


cdef inline const unsigned char *find_newline(
    const unsigned char *data, const unsigned char *end
) noexcept:
    cdef const unsigned char *near = data + min(16, end - data)
    while data < near:  # most lines are short
        if data[0] == c"\n":
            return data
        data += 1
    return <const unsigned char *>memchr(data, b"\n", end - data)


cdef inline bint is_bool(const unsigned char *line, uint64_t length) noexcept:
    """At protocols 0 and 1 INT is also how bools are written."""
    return length == 2 and line[0] == c"0" and (line[1] == c"0" or line[1] == c"1")
