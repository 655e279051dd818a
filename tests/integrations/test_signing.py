"""Signed pickles: what is loaded, what is refused, and that nothing of that is read."""

from __future__ import annotations

import hashlib
import hmac
import pickle

import pytest

import quickpickle
from models import DataPoint
from quickpickle.integrations.signing import SignatureError, Signer

KEY, OLD, OTHER = (bytes([n]) * 32 for n in (1, 2, 3))


RAN = []


def run():
    RAN.append(1)


class Runs:
    """Does something when it is loaded."""

    def __reduce__(self):
        return run, ()


@pytest.fixture
def runs():
    RAN.clear()
    yield RAN
    RAN.clear()


def test_a_round_trip():
    signer = Signer(KEY)
    points = [DataPoint(i, str(i)) for i in range(100)]
    data = signer.dumps(points)
    for packet in (data, bytearray(data), memoryview(data)):
        assert signer.loads(packet) == points
    with pytest.raises(TypeError):
        signer.loads(data.decode("latin-1"))
    assert data[32:] == quickpickle.dumps(points)
    assert Signer(KEY, protocol=2).dumps(1)[32:] == b"\x80\2K\1."


def test_the_signature_is_hmac():
    data = Signer(KEY, purpose="jobs").dumps([1])
    expected = hmac.digest(KEY, b"\0\0\0\0\0\0\0\4jobs" + data[32:], hashlib.sha256)
    assert data[:32] == expected


def test_each_changed_bit_is_refused(runs):
    signer = Signer(KEY)
    data = signer.dumps([Runs()])
    for place in range(len(data)):
        for bit in range(8):
            changed = bytearray(data)
            changed[place] ^= 1 << bit
            with pytest.raises(SignatureError):
                signer.loads(changed)
    assert runs == []
    signer.loads(data)
    assert runs == [1]


@pytest.mark.parametrize("size", [0, 1, 31, 32, 33])
def test_what_is_cut_off_is_refused(size):
    signer = Signer(KEY)
    with pytest.raises(SignatureError, match="not signed with a key of ours"):
        signer.loads(signer.dumps([1])[:size])


def test_nothing_is_read_before(monkeypatch):
    """Of a pickle that is not signed, and of one with the signature of another key."""
    read = []
    monkeypatch.setattr(quickpickle, "loads", lambda *args, **options: read.append(args))
    for data in (pickle.dumps(1), b"\0" * 32 + pickle.dumps(1), Signer(OTHER).dumps(1), b""):
        with pytest.raises(pickle.UnpicklingError, match="not signed"):
            Signer([KEY, OLD]).loads(data)
    assert read == []
    Signer(KEY).loads(Signer(KEY).dumps(1))
    assert len(read) == 1


def test_keys_are_rotated():
    old, both, new = Signer(OLD), Signer([KEY, OLD]), Signer(KEY)
    assert both.loads(old.dumps(1)) == both.loads(both.dumps(1)) == new.loads(both.dumps(1)) == 1
    for reader, writer in ((old, both), (new, old), (old, new)):
        with pytest.raises(SignatureError):
            reader.loads(writer.dumps(1))


def test_the_comparison_takes_constant_time(monkeypatch):
    """That of hmac, for each of the keys, whichever it is."""
    compared = []

    def compare(one, other, original=hmac.compare_digest):
        compared.append(bytes(other))
        return original(one, other)

    monkeypatch.setattr(hmac, "compare_digest", compare)
    signer = Signer([KEY, OLD])
    signer.loads(signer.dumps(1))
    assert len(compared) == 2
    with pytest.raises(SignatureError):
        signer.loads(b"\0" * 40)
    assert compared[2:] == [b"\0" * 32] * 2


def test_purposes_are_kept_apart():
    jobs = Signer(KEY, purpose="jobs")
    assert jobs.loads(jobs.dumps(1)) == 1
    for other in (Signer(KEY), Signer(KEY, purpose="cache"), Signer(KEY, purpose="job")):
        with pytest.raises(SignatureError):
            other.loads(jobs.dumps(1))
        with pytest.raises(SignatureError):
            jobs.loads(other.dumps(1))


def test_the_policy(runs):
    signer = Signer(KEY, policy=quickpickle.Policy.plain())
    assert signer.loads(signer.dumps({"a": [1, 2.5]})) == {"a": [1, 2.5]}
    with pytest.raises(quickpickle.PolicyError):
        signer.loads(signer.dumps([Runs()]))
    assert runs == []


@pytest.mark.parametrize(
    "keys", ["text", ["text"], [KEY, None], [], b"", b"short", [KEY, b"short"]]
)
def test_keys_that_are_none(keys):
    with pytest.raises((TypeError, ValueError), match="key"):
        Signer(keys)
