# Errors without the frames of this package: as rules/tracebacks.py, for both extensions.
#
# Compiled code adds no frame to a traceback. The frames of our Python code are taken out where an
# exception leaves a compiled function, since before 3.12 a traceback does not belong to the
# exception while it is passed on. Frames of other code stay.
#
# So there may be no traceback where compiled code handles an exception. Cython allows for that,
# except in a `with` statement, which would crash: compiled code has none.

from ..rules.tracebacks import PLACE

cdef extern from "tracebacks.h":
    PyObject* quickpickle_place

if PLACE:
    Py_INCREF(PLACE)
    quickpickle_place = <PyObject*>PLACE
