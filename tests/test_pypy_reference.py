"""pypy_reference.py, with which PyPy is compared: it takes the place of an implementation here."""

# ruff: noqa: F401 - pytest finds the tests
from __future__ import annotations

import sys

import pytest

import pypy_reference
from pickling.test_containers import (
    test_list_that_changes,
    test_recursive,
    test_sizes_around_the_batch,
)
from pickling.test_globals import test_found_by_name
from pickling.test_graphs import test_the_same_bytes
from pickling.test_memo import test_a_memo_with_gaps, test_instance_dicts_between_two_dumps
from pickling.test_reductions import test_dispatch_table, test_reducer_override
from pickling.test_scalars import test_buffer_in_band, test_bytes, test_ints_of_every_length

pytestmark = pytest.mark.skipif(
    sys.version_info[:2] != (3, 11) or sys.implementation.name != "cpython",
    reason="it is put right by what CPython 3.11 writes, whose version PyPy is",
)


@pytest.fixture
def implementation():
    return pypy_reference


@pytest.fixture
def implementations():
    return [pypy_reference]
