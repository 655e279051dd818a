"""Objects that live in a database are pickled as references, and come back from its session.

    pip install quickpickle sqlalchemy
    python examples/persistent_ids.py

SQLite, with the ORM of SQLAlchemy; the same goes for any other database that it knows.
"""

from __future__ import annotations

import pickle
import tempfile
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine, inspect
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

import quickpickle


class SessionPickler(quickpickle.Pickler):
    """Writes what has been saved to the database as its class and primary key."""

    def persistent_id(self, obj: Any) -> Any:
        state = inspect(obj, raiseerr=False) if hasattr(type(obj), "__mapper__") else None
        if state is None:
            return None
        if state.identity is None or state.modified:
            raise pickle.PicklingError(f"save {type(obj).__qualname__} first: session.flush()")
        return type(obj), state.identity


class SessionUnpickler(quickpickle.Unpickler):
    """Takes these from a session."""

    def __init__(self, file: Any, session: Session) -> None:
        super().__init__(file)
        self.session = session

    def persistent_load(self, pid: Any) -> Any:
        found = self.session.get(*pid)
        if found is None:
            raise pickle.UnpicklingError(f"{pid[0].__qualname__} {pid[1]} is no longer there")
        return found


class Base(DeclarativeBase):
    pass


class User(Base):
    __tablename__ = "user"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        engine = create_engine(f"sqlite:///{folder}/users.db")
        Base.metadata.create_all(engine)
        path = Path(folder, "report.pkl")
        with Session(engine) as session:
            ann, bob = User(name="Ann"), User(name="Bob")
            session.add_all([ann, bob])
            session.commit()
            report = {"author": ann, "readers": [bob, ann], "text": "…" * 1000}
            with path.open("wb") as file:
                SessionPickler(file).dump(report)
            bob.name = "Robert"
            session.commit()
        with Session(engine) as session, path.open("rb") as file:
            report = SessionUnpickler(file, session).load()
            names = [user.name for user in report["readers"]]
            assert report["author"] is report["readers"][1]
            assert names == ["Robert", "Ann"]  # as they are in the database now
            print(f"{report['author'].name}'s report is read by {' and '.join(names)}")
        engine.dispose()


if __name__ == "__main__":
    main()
