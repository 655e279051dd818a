"""Caches of Django: the serializer on a real Redis server, and others by install()."""

from __future__ import annotations

import pytest

import quickpickle
from integrations.deep import DEPTH, REASON, deep_list, depth
from models import DataPoint
from quickpickle.integrations.signing import SignatureError, Signer

POLICY = quickpickle.Policy.plain()
SIGNER = Signer(b"k" * 32, purpose="cache")


@pytest.fixture(scope="module")
def django_caches(redis_port, tmp_path_factory):
    pytest.importorskip("django", reason=REASON)
    from django.conf import settings
    from django.core.cache import caches

    from quickpickle.integrations.django import Serializer

    backend = "django.core.cache.backends."
    location = f"redis://127.0.0.1:{redis_port}/1"
    options = {"serializer": "quickpickle.integrations.django.Serializer"}
    redis = {"BACKEND": backend + "redis.RedisCache", "LOCATION": location}
    files = str(tmp_path_factory.mktemp("cache"))
    settings.configure(
        CACHES={
            "default": {**redis, "OPTIONS": options},
            "plain": redis,
            "policy": {**redis, "OPTIONS": {"serializer": Serializer(policy=POLICY)}},
            "signed": {**redis, "OPTIONS": {"serializer": Serializer(signer=SIGNER)}},
            "memory": {"BACKEND": backend + "locmem.LocMemCache"},
            "files": {"BACKEND": backend + "filebased.FileBasedCache", "LOCATION": files},
        }
    )
    return caches


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


@pytest.mark.parametrize("name", ["memory", "files"])
def test_the_other_caches_of_django_by_install(django_caches, name):
    cache = django_caches[name]
    deep = deep_list()
    with quickpickle.install():
        cache.set("deep", deep)
    assert depth(cache.get("deep")) == DEPTH
    with pytest.raises(RecursionError):
        cache.set("deep", deep)


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
