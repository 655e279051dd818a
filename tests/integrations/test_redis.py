"""Redis, Flask-Caching, and the examples that need a Redis server."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from pathlib import Path

import pytest

import quickpickle
from integrations.deep import DEPTH, REASON, deep_list, depth
from models import DataPoint

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.mark.servers
def test_redis(redis_port):
    import redis

    points = [DataPoint(i, str(i)) for i in range(100)]
    with redis.Redis(port=redis_port) as client:
        client.set("points", quickpickle.dumps(points, protocol=5))
        assert pickle.loads(client.get("points")) == points
        client.set("deep", quickpickle.dumps(deep_list()))
        assert depth(pickle.loads(client.get("deep"))) == DEPTH


@pytest.mark.parametrize(
    "kind",
    ["SimpleCache", "FileSystemCache", pytest.param("RedisCache", marks=pytest.mark.servers)],
)
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
        assert depth(compute(1)) == depth(compute(1)) == DEPTH
    assert calls == [1]


@pytest.mark.servers
@pytest.mark.parametrize(
    ("name", "needs", "output"),
    [
        ("arq_jobs", "arq", "20000 orders\n"),
        ("celery_tasks", "celery", "10 records, of the total 190\n"),  # with a worker process
        ("django_cache", "django", "2026-01-02\n"),
        ("redis_values", "redis", "2026-01-02\n"),
        ("rq_jobs", "rq", "the mean is 3.0\na job without a signature is refused\n"),
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
