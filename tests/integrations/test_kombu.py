"""The serializer of kombu, with a broker in memory."""

from __future__ import annotations

import pickle
from importlib import metadata

import pytest

import quickpickle
from integrations.deep import DEPTH, REASON, deep_list, depth
from models import DataPoint
from quickpickle.integrations.kombu import register, register_args
from quickpickle.integrations.signing import SignatureError, Signer


@pytest.fixture
def kombu():
    kombu = pytest.importorskip("kombu", reason=REASON)
    names = metadata.entry_points(group="kombu.serializers").names
    assert "quickpickle" in names, "the package that is installed is older than pyproject.toml"
    return kombu


def test_the_serializer_of_kombu(kombu):
    """It is found without an import of quickpickle."""
    points = [DataPoint(i, str(i)) for i in range(100)]
    with kombu.Connection("memory://") as connection:
        queue = connection.SimpleQueue("points")
        queue.consumer.accept = {"application/x-quickpickle"}
        queue.put({"points": points, "deep": deep_list()}, serializer="quickpickle")
        message = queue.get(timeout=5)
        assert message.content_type == "application/x-quickpickle"
        assert message.payload["points"] == points
        assert depth(message.payload["deep"]) == DEPTH
        message.ack()
        queue.close()


def test_the_content_type_has_to_be_accepted(kombu):
    content_type, encoding, data = kombu.serialization.dumps(DataPoint(1), serializer="quickpickle")
    prepare = kombu.serialization.prepare_accept_content
    allowed = prepare(["quickpickle"])
    assert kombu.serialization.loads(data, content_type, encoding, allowed) == DataPoint(1)
    for accept in (prepare(["json"]), prepare(["json", "pickle"])):
        with pytest.raises(kombu.exceptions.ContentDisallowed):
            kombu.serialization.loads(data, content_type, encoding, accept)


class Harmful:
    def __reduce__(self):
        return print, ("this ran",)


@pytest.mark.parametrize("is_signed", [False, True])
def test_a_policy_and_signatures(kombu, is_signed, capsys):
    policy = quickpickle.Policy.plain().allow(DataPoint)
    signer = Signer(b"k" * 32, purpose="tasks", policy=policy) if is_signed else None
    name = f"quickpickle-{is_signed}"
    register(name, policy=None if is_signed else policy, signer=signer)
    try:
        content_type, encoding, data = kombu.serialization.dumps([DataPoint(1)], serializer=name)
        assert content_type == f"application/x-{name}"
        accept = kombu.serialization.prepare_accept_content([name])
        assert kombu.serialization.loads(data, content_type, encoding, accept) == [DataPoint(1)]
        with pytest.raises(kombu.exceptions.ContentDisallowed):
            kombu.serialization.loads(data, "application/x-quickpickle", encoding, accept)
        harmful = kombu.serialization.dumps(Harmful(), serializer=name)[2]
        causes = {harmful: quickpickle.PolicyError}
        causes[pickle.dumps(Harmful())] = SignatureError if is_signed else quickpickle.PolicyError
        for packet, kind in causes.items():
            with pytest.raises(kombu.exceptions.DecodeError) as caught:
                kombu.serialization.loads(packet, content_type, encoding, accept)
            assert type(caught.value.args[0]) is kind
        assert capsys.readouterr().out == ""
    finally:
        kombu.serialization.unregister(name)
    with pytest.raises(TypeError, match="belongs into the signer"):
        register(name, policy=policy, signer=Signer(b"k" * 32))


def test_a_policy_for_the_serializer_of_the_entry_point(kombu):
    register(policy=quickpickle.Policy.plain())
    try:
        content_type, encoding, data = kombu.serialization.dumps(DataPoint(1), "quickpickle")
        accept = kombu.serialization.prepare_accept_content(["quickpickle"])
        with pytest.raises(kombu.exceptions.DecodeError):
            kombu.serialization.loads(data, content_type, encoding, accept)
    finally:
        kombu.serialization.register("quickpickle", *register_args)
