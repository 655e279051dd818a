"""The serializer of kombu, with a broker in memory."""

from __future__ import annotations

from importlib import metadata

import pytest

from integrations.deep import REASON, deep_list, depth
from models import DataPoint


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
        assert depth(message.payload["deep"]) == 20_000
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
