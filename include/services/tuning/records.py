"""What is stored, as objects. Times are seconds since 1970."""

from dataclasses import dataclass
from typing import Any, Generic, TypeVar

Document = dict[str, Any]
T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Experiment:
    """An experiment.

    Attributes:
        spec: parameters, metrics, conditionals and so on, checked and completed; does not change.
        budget: how many observations are wanted; for tasks, their summed cost.
        observations: how many there are.
        consumed: how much of the budget they took.
    """

    id: int
    state: str
    name: str
    project: str | None
    budget: int | None
    parallel_bandwidth: int | None
    metadata: Document | None
    spec: Document
    created: int
    updated: int
    observations: int
    consumed: float


@dataclass(frozen=True, kw_only=True)
class Suggestion:
    """A suggestion; open until it is observed or deleted. `number` counts from 1 within the experiment."""

    id: int
    experiment: int
    number: int
    assignments: Document
    task: Document | None
    metadata: Document | None
    created: int
    open: bool


@dataclass(frozen=True, kw_only=True)
class Observation:
    """An observation. `values` has one item per metric in the experiment's order, or is None if it failed."""

    id: int
    experiment: int
    suggestion: int | None
    assignments: Document
    task: Document | None
    values: list[Document] | None
    failed: bool
    metadata: Document | None
    created: int


@dataclass(frozen=True, kw_only=True)
class Page:
    """Which part of a list, newest first, is wanted: at most `limit` items with `after` < id < `before`."""

    limit: int
    before: int | None = None
    after: int | None = None


@dataclass(frozen=True, kw_only=True)
class Listing(Generic[T]):
    """A page of a list, its neighbours' marks and the length of the whole list."""

    items: list[T]
    count: int
    before: int | None
    after: int | None
