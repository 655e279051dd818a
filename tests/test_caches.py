"""Queues and caches: kombu, Celery, Django, Flask-Caching, Redis; with a real Redis server."""

from __future__ import annotations

import dataclasses
import os
import pickle
import shutil
import socket
import subprocess
import sys
import time
from importlib import metadata
from pathlib import Path

import pytest

import quickpickle

REASON = "for the interpreter of make test alone"
EXAMPLES = Path(__file__).parents[1] / "examples"


@dataclasses.dataclass
class Point:
    x: int
    y: object = None


def deep_list():
    """What the standard library's pickler gives up on: where this goes, quickpickle has written."""
    points = None
    for i in range(20_000):
        points = Point(i, points)
    with pytest.raises(RecursionError):
        pickle.dumps(points)
    return points


def depth(points):
    count = 0
    while points is not None:
        count, points = count + 1, points.y
    return count


@pytest.fixture(scope="module")
def redis_port(tmp_path_factory):
    pytest.importorskip("redis", reason=REASON)
    if shutil.which("redis-server") is None:
        pytest.skip("redis-server is not installed (apt-get install redis-server)")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    options = ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
    server = subprocess.Popen(
        ["redis-server", *options],
        stdout=subprocess.DEVNULL,
        cwd=tmp_path_factory.mktemp("redis"),
    )
    try:
        for _ in range(500):
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except ConnectionRefusedError:
                time.sleep(0.02)
        yield port
    finally:
        server.terminate()
        server.wait(10)


# --- Redis


def test_redis(redis_port):
    import redis

    points = [Point(i, str(i)) for i in range(100)]
    with redis.Redis(port=redis_port) as client:
        client.set("points", quickpickle.dumps(points, protocol=5))
        assert pickle.loads(client.get("points")) == points
        client.set("deep", quickpickle.dumps(deep_list()))
        assert depth(pickle.loads(client.get("deep"))) == 20_000


# --- Django


@pytest.fixture(scope="module")
def django_caches(redis_port, tmp_path_factory):
    pytest.importorskip("django", reason=REASON)
    from django.conf import settings
    from django.core.cache import caches

    backend = "django.core.cache.backends."
    location = f"redis://127.0.0.1:{redis_port}/1"
    options = {"serializer": "quickpickle.integrations.django.Serializer"}
    redis = {"BACKEND": backend + "redis.RedisCache", "LOCATION": location}
    files = str(tmp_path_factory.mktemp("cache"))
    settings.configure(
        CACHES={
            "default": {**redis, "OPTIONS": options},
            "plain": redis,
            "memory": {"BACKEND": backend + "locmem.LocMemCache"},
            "files": {"BACKEND": backend + "filebased.FileBasedCache", "LOCATION": files},
        }
    )
    return caches


def test_django_on_redis(django_caches):
    cache, plain = django_caches["default"], django_caches["plain"]
    points = [Point(i, str(i)) for i in range(100)]
    cache.set("points", points)
    assert cache.get("points") == plain.get("points") == points
    plain.set_many({"a": {1: 2}, "b": True})
    assert cache.get_many(["a", "b"]) == {"a": {1: 2}, "b": True}
    cache.set("count", 1)
    assert cache.incr("count", 5) == 6
    cache.set("deep", deep_list())
    assert depth(plain.get("deep")) == 20_000
    with pytest.raises(RecursionError):
        plain.set("deep", deep_list())


@pytest.mark.parametrize("name", ["memory", "files"])
def test_the_other_caches_of_django_by_install(django_caches, name):
    cache = django_caches[name]
    deep = deep_list()
    with quickpickle.install():
        cache.set("deep", deep)
    assert depth(cache.get("deep")) == 20_000
    with pytest.raises(RecursionError):
        cache.set("deep", deep)


# --- Flask-Caching


@pytest.mark.parametrize("kind", ["SimpleCache", "FileSystemCache", "RedisCache"])
def test_flask_caching_by_install(request, tmp_path, kind):
    flask = pytest.importorskip("flask", reason=REASON)
    caching = pytest.importorskip("flask_caching", reason=REASON)
    config = {"CACHE_TYPE": kind, "CACHE_DIR": str(tmp_path)}
    if kind == "RedisCache":
        config["CACHE_REDIS_PORT"] = request.getfixturevalue("redis_port")
    app = flask.Flask("app")
    cache = caching.Cache(app, config=config)
    calls, deep = [], deep_list()

    @cache.memoize()
    def compute(number):
        calls.append(number)
        return deep

    with app.app_context(), quickpickle.install():
        assert depth(compute(1)) == depth(compute(1)) == 20_000
    assert calls == [1]


# --- kombu and Celery


@pytest.fixture
def kombu():
    kombu = pytest.importorskip("kombu", reason=REASON)
    names = metadata.entry_points(group="kombu.serializers").names
    assert "quickpickle" in names, "the package that is installed is older than pyproject.toml"
    return kombu


def test_the_serializer_of_kombu(kombu):
    """By a broker in memory; it is there without an import of ours."""
    points = [Point(i, str(i)) for i in range(100)]
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


def test_it_has_to_be_allowed(kombu):
    content_type, encoding, data = kombu.serialization.dumps(Point(1), serializer="quickpickle")
    prepare = kombu.serialization.prepare_accept_content
    allowed = prepare(["quickpickle"])
    assert kombu.serialization.loads(data, content_type, encoding, allowed) == Point(1)
    for accept in (prepare(["json"]), prepare(["json", "pickle"])):
        with pytest.raises(kombu.exceptions.ContentDisallowed):
            kombu.serialization.loads(data, content_type, encoding, accept)


@pytest.mark.parametrize(
    ("name", "needs", "output"),
    [
        ("celery_tasks", "celery", "10 records, of the total 190\n"),  # with a worker process
        ("django_cache", "django", "2026-01-02\n"),
        ("redis_values", "redis", "2026-01-02\n"),
    ],
)
def test_an_example_on_redis(redis_port, tmp_path, name, needs, output):
    pytest.importorskip(needs, reason=REASON)
    environment = {**os.environ, "REDIS_URL": f"redis://127.0.0.1:{redis_port}/2"}
    run = [sys.executable, str(EXAMPLES / f"{name}.py")]
    result = subprocess.run(
        run, capture_output=True, text=True, timeout=60, check=False, env=environment, cwd=tmp_path
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout == output
