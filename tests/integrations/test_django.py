"""Caches of Django, on real servers of Redis and Memcached, in a database and others; sessions."""

from __future__ import annotations

import importlib
import sys

import pytest

import quickpickle
from integrations.conftest import server
from integrations.deep import DEPTH, REASON, deep_list, depth
from models import DataPoint
from quickpickle.integrations.signing import SignatureError, Signer

pytestmark = pytest.mark.servers  # the settings, which can be set once, name a Redis server

POLICY = quickpickle.Policy.plain()
SIGNER = Signer(b"k" * 32, purpose="cache")


@pytest.fixture(scope="module")
def django_caches(redis_port, tmp_path_factory):
    django = pytest.importorskip("django", reason=REASON)
    from django.conf import settings
    from django.core.cache import caches

    from quickpickle.integrations.django import Serializer

    backend = "django.core.cache.backends."
    location = f"redis://127.0.0.1:{redis_port}/1"
    options = {"serializer": "quickpickle.integrations.django.Serializer"}
    redis = {"BACKEND": backend + "redis.RedisCache", "LOCATION": location}
    files = tmp_path_factory.mktemp("cache")
    database = {"ENGINE": "django.db.backends.sqlite3", "NAME": str(files / "database")}
    settings.configure(
        SECRET_KEY="of these tests",
        DATABASES={"default": database},
        INSTALLED_APPS=["django.contrib.sessions"],
        SESSION_SERIALIZER="quickpickle.integrations.django.Serializer",
        CACHES={
            "default": {**redis, "OPTIONS": options},
            "plain": redis,
            "policy": {**redis, "OPTIONS": {"serializer": Serializer(policy=POLICY)}},
            "signed": {**redis, "OPTIONS": {"serializer": Serializer(signer=SIGNER)}},
            "memory": {"BACKEND": backend + "locmem.LocMemCache"},
            "files": {"BACKEND": backend + "filebased.FileBasedCache", "LOCATION": str(files)},
            "database": {"BACKEND": backend + "db.DatabaseCache", "LOCATION": "cache"},
            "memcached": {"BACKEND": backend + "memcached.PyMemcacheCache"},
        },
    )
    django.setup()
    django.core.management.call_command("createcachetable", "cache")
    django.core.management.call_command("migrate", verbosity=0)
    yield caches
    django.db.connection.close()


def test_django_on_redis(django_caches):
    cache, plain = django_caches["default"], django_caches["plain"]
    points = [DataPoint(i, str(i)) for i in range(100)]
    cache.set("points", points)
    assert cache.get("points") == plain.get("points") == points
    plain.set_many({"a": {1: 2}, "b": True})
    assert cache.get_many(["a", "b"]) == {"a": {1: 2}, "b": True}
    cache.set("count", 1)
    assert cache.incr("count", 5) == 6
    cache.set("deep", deep_list())
    assert depth(plain.get("deep")) == DEPTH
    with pytest.raises(RecursionError):
        plain.set("deep", deep_list())


@pytest.fixture
def memcached(django_caches):
    pytest.importorskip("pymemcache", reason=REASON)
    with server("memcached", lambda port: ["-u", "nobody", "-l", "127.0.0.1", "-p", port]) as port:
        django_caches.settings["memcached"]["LOCATION"] = f"127.0.0.1:{port}"
        yield


@pytest.mark.parametrize("name", ["memory", "files", "database", "memcached"])
def test_the_other_caches_of_django_by_install(request, django_caches, name):
    if name == "memcached":
        request.getfixturevalue(name)
    cache = django_caches[name]
    deep = deep_list()
    with quickpickle.install():
        cache.set("deep", deep)
        assert depth(cache.get("deep")) == DEPTH
    assert depth(cache.get("deep")) == DEPTH
    with pytest.raises(RecursionError):
        cache.set("deep", deep)


@pytest.mark.parametrize("backend", ["db", "file", "signed_cookies", "cache"])
def test_sessions(django_caches, backend, tmp_path):
    """Objects in a session; Django signs them. By the cache they go as its serializer does it."""
    from django.test.utils import override_settings

    module = importlib.import_module(f"django.contrib.sessions.backends.{backend}")
    with override_settings(SESSION_FILE_PATH=str(tmp_path)):
        session = module.SessionStore()
        session["deep"] = deep_list()
        session.save()
        copy = module.SessionStore(session.session_key)
        assert depth(copy["deep"]) == DEPTH


def test_sessions_under_a_policy(django_caches, monkeypatch, capsys):
    """Django makes an empty session of one that cannot be loaded."""
    from django.contrib.sessions.backends.signed_cookies import SessionStore
    from django.test.utils import override_settings

    from quickpickle.integrations.django import Serializer

    class Plain(Serializer):
        def __init__(self):
            super().__init__(policy=POLICY)

    monkeypatch.setattr(sys.modules[__name__], "Plain", Plain, raising=False)
    with override_settings(SESSION_SERIALIZER=f"{__name__}.Plain"):
        for value, loaded in (([1, 2.5], True), (Harmful(), False)):
            session = SessionStore()
            session["value"] = value
            session.save()
            copy = SessionStore(session.session_key)
            assert dict(copy.items()) == ({"value": value} if loaded else {})
    assert capsys.readouterr().out == ""


class Harmful:
    def __reduce__(self):
        return print, ("this ran",)


def test_a_policy(django_caches):
    cache, plain = django_caches["policy"], django_caches["plain"]
    cache.set("data", {"a": [1, 2.5]})
    assert cache.get("data") == plain.get("data") == {"a": [1, 2.5]}
    plain.set("object", DataPoint(1))
    with pytest.raises(quickpickle.PolicyError):
        cache.get("object")


def test_signatures(django_caches):
    cache, plain = django_caches["signed"], django_caches["plain"]
    cache.set("signed", DataPoint(1))
    assert cache.get("signed") == DataPoint(1)
    plain.set("signed", DataPoint(2))
    with pytest.raises(SignatureError):
        cache.get("signed")
    cache.set("count", 1)
    assert cache.incr("count", 5) == 6


def test_options_that_contradict(django_caches):
    from quickpickle.integrations.django import Serializer

    for options in ({"policy": POLICY}, {"protocol": 2}):
        with pytest.raises(TypeError, match="belong into the signer"):
            Serializer(signer=SIGNER, **options)
