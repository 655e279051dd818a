"""Instances of classes of pydantic, attrs, Django, SQLAlchemy and sympy; tensors of PyTorch."""

from __future__ import annotations

import ast
import random
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, Final

from workloads.workload import word, workload


@workload("models")
def pydantic_models() -> object:
    """1,000 models of pydantic, each with another one in it."""
    from workloads.pydantic_classes import Address, Customer

    rng = random.Random(0)
    return [
        Customer(
            id=number,
            name=word(rng),
            balance=rng.random(),
            joined=datetime.fromtimestamp(rng.randrange(10**9), UTC),
            address=Address(street=word(rng), postcode=str(rng.randrange(10_000, 99_999))),
            tags=[word(rng) for _ in range(2)],
        )
        for number in range(1000)
    ]


@workload("models")
def attrs_slots() -> object:
    """5,000 instances of a class of attrs with slots, its default."""
    from workloads.attrs_classes import SlotsReading

    rng = random.Random(0)
    return [SlotsReading(word(rng), rng.randrange(10**9), rng.random()) for _ in range(5000)]


@workload("models")
def attrs_frozen() -> object:
    """8,000 instances of a frozen class of attrs without slots."""
    from workloads.attrs_classes import FrozenReading

    rng = random.Random(0)
    return [FrozenReading(word(rng), rng.randrange(10**9), rng.random()) for _ in range(8000)]


@workload("models")
def django_users() -> object:
    """1,000 instances of a model of Django, its own User, as a query gives them."""
    import django
    from django.conf import settings

    if not settings.configured:
        settings.configure()
    if "django.contrib.auth" not in settings.INSTALLED_APPS:
        settings.INSTALLED_APPS = ["django.contrib.contenttypes", "django.contrib.auth"]
    django.setup()
    from django.contrib.auth.models import User

    rng = random.Random(0)
    names = [field.attname for field in User._meta.concrete_fields]
    joined = datetime.fromtimestamp(10**9, UTC)
    return [
        User.from_db(
            "default",
            names,
            [
                number,
                word(rng),
                None,
                False,
                word(rng),
                word(rng),
                word(rng),
                "",
                False,
                True,
                joined,
            ],
        )
        for number in range(1000)
    ]


@contextmanager
def _session() -> Iterator[Any]:
    """A session of SQLAlchemy on a database of 3,000 articles."""
    import sqlalchemy as sa
    from sqlalchemy.orm import Session

    from workloads.sqlalchemy_classes import Article, Base

    rng = random.Random(0)
    engine = sa.create_engine("sqlite://")
    Base.metadata.create_all(engine)
    with Session(engine) as session:
        session.add_all(
            Article(id=number, title=word(rng), price=rng.random(), stock=rng.randrange(100))
            for number in range(1, 3001)
        )
        session.commit()
        yield session
    engine.dispose()


@workload("models")
def sqlalchemy_rows() -> object:
    """3,000 rows of a query of SQLAlchemy."""
    import sqlalchemy as sa

    from workloads.sqlalchemy_classes import Article

    with _session() as session:
        return session.execute(sa.select(Article.__table__)).all()


@workload("models")
def sqlalchemy_objects() -> object:
    """1,000 instances of a mapped class of SQLAlchemy, as a cache stores them: detached."""
    import sqlalchemy as sa

    from workloads.sqlalchemy_classes import Article

    with _session() as session:
        articles = session.scalars(sa.select(Article).limit(1000)).all()
        session.expunge_all()
        return articles


@workload("models")
def sympy_expressions() -> object:
    """200 expanded polynomials and their derivatives, of sympy."""
    import sympy

    x, y, z = sympy.symbols("x y z")
    rng = random.Random(0)
    made = []
    for _ in range(100):
        a, b, c = (rng.randrange(1, 50) for _ in range(3))
        polynomial = sympy.expand((a * x + b * y - c) ** 2 * (z + sympy.Rational(a, b + c)))
        made += [polynomial, sympy.diff(sympy.sin(polynomial), x)]
    return made


class StoredTensors:
    """The memory of tensors is beside the pickle, which names it, as torch.save has it."""

    stored: Final[dict[str, Any]] = {}  # what the file would hold

    def persistent_id(self, obj: object) -> tuple[str, str, str, str, int] | None:
        if type(obj).__name__ != "TypedStorage":
            return None
        storage: Any = obj
        key = str(storage._cdata)
        self.stored[key] = storage
        return "storage", str(storage.dtype), key, "cpu", storage._size()

    def persistent_load(self, pid: tuple[str, str, str, str, int] | str) -> Any:
        if isinstance(pid, str):  # as protocol 0 has it
            pid = ast.literal_eval(pid)
        return self.stored[pid[2]]


@workload("models", hooks=StoredTensors)
def torch_state_dict() -> object:
    """The state of a model of PyTorch with 400 layers; torch.save writes it with protocol 2."""
    import torch

    layers = [torch.nn.Linear(8, 8) for _ in range(400)]
    return torch.nn.Sequential(*layers).state_dict()
