"""Django's cache on Redis, with quickpickle's serializer; Django's own reads what it wrote.

    pip install 'quickpickle[django]'
    REDIS_URL=redis://localhost:6379/0 python examples/django_cache.py

A project has CACHES in its settings; nothing else is needed.
"""

from __future__ import annotations

import datetime as dt
import os

from django.conf import settings
from django.core.cache import caches

URL = os.environ.get("REDIS_URL", "redis://localhost:6379/0")
REDIS = {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": URL}
OPTIONS = {"serializer": "quickpickle.integrations.django.Serializer"}


def main() -> None:
    settings.configure(CACHES={"default": {**REDIS, "OPTIONS": OPTIONS}, "plain": REDIS})
    visit = {"seen": dt.date(2026, 1, 2), "pages": {1, 2, 3}}
    caches["default"].set("visit", visit, timeout=60)
    assert caches["default"].get("visit") == caches["plain"].get("visit") == visit
    print(caches["plain"].get("visit")["seen"])


if __name__ == "__main__":
    main()
