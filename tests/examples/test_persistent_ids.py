"""The recipe of examples/persistent_ids.py, with a real database."""

from __future__ import annotations

import importlib.util
import inspect
import io
import pickle
from pathlib import Path

import pytest

sqlalchemy = pytest.importorskip("sqlalchemy", reason="for the interpreter of make test alone")
from sqlalchemy.orm import Session  # noqa: E402

PATH = Path(__file__).parents[2] / "examples" / "persistent_ids.py"


@pytest.fixture
def recipe(implementation, monkeypatch):
    monkeypatch.setattr("quickpickle.Pickler", implementation.Pickler)
    spec = importlib.util.spec_from_file_location("persistent_ids", PATH)
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(__import__("sys").modules, "persistent_ids", module)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def engine(recipe, tmp_path):
    engine = sqlalchemy.create_engine(f"sqlite:///{tmp_path}/users.db")
    recipe.Base.metadata.create_all(engine)
    yield engine
    engine.dispose()


def dumps(recipe, obj, protocol):
    file = io.BytesIO()
    recipe.SessionPickler(file, protocol).dump(obj)
    return file.getvalue()


@pytest.mark.parametrize("number", range(1, pickle.HIGHEST_PROTOCOL + 1))
def test_instances_are_references(recipe, engine, number):
    """Protocol 0 knows text only as an id."""
    with Session(engine) as session:
        users = [recipe.User(name=f"user {i}") for i in range(500)]
        session.add_all(users)
        session.flush()
        data = dumps(recipe, {"all": users, "some": users[:3], "class": recipe.User}, number)
        session.commit()
    assert b"user 7" not in data
    with Session(engine) as session:
        session.get(recipe.User, 8).name = "changed"
        session.commit()
    with Session(engine) as session:
        copy = recipe.SessionUnpickler(io.BytesIO(data), session).load()
        assert [user.id for user in copy["all"]] == list(range(1, 501))
        assert all(map(session.__contains__, copy["all"]))
        assert copy["some"][0] is copy["all"][0] is session.get(recipe.User, 1)
        assert copy["all"][7].name == "changed"
        assert copy["class"] is recipe.User


def test_records_that_differ_from_the_database(recipe, engine):
    with Session(engine) as session:
        user = recipe.User(name="new")
        with pytest.raises(pickle.PicklingError, match=r"save User first") as caught:
            dumps(recipe, [{"user": user}], 5)
        assert caught.value.path == "obj[0]['user']"
        session.add(user)
        session.flush()
        data = dumps(recipe, user, 5)
        user.name = "other"
        with pytest.raises(pickle.PicklingError, match=r"save User first"):
            dumps(recipe, user, 5)
        session.rollback()  # it was never there
    with (
        Session(engine) as session,
        pytest.raises(pickle.UnpicklingError, match=r"User \(1,\) is no longer there"),
    ):
        recipe.SessionUnpickler(io.BytesIO(data), session).load()


def test_the_stream_is_that_of_the_standard_pickler(recipe, engine):
    standard = type("Sub", (pickle.Pickler,), dict(vars(recipe.SessionPickler)))
    with Session(engine) as session:
        users = [recipe.User(name=f"user {i}") for i in range(5)]
        session.add_all(users)
        session.flush()
        file = io.BytesIO()
        standard(file, 5).dump([users, users[0]])
        assert dumps(recipe, [users, users[0]], 5) == file.getvalue()


def test_the_example(recipe, capsys):
    recipe.main()
    assert capsys.readouterr().out == "Ann's report is read by Robert and Ann\n"
    assert len(inspect.getsource(recipe.SessionPickler).splitlines()) < 30
