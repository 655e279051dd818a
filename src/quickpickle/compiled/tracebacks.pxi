# Errors without the frames of this package: the twin of frames.py, for both extensions.
#
# What is compiled adds no frame to a traceback. Where an exception leaves a compiled function, the
# frames of the Python half are taken out: there, since before 3.12 a traceback does not belong to
# the exception while it is passed on. Frames that are left are those of other code.
#
# So where the compiled code handles an exception there may be no traceback at all. Cython knows of
# that but in a `with` statement, which would then crash: there is none in what is compiled.

from ..rules.tracebacks import PLACE

cdef extern from "tracebacks.h":
    PyObject* quickpickle_place

if PLACE:
    Py_INCREF(PLACE)
    quickpickle_place = <PyObject*>PLACE
