# Loader: one load. Its stack, its marks, its memo, and windows without the collector.
#
# The stack and the memo own a reference to each of their objects. All that may run other code
# stands between close_window() and open_window(), also the end of a variable that may have the last
# reference to an object: so arguments stay on the stack while they are used. The Loader is whole
# then: other code may raise. After an exception the window stays closed; the function that began
# the load closes it in all other cases.

cdef object absent = object()

cdef enum:
    SMALL_STACK = 64
    SMALL_PICKLE = 4096  # bytes
    SMALL_MEMO = 32
    KEPT_MEMO = 512  # an array of so many entries stays for the next load
    MANY_ENTRIES = 8192  # so many pay for a look at which of them are read
    KEY_TABLES = 64  # dicts whose keys are used again
    CLASS_PLANS = 64
    DENSE = 0x10000  # numbers of the memo that may always have a place in the array

# In the place of an object, on the stack or in the memo. Nothing owns references to these.
#
# PENDING: a dict that is not made yet, as its items may never need one. `fence` lies above it, so
# that no opcode takes it for an object.
# UNREAD: what was put into the memo, but will not be read.
cdef PyObject* PENDING = <PyObject*><size_t>1
cdef PyObject* UNREAD = <PyObject*><size_t>2

cdef inline bint is_object(PyObject* obj) noexcept:
    return <size_t>obj > 2

cdef enum:  # Loader.in_place; 0 of other files
    SHOWN = 1
    MAY_BE_CHANGED = 2  # other code may run

cdef struct Pending:
    Py_ssize_t place  # on the stack
    Py_ssize_t number  # in the memo; -1 for none that is read


