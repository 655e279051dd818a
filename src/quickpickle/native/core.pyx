# cython: language_level=3, initializedcheck=False
"""The compiled twin of pickler.py and the rooms under it: one extension, a file for each room."""

include "declarations.pxi"
include "memo.pyx"
include "writing.pyx"
include "compact.pyx"
include "atoms.pyx"
include "names.pyx"
include "containers.pyx"
include "reduction.pyx"
include "plans.pyx"
include "steps.pyx"
include "pickler.pyx"
