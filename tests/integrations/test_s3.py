"""Files in S3 by their URL: fsspec, s3fs, and a server of S3 in this process."""

from __future__ import annotations

import pytest

import quickpickle
from models import DataPoint

moto = pytest.importorskip("moto.server", reason="for `make servers` alone")
s3fs = pytest.importorskip("s3fs", reason="for `make servers` alone")

pytestmark = [
    pytest.mark.servers,
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning"),
]


@pytest.fixture
def bucket(monkeypatch):
    server = moto.ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    address = f"http://{host}:{port}"
    for name, value in {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_ENDPOINT_URL": address,
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    s3fs.S3FileSystem.clear_instance_cache()
    s3fs.S3FileSystem().mkdir("bucket")
    yield "s3://bucket"
    s3fs.S3FileSystem.clear_instance_cache()
    server.stop()


def test_a_file_in_a_bucket(bucket):
    name = "points.pkl.gz"
    points = [DataPoint(i, str(i)) for i in range(1000)]
    quickpickle.dump(points, f"{bucket}/{name}")
    assert quickpickle.load(f"{bucket}/{name}") == points
    assert s3fs.S3FileSystem().ls("bucket") == [f"bucket/{name}"]
    with pytest.raises(FileNotFoundError):
        quickpickle.load(f"{bucket}/none.pkl")
    with pytest.raises((AttributeError, quickpickle.PicklingError)):
        quickpickle.dump([points, lambda: 0], f"{bucket}/{name}")
    assert quickpickle.load(f"{bucket}/{name}") == points  # the old one is still there
