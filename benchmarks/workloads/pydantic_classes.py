"""Models of pydantic, for the workload that imports this file where pydantic is installed."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel


class Address(BaseModel):  # type: ignore[misc]
    street: str
    postcode: str


class Customer(BaseModel):  # type: ignore[misc]
    """Has a __getstate__ in Python, of BaseModel, and a state of four parts."""

    id: int
    name: str
    balance: float
    joined: datetime
    address: Address
    tags: list[str]
