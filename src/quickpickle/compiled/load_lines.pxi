# Opcodes whose argument is a line of text, as protocol 0 writes them, and strings of Python 2.


cdef extern from "Python.h":
    object PyUnicode_DecodeRawUnicodeEscape(const char*, Py_ssize_t, const char*)


cdef bint is_simple_int(const char* line, Py_ssize_t size, long long* number) noexcept:
    """Whether a line is an int as repr() writes it, of up to 18 digits."""
    cdef Py_ssize_t i = 0
    cdef bint is_negative = size > 1 and line[0] == c"-"
    if is_negative:
        i = 1
    # Of those that begin with 0, two are False and True, and others may be octal.
    if size - i > 18 or size == i or (line[i] == c"0" and size > 1):
        return False
    number[0] = 0
    while i < size:
        if not c"0" <= line[i] <= c"9":
            return False
        number[0] = number[0] * 10 + (line[i] - c"0")
        i += 1
    if is_negative:
        number[0] = -number[0]
    return True


cdef bint is_decimal(const char* line, Py_ssize_t size) noexcept:
    """Whether a line is an int as repr() writes it, of fewer digits than may be forbidden."""
    cdef Py_ssize_t i = 1 if size > 1 and line[0] == c"-" else 0
    if i == size or line[i] == c"0" or size > QUICKPICKLE_DECIMAL_DIGITS:
        return False
    while i < size and c"0" <= line[i] <= c"9":
        i += 1
    return i == size


cdef bint is_simple_text(const char* line, Py_ssize_t size) noexcept:
    """Whether a line of UNICODE has no escapes, and is ASCII."""
    cdef Py_ssize_t i
    for i in range(size):
        if line[i] == c"\\" or <uint8_t>line[i] >= 0x80:
            return False
    return True


cdef bint is_simple_float(const char* line, Py_ssize_t size) noexcept:
    """Whether a line is made only of what repr() writes of a finite number."""
    cdef Py_ssize_t i
    for i in range(size):
        if not (
            c"0" <= line[i] <= c"9" or line[i] == c"." or line[i] == c"e"
            or line[i] == c"-" or line[i] == c"+"
        ):
            return False
    return 0 < size < 40


cdef PyObject* make_of_line(uint8_t code, const char* line, Py_ssize_t size) except? NULL:
    """The object of a simple line of FLOAT, UNICODE or INT; NULL where the rules have to parse it."""
    cdef char* end = NULL
    cdef double number
    if code == OP_UNICODE:
        if is_simple_text(line, size):
            return quickpickle_make_str(<const uint8_t*>line, size)
        return NULL
    if code == OP_INT:
        made = True if line[1] == c"1" else False if line[1] == c"0" else None
        if made is None:
            return NULL
        Py_INCREF(made)
        return <PyObject*>made
    if not is_simple_float(line, size):
        return NULL
    try:
        number = PyOS_string_to_double(line, &end, NULL)  # the end of the line ends it
    except ValueError:
        return NULL
    # A number that is too large is infinite here, and an error by the rules.
    return PyFloat_FromDouble_(number) if end == line + size and number - number == 0 else NULL


cdef int load_line(Loader self, uint8_t code) except -1:
    cdef bytes line
    cdef const char* text
    cdef Py_ssize_t size, length
    cdef long long number
    cdef bint has_number
    cdef uint8_t data[4 * QUICKPICKLE_DECIMAL_WORDS]
    cdef PyObject* made = NULL
    if code == OP_PERSID:
        check_persistent_load(self, False)
    text = next_line(self, &size)
    if code == OP_PERSID and size and quickpickle_is_ascii(<const uint8_t*>text, size):
        made = quickpickle_make_str(<const uint8_t*>text, size)
        if made == NULL:
            return -1
        self.push(made)
        return load_persistent(self)
    if code == OP_FLOAT or code == OP_UNICODE or code == OP_INT and size == 2 and text[0] == c"0":
        made = make_of_line(code, text, size)
        if made != NULL:
            return self.push(made)
    has_number = code == OP_INT or code == OP_LONG or code == OP_GET or code == OP_PUT
    length = size - 1 if code == OP_LONG and size > 1 and text[size - 1] == c"L" else size
    if has_number and is_simple_int(text, length, &number) and (
        size < 10 or code == OP_INT or code == OP_LONG
    ):
        if code == OP_GET:
            made = self.get(number)
            Py_INCREF_(made)
            return self.push(made)
        if code == OP_PUT:
            if self.top - self.fence < 1:
                self.underflow(1)
            return load_put(self, put_number(self, number))
        made = PyLong_FromLongLong(number)
        if made == NULL:
            return -1
        return self.push(made)
    if (code == OP_INT or code == OP_LONG) and is_decimal(text, length):
        made = quickpickle_make_long(data, quickpickle_read_large_decimal(text, length, data))
        if made == NULL:
            return -1
        return self.push(made)
    line = text[:size]
    if code == OP_PUT and line and self.top - self.fence < 1:
        self.underflow(1)
    self.close_window()
    obj = parse_line(code, line)
    self.open_window()
    if code == OP_STRING:
        return load_string(self, obj)
    if code == OP_GET:
        obj = <object>self.get(obj)
    elif code == OP_PUT:
        return load_put(self, put_number(self, obj))
    push_new(self, obj)
    return load_persistent(self) if code == OP_PERSID else 0


cdef object parse_line(uint8_t code, bytes line):
    """By the rules, or codecs, which may run other code: no window is open."""
    if code == OP_INT:
        return loading.parse_int(line)
    elif code == OP_LONG:
        return loading.parse_long(line)
    elif code == OP_FLOAT:
        return loading.parse_float(line)
    elif code == OP_UNICODE:
        return PyUnicode_DecodeRawUnicodeEscape(PyBytes_AS_STRING(line), len(line), NULL)
    elif code == OP_STRING:
        return loading.parse_string(line)
    elif code == OP_PERSID:
        return loading.parse_persistent_id(line)
    return loading.parse_memo_index(line)  # OP_GET, OP_PUT


cdef Py_ssize_t put_number(Loader self, Py_ssize_t number) except -1:
    if number < 0:
        raise self.fault().negative_put()
    return number


cdef int load_string(Loader self, bytes data) except -1:
    """A str of Python 2."""
    self.close_window()  # a codec may be written in Python
    obj = loading.decode_string(data, self.encoding, self.errors)
    self.open_window()
    return push_new(self, obj)


cdef int load_counted_string(Loader self, uint64_t count) except -1:
    need(self, count)
    data = self.p[:<Py_ssize_t>count]
    self.p += count
    return load_string(self, data)


cdef int load_put(Loader self, Py_ssize_t number) except -1:
    if self.top - self.fence < 1:
        self.underflow(1)
    if number < 0:  # on 32 bits
        raise self.fault().negative_put("LONG_BINPUT")
    self.has_puts = True
    return self.memoize_read(number, self.top[-1])
