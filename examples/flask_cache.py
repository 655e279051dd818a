"""The values that Flask-Caching keeps in files, written by quickpickle.

pip install quickpickle flask flask-caching
python examples/flask_cache.py
"""

from __future__ import annotations

import tempfile

import flask
import flask_caching

import quickpickle


def main() -> None:
    quickpickle.install()
    app = flask.Flask(__name__)
    with tempfile.TemporaryDirectory() as folder:
        config = {"CACHE_TYPE": "FileSystemCache", "CACHE_DIR": folder}
        cache = flask_caching.Cache(app, config=config)
        calls = []

        @app.route("/<int:number>")
        @cache.memoize()
        def square(number: int) -> dict[str, int]:
            calls.append(number)
            return {"square": number * number}

        client = app.test_client()
        answers = [client.get("/7").json for _ in range(2)]
    print(f"{answers[0]['square']}, {answers[1]['square']}, computed {len(calls)} time")


if __name__ == "__main__":
    main()