@cython.final
@cython.binding(False)
cdef class Loader:
    cdef const uint8_t* p  # the next byte
    cdef const uint8_t* end
    cdef const uint8_t* start  # of the bytes that are there
    cdef const uint8_t* frame_end  # load_input.pxi: leave_frame
    cdef const uint8_t* data_end  # where the bytes end, if `end` is that of a frame
    cdef PyObject** bottom
    cdef PyObject** top
    cdef PyObject** full
    cdef PyObject** fence  # opcodes take nothing below it: the last mark, or a pending dict
    cdef Py_ssize_t* marks
    cdef Py_ssize_t mark_count, mark_room
    cdef Pending* pending
    cdef Py_ssize_t pending_count, pending_room
    cdef PyObject** memo
    cdef Py_ssize_t memo_room, memo_count
    cdef Py_ssize_t* new_numbers  # of the memo, in this load; kept if it had others before
    cdef Py_ssize_t new_count, new_room
    cdef bint notes_numbers
    cdef dict sparse  # the entries of the memo with large numbers; None for none
    cdef quickpickle_reads reads
    cdef quickpickle_window window
    cdef PyObject* marker  # of the window, in pickles of some size; owned
    cdef int proto
    cdef bint fix_imports, memo_is_seen, reads_are_known
    cdef bint has_puts  # else the numbers of the memo came in turn
    cdef bint calls_at_once  # tuples may become a call right away: see call_at_once
    cdef PyObject** key_tables
    cdef ClassPlan* plans
    cdef uint8_t used_tables[KEY_TABLES]  # the places in the tables above that are not free
    cdef uint8_t used_plans[CLASS_PLANS]
    cdef int used_table_count, used_plan_count, dict_count
    cdef object encoding, errors, buffers
    cdef object renames  # of names (rules/renames.py); None for most
    cdef object missing  # makes Placeholders (rules/missing.py); None for most
    cdef object owner  # a subclass's Unpickler, which is asked for find_class(); or None
    cdef object persistent_load  # absent: there is none
    # load_policy.pxi
    cdef object policy  # of the loads; or None
    cdef Names names  # that were approved before, and those of this load
    cdef object guard  # None before it is asked for the first time
    cdef dict fresh, unfinished, noted  # those of the Guard
    cdef int64_t load, rules  # numbers of this load, and of what it knows of its names
    cdef QuickRule* quick_rules
    cdef bint is_hooked  # the owner has a find_class() of its own
    cdef bint is_counted  # whether the limits may be reached
    cdef bint has_foreign, has_foreign_containers
    cdef bint may_hash_tuples  # the limit of the depth is not 0
    # load_arrays.pxi
    cdef PyObject* dtypes[8]  # those that the Guard was asked about, which it keeps
    cdef Py_ssize_t dtype_sizes[8]
    cdef int dtype_count
    cdef object waiting  # an array that is to get its state next; or None
    cdef bint has_fresh  # dtypes that may get their state: the Guard sees all calls
    cdef bint has_unfinished  # objects wait for their state: it sees those of the user's classes
    cdef Py_ssize_t objects, most_objects, most_memory, copied, most_copied
    cdef Py_ssize_t hashed, most_hashed  # as `copied`, of the work of hashes
    cdef Py_ssize_t cost  # of the call that may_call() has let through
    cdef Py_ssize_t offset  # of the opcode
    cdef Py_ssize_t base  # how many bytes of this load lie before `start`
    # load_input.pxi
    cdef object file_read, file_readline, file_readinto, file_peek
    cdef object mapping  # of the file (rules/mapping.py); None for most
    cdef char* buffer
    # By `peek`, or by a BytesIO: `start`, `p` and `end` are in it. None where they are in `buffer`.
    cdef bytes shown
    cdef Py_ssize_t buffer_room, ahead
    cdef bint is_file, is_plain_file, looks_up_later, is_bytes_io
    cdef uint8_t in_place  # the bytes ahead are those of a BytesIO
    # load_faults.pxi
    cdef bint is_between  # the last opcode is done, and the next is not read
    cdef bint is_reading  # the file is asked for something
    cdef Py_ssize_t known  # where an opcode begins, counted as `base` is
    cdef Py_ssize_t passed  # bytes of the payload that is being read, which are not in the buffer

    def __cinit__(self):
        self.window.is_open = False
        self.window.marker = self.marker = NULL
        self.persistent_load = absent

    def __dealloc__(self):
        # Objects in it were given up by clear(), or by the collector's call of it.
        give_up_all(self)
        PyMem_Free(self.bottom)
        PyMem_Free(self.marks)
        PyMem_Free(self.pending)
        PyMem_Free(self.memo)
        PyMem_Free(self.new_numbers)
        PyMem_Free(self.buffer)
        PyMem_Free(self.plans)
        PyMem_Free(self.key_tables)
        PyMem_Free(self.quick_rules)
        Py_XDECREF(self.marker)

    cdef int begin(self) except -1:
        """Before each load: an empty stack."""
        if self.bottom == NULL:
            self.bottom = <PyObject**>allocate(SMALL_STACK, sizeof(PyObject*))
            self.full = self.bottom + SMALL_STACK
            self.top = self.bottom
        self.drop_stack(0)
        self.mark_count = self.pending_count = 0
        self.fence = self.bottom
        self.proto = self.dict_count = 0
        self.base = -(self.p - self.start)
        self.known = 0
        self.notes_numbers = self.memo_is_seen and self.memo_count
        self.has_puts = False
        self.new_count = 0
        return 0

    cdef void use_marker(self) noexcept:
        """For a pickle of some size: see collector.h. No window is open."""
        if self.marker == NULL:
            self.marker = quickpickle_new_marker()
        self.window.marker = self.marker

    cdef inline void open_window(self) noexcept:
        if unlikely(self.in_place == MAY_BE_CHANGED and self.frame_end == NULL):
            check_shown(self)
        quickpickle_open_window(&self.window)

    cdef inline void close_window(self) noexcept:
        quickpickle_close_window(&self.window)
        if unlikely(self.in_place):
            give_position(self)

    cdef object fault(self):
        """The module that makes the errors, which is Python code."""
        self.close_window()
        return loading_errors

    # The stack

    cdef int grow_stack(self) except -1:
        cdef Py_ssize_t used = self.top - self.bottom, fence = self.fence - self.bottom
        cdef Py_ssize_t room = self.full - self.bottom
        self.bottom = <PyObject**>reallocate(self.bottom, room, sizeof(PyObject*), &room)
        self.top = self.bottom + used
        self.full = self.bottom + room
        self.fence = self.bottom + fence
        return 0

    cdef inline int push(self, PyObject* obj) except -1:
        """Takes over the reference."""
        if unlikely(self.top == self.full):
            try:
                self.grow_stack()
            except BaseException:
                Py_DECREF(obj)
                raise
        self.top[0] = obj
        self.top += 1
        return 0

    cdef int drop_stack(self, Py_ssize_t height) except -1:
        """Give up what lies above `height`. May run other code."""
        cdef PyObject* obj
        while self.top - self.bottom > height:
            self.top -= 1
            obj = self.top[0]
            if is_object(obj):
                Py_DECREF(obj)
        return 0

    cdef int drop_in_window(self, Py_ssize_t height) except -1:
        """The same; other code runs only for the last reference to an object."""
        cdef PyObject* obj
        while self.top - self.bottom > height:
            self.top -= 1
            obj = self.top[0]
            if is_object(obj):
                self.let_go(obj)
        return 0

    cdef int replace(self, Py_ssize_t count, object obj) except -1:
        """An object in the place of the topmost `count`, which is at least one."""
        cdef PyObject* old
        self.drop_in_window(self.top - self.bottom - count + 1)
        old = self.top[-1]
        Py_INCREF(obj)
        self.top[-1] = <PyObject*>obj
        return self.let_go(old)

    cdef int replace_called(self, Py_ssize_t count, PyObject* made) except -1:
        """The same after a call of other code, while no window is open; takes over the reference.

        Freeing the arguments of the call may run other code too, so the window opens last. They
        were above the fence, so none of them is a pending dict.
        """
        cdef PyObject* old
        while count > 1:
            self.top -= 1
            Py_DECREF(self.top[0])
            count -= 1
        old = self.top[-1]
        self.top[-1] = made
        Py_DECREF(old)
        self.open_window()
        return 0

    cdef int push_mark(self) except -1:
        if unlikely(self.mark_count == self.mark_room):
            self.marks = <Py_ssize_t*>reallocate(
                self.marks, self.mark_room, sizeof(Py_ssize_t), &self.mark_room
            )
        self.marks[self.mark_count] = self.top - self.bottom
        self.mark_count += 1
        self.fence = self.top
        return 0

    cdef inline void set_fence(self) noexcept:
        """After a mark or a pending dict has gone."""
        cdef Py_ssize_t height = 0
        if self.mark_count:
            height = self.marks[self.mark_count - 1]
        if self.pending_count and self.pending[self.pending_count - 1].place >= height:
            height = self.pending[self.pending_count - 1].place + 1
        self.fence = self.bottom + height

    cdef Py_ssize_t pop_mark(self) except -1:
        """The height of the stack at the last mark."""
        cdef Py_ssize_t height
        if self.mark_count == 0:
            raise self.fault().no_mark()
        # A pending dict above the mark is one of the items.
        if self.pending_count and (
            self.pending[self.pending_count - 1].place >= self.marks[self.mark_count - 1]
        ):
            self.make_pending()
        self.mark_count -= 1
        height = self.marks[self.mark_count]
        self.set_fence()
        return height

    cdef int underflow(self, Py_ssize_t count) except -1:
        """There are fewer than `count` objects above the fence: make them out of what is pending.

        Raises an exception if there are too few even so.
        """
        if self.pending_count:
            self.make_pending()
            self.set_fence()
            if self.top - self.fence >= count:
                return 0
        raise self.underflow_error()

    cdef object underflow_error(self):
        made = self.fault()
        return made.unexpected_mark_found() if self.mark_count else made.stack_underflow()

    # Dicts that are not made yet

    cdef int make_room_for_pending(self) except -1:
        if unlikely(self.pending_count == self.pending_room):
            self.pending = <Pending*>reallocate(
                self.pending, self.pending_room, sizeof(Pending), &self.pending_room
            )
        return 0

    cdef void push_pending(self, Py_ssize_t number) noexcept:
        """A dict that gets its items later; `number` is that in the memo, or -1.

        There is room for it.
        """
        self.pending[self.pending_count].place = self.top - self.bottom
        self.pending[self.pending_count].number = number
        self.pending_count += 1
        self.top[0] = PENDING
        self.top += 1
        self.fence = self.top

    cdef int make_pending(self) except -1:
        """Make all of them, empty."""
        cdef PyObject* made
        cdef Pending* last
        while self.pending_count:
            made = PyDict_New()
            if made == NULL:
                return -1
            last = &self.pending[self.pending_count - 1]
            self.bottom[last.place] = made
            self.pending_count -= 1
            self.memo_has_it(last.number, made)
        return 0

    cdef void forget_pending(self) noexcept:
        """After a load that failed: the memo may be seen, so it gets dicts."""
        cdef Py_ssize_t number
        cdef PyObject* made
        while self.pending_count:
            self.pending_count -= 1
            number = self.pending[self.pending_count].number
            if 0 <= number < self.memo_room and self.memo[number] == PENDING:
                made = PyDict_New()
                if made == NULL:
                    PyErr_Clear()
                    self.memo_count -= 1
                    self.has_puts = True
                self.memo[number] = made

    cdef inline void memo_has_it(self, Py_ssize_t number, PyObject* made) noexcept:
        """The dict that was pending under this number is made."""
        if number >= 0 and number < self.memo_room and self.memo[number] == PENDING:
            Py_INCREF_(made)
            self.memo[number] = made

    # The memo

    cdef int put(self, Py_ssize_t number, PyObject* obj) except -1:
        """Memoize an object. May run other code, if there was another."""
        cdef PyObject* old
        if unlikely(self.sparse is not None or number >= self.memo_room):
            if self.put_far(number, obj):
                return 0
        old = self.memo[number]
        if old == NULL and self.notes_numbers:
            self.note_number(number)
        if is_object(obj):
            Py_INCREF_(obj)
        self.memo[number] = obj
        if old == NULL:
            self.memo_count += 1
        elif old == PENDING:
            self.forget_number(number)
        elif is_object(old):
            self.let_go(old)
        return 0

    cdef int keep(self, Py_ssize_t number, PyObject* obj) except -1:
        """The same outside of a load."""
        cdef bint was_open = self.window.is_open
        self.open_window()
        try:
            self.put(number, obj)
        finally:
            if not was_open:
                quickpickle_close_window(&self.window)
        return 0

    cdef int note_number(self, Py_ssize_t number) except -1:
        if self.new_count == self.new_room:
            self.new_numbers = <Py_ssize_t*>reallocate(
                self.new_numbers, self.new_room, sizeof(Py_ssize_t), &self.new_room
            )
        self.new_numbers[self.new_count] = number
        self.new_count += 1
        return 0

    cdef int forget_new(self) except -1:
        """After a load that failed: the memo is as it was. May run other code."""
        cdef Py_ssize_t number
        cdef PyObject* old
        if not self.memo_is_seen:
            return 0
        if not self.notes_numbers:
            return self.clear_memo()
        while self.new_count:
            self.new_count -= 1
            number = self.new_numbers[self.new_count]
            if number < self.memo_room and self.memo[number] != NULL:
                old, self.memo[number] = self.memo[number], NULL
                self.memo_count -= 1
                if is_object(old):
                    Py_DECREF(old)
            elif self.sparse is not None and number in self.sparse:
                self.memo_count -= 1
                del self.sparse[number]
        return 0

    def __sizeof__(self):
        return object.__sizeof__(self) + self.buffer_room + sizeof(PyObject*) * (
            (self.full - self.bottom) + self.memo_room
        )

    cdef void forget_number(self, Py_ssize_t number) noexcept:
        """The memo has another object in the place of a pending dict."""
        cdef Py_ssize_t i
        for i in range(self.pending_count):
            if self.pending[i].number == number:
                self.pending[i].number = -1

    cdef bint put_far(self, Py_ssize_t number, PyObject* obj) except -1:
        """Make room for `number` in the array, or put the object elsewhere, and return whether.

        Numbers of four billion come with a few bytes; so the array grows only with what is in it.
        """
        cdef Py_ssize_t room = self.memo_room
        if self.sparse is not None and number in self.sparse:
            pass
        elif number < room or number < DENSE or number // 8 <= self.memo_count:
            if number >= room:
                if not self.reads_are_known and number >= MANY_ENTRIES:
                    self.find_reads()  # many entries need not be kept
                self.memo = <PyObject**>reallocate(
                    self.memo, max(number, SMALL_MEMO), sizeof(PyObject*), &self.memo_room
                )
                memset(self.memo + room, 0, (self.memo_room - room) * sizeof(PyObject*))
            return False
        elif self.sparse is None:
            self.sparse = {}
        if number not in self.sparse:
            self.memo_count += 1
            if self.notes_numbers:
                self.note_number(number)
        self.close_window()
        self.sparse[number] = <object>obj if is_object(obj) else None
        self.open_window()
        return True

    cdef PyObject* get(self, Py_ssize_t number) except NULL:
        """The object with this number, borrowed."""
        cdef PyObject* found = NULL
        if 0 <= number < self.memo_room:
            found = self.memo[number]
            if found == PENDING:
                self.make_pending()
                self.set_fence()
                found = self.memo[number]
        if found == NULL and self.sparse is not None and number in self.sparse:
            found = <PyObject*>self.sparse[number]
        if not is_object(found):
            raise self.fault().memo_miss(number)
        return found

    cdef int memoize_read(self, Py_ssize_t number, PyObject* obj) except -1:
        """Memoize an object, if it will be read."""
        if self.is_read(number):
            return self.put(number, obj)
        return self.put_unread(number)

    cdef int put_unread(self, Py_ssize_t number) except -1:
        """Memoize an object that nobody will read."""
        if number == self.memo_count and not self.reads.has_put:
            # The numbers come in turn, so nobody will ask whether this one was used.
            self.memo_count += 1
            return 0
        return self.put(number, UNREAD)

    cdef inline bint is_read(self, Py_ssize_t number) noexcept:
        return not self.reads_are_known or QUICKPICKLE_IS_READ(&self.reads, number)

    cdef int find_reads(self) except -1:
        """Learn which entries of the memo the rest of the pickle reads.

        Where others see the memo, and where a file cannot be looked at, all count as read.
        """
        cdef uint64_t skip
        cdef Py_ssize_t i
        cdef const uint8_t* left
        cdef bint is_found = True
        self.reads_are_known = True
        self.calls_at_once = True
        if self.memo_is_seen or self.is_file and not self.is_plain_file:
            return 0
        quickpickle_begin_reads(&self.reads, self.memo_count)
        # Numbers that were put in advance of MEMOIZE: then each is looked at.
        self.reads.has_put = self.sparse is not None
        if self.has_puts:
            for i in range(self.memo_count, self.memo_room):
                if self.memo[i] != NULL:
                    self.reads.has_put = True
        left = quickpickle_find_reads(&self.reads, self.p, end_of_data(self), &skip)
        if self.is_file and left != NULL and skip <= <uint64_t>LARGEST // 2:
            is_found = find_reads_of_file(self, (left - self.p) + <Py_ssize_t>skip)
        if is_found:
            quickpickle_end_reads(&self.reads)
        else:
            quickpickle_forget_reads(&self.reads)
        return 0

    # Objects given up

    cdef inline int let_go(self, PyObject* obj) except -1:
        """Give up a reference; other code may run."""
        if Py_REFCNT(obj) > 1:
            Py_DECREF(obj)
        else:
            self.close_window()
            Py_DECREF(obj)
            self.open_window()
        return 0

    cdef int clear(self) except -1:
        """Give up the stack, and what was learned; the memo stays if it is seen by others.

        May run other code, so no window is open.
        """
        self.drop_stack(0)
        self.mark_count = self.pending_count = 0
        if self.waiting is not None:  # after an error: what was there before may hold it
            hand_over(self)
        forget_plans(self)
        quickpickle_forget_reads(&self.reads)
        self.reads_are_known = self.calls_at_once = False
        if not self.memo_is_seen:
            if self.memo_room > KEPT_MEMO or self.sparse is not None:
                self.clear_memo()
            else:
                self.empty_memo()
        return 0

    cdef void empty_memo(self) noexcept:
        """Give up its objects, and keep the array."""
        cdef Py_ssize_t i = 0, end = self.memo_room
        cdef PyObject* obj
        if not self.has_puts and self.memo_count < end:
            end = self.memo_count
        while self.memo_count and i < end:
            obj = self.memo[i]
            if obj != NULL:
                self.memo_count -= 1
                self.memo[i] = NULL
                if is_object(obj):
                    Py_DECREF(obj)
            i += 1
        self.memo_count = 0

    cdef int clear_memo(self) except -1:
        cdef PyObject** memo = self.memo
        cdef Py_ssize_t room = self.memo_room
        sparse, self.sparse = self.sparse, None
        # Taken out first, as what is freed may run other code, which may use the memo.
        self.memo = NULL
        self.memo_room = self.memo_count = 0
        free_memo(memo, room)
        return 0
