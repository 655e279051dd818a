"""Objects for subclasses of Pickler and Unpickler, with the hooks that these have."""

from __future__ import annotations

import ast
import pickle
import random
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from workloads.instances import Department, Employee, Point, make_departments
from workloads.workload import word, workload


@dataclass
class Connection:
    """Cannot be pickled, other than by a Pickler that knows it."""

    url: str

    def __reduce__(self) -> str:
        raise TypeError("a connection is no data")


@dataclass
class Job:
    """Holds on to what cannot be pickled."""

    name: str
    connection: Connection
    arguments: list[int]


# --- Hooks of subclasses of Pickler and Unpickler. The methods are written as one writes them.
# Those of Pickler are asked about every object, or nearly so: the call is most of what they cost.

DEPARTMENTS: Final[dict[str, Department]] = {}  # what the database of a program would hold


class StoredDepartments:
    """Departments stay in the database, and the pickle names them: so do ZODB and PyTorch."""

    def persistent_id(self, obj: object) -> tuple[str, str] | None:
        if isinstance(obj, Department):
            return "department", obj.name
        return None

    def persistent_load(self, pid: tuple[str, str] | str) -> Department:
        if isinstance(pid, str):  # as protocol 0 has it
            pid = ast.literal_eval(pid)
        return DEPARTMENTS[pid[1]]


class ReopenedConnections:
    """The reader of the pickle opens connections again: so do cloudpickle and Ray."""

    def reducer_override(self, obj: object) -> Any:
        if isinstance(obj, Connection):
            return Connection, (obj.url,)
        return NotImplemented


class AllowedClasses:
    """The reader of the pickle decides what it imports: so does PyTorch."""

    allowed = frozenset(
        {Employee.__module__, "_codecs", "builtins", "copyreg", "datetime", "decimal", "uuid"}
        | {"__builtin__", "copy_reg"}  # as protocols before 3 have them
    )

    def find_class(self, module: str, name: str) -> Any:
        if module not in self.allowed:
            raise pickle.UnpicklingError(f"{module}.{name} is not allowed")
        return super().find_class(module, name)  # type: ignore[misc]


# --- Subclasses of Pickler and Unpickler


@workload("subclasses", hooks=StoredDepartments)
def with_persistent_id() -> object:
    """3,000 instances with departments that persistent_id knows, and 1,000 records."""
    rng = random.Random(0)
    departments = make_departments(rng)
    DEPARTMENTS.update((department.name, department) for department in departments)
    employees = [
        Employee(word(rng), rng.choice(departments), None, [word(rng)]) for _ in range(3000)
    ]
    records = [
        {"id": i, "name": word(rng), "score": rng.random(), "department": rng.choice(departments)}
        for i in range(1000)
    ]
    return employees, records


@workload("subclasses", hooks=ReopenedConnections)
def with_reducer_override() -> object:
    """4,000 instances, 20 of which only reducer_override knows a way to pickle, in records."""
    rng = random.Random(0)
    connections = [Connection(f"db://{word(rng)}.example.org") for _ in range(20)]
    return [
        {
            "id": i,
            "job": Job(word(rng), rng.choice(connections), [rng.randrange(100) for _ in range(3)]),
            "started": datetime.fromtimestamp(rng.randrange(10**9), UTC),
        }
        for i in range(4000)
    ]


@workload("subclasses", hooks=AllowedClasses)
def with_find_class() -> object:
    """3,000 instances and 1,000 records, of eight classes that find_class looks up."""
    rng = random.Random(0)
    departments = make_departments(rng)
    employees = [
        Employee(word(rng), rng.choice(departments), None, [word(rng)]) for _ in range(3000)
    ]
    records = [
        {
            "id": UUID(int=rng.getrandbits(128), version=4),
            "price": Decimal(rng.randrange(10**6)) / 100,
            "placed": datetime.fromtimestamp(rng.randrange(10**9), UTC),
            "point": Point(rng.randrange(1000), rng.random(), word(rng)),
        }
        for _ in range(1000)
    ]
    return employees, records
