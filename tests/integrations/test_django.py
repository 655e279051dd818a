"""Caches of Django: the serializer on a real Redis server, and others by install()."""

from __future__ import annotations

import pytest

import quickpickle
from integrations.deep import REASON, deep_list, depth
from models import DataPoint


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
    points = [DataPoint(i, str(i)) for i in range(100)]
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
