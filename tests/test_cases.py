"""Cases in a loop: all are run, and the one that fails is named."""

from __future__ import annotations

import pytest

from cases import for_each

SEEN = []


@pytest.fixture(params=["a", "b"])
def letter(request):
    return request.param


@for_each("one", range(3))
@for_each("other", "xy")
def test_each_combination(letter, one, other):
    SEEN.append((letter, one, other))


def test_all_were_run():
    """After those above, in the same process."""
    if SEEN:
        letters = {letter for letter, _, _ in SEEN}
        assert len(set(SEEN)) == len(SEEN) == 6 * len(letters)


def test_a_failure_says_with_what():
    @for_each("number", [1, 0])
    @for_each("name", ["a"])
    def divides(number, name):
        assert 1 / number

    with pytest.raises(ZeroDivisionError) as caught:
        divides()
    assert caught.value.__notes__ == ["with name = 'a'", "with number = 0"]


def test_an_argument_that_is_none_of_the_test():
    with pytest.raises(AssertionError):
        for_each("other", [1])(lambda one: None)
    with pytest.raises(AssertionError):
        for_each("one", [])
