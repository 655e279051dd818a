# The note on an exception that ends a load: as unpickling/unpickler.py.
#
# Nothing here runs before a load has failed.


cdef int note_fault(Loader self) except -1:
    """Note on the exception that is being handled where it comes from. Runs other code."""
    cdef const uint8_t* end = end_of_data(self)
    cdef const uint8_t* start
    cdef bint is_between = self.is_between, is_reading = self.is_reading
    self.is_between = self.is_reading = False
    cdef Py_ssize_t base = self.base, passed = self.passed
    count_passed(self)
    error = sys.exc_info()[1]
    try:
        from ..scanning.faults import Fault, note_fault as note  # most programs have no use for it
        from .inspection import Scanner
    except Exception:  # no import at the end of a program: what matters is the error
        return 0
    view = None
    try:
        # From the beginning of this load on.
        start = self.start - base if base < 0 else self.start
        view = PyMemoryView_FromMemory(<char*>start, end - start, PyBUF_READ)
        fault = Fault(
            reached=base + (self.p - self.start) + passed,
            is_between=is_between,
            is_reading=is_reading,
            data=view,
            start=max(base, 0),
            known=self.known,
            read=self.file_read if self.is_file else None,
            consumed=base + (end - self.start) - self.ahead + passed,
            has_policy=self.policy is not None,
            targets=find_targets(self),
            proto=self.proto,
            fix_imports=self.fix_imports,
            encoding=self.encoding,
            renames=self.renames,
        )
        note(error, Scanner, fault)
    except Exception:
        pass
    return 0


cdef dict find_targets(Loader self):
    """By the name of an opcode: what lies on the stack that it was about to call or to change."""
    targets = {}
    if self.top - self.bottom >= 1 and is_object(self.top[-1]):
        targets["OBJ"] = <object>self.top[-1]
    if self.top - self.bottom >= 2 and is_object(self.top[-2]):
        obj = <object>self.top[-2]
        targets.update(REDUCE=obj, NEWOBJ=obj, BUILD=obj)
    if self.top - self.bottom >= 3 and is_object(self.top[-3]):
        targets["NEWOBJ_EX"] = <object>self.top[-3]
    return targets
