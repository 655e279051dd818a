"""Real servers of Redis and others."""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
import time

import pytest

from integrations.deep import REASON


@contextlib.contextmanager
def server(name, options, **settings):
    """A server that listens on a free port: the port, as text."""
    if shutil.which(name) is None:
        pytest.skip(f"{name} is not installed (apt-get install {name})")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    process = subprocess.Popen([name, *options(port)], stdout=subprocess.DEVNULL, **settings)
    try:
        for _ in range(500):
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except ConnectionRefusedError:
                time.sleep(0.02)
        yield port
    finally:
        process.terminate()
        process.wait(10)


@pytest.fixture(scope="module")
def redis_port(tmp_path_factory):
    pytest.importorskip("redis", reason=REASON)
    own = ["--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
    folder = tmp_path_factory.mktemp("redis")
    with server("redis-server", lambda port: ["--port", port, *own], cwd=folder) as port:
        yield int(port)
