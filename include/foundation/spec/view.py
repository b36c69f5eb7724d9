"""A feature view: facts about an entity, each with the moment from which it was known."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from polars._typing import PolarsDataType


@dataclass(frozen=True, kw_only=True)
class View:
    """How a prediction request finds one kind of history.

    A view's frame has the `keys` columns, `known_at` (UTC) and the `values` columns. A request at `event_time` sees,
    for its own keys, the row with the greatest `known_at <= event_time`, if that is not older than `max_age`; else
    nulls. In the joined row each value is named `<view>__<value>`, and `<view>__known_at` tells when it was known.
    """

    keys: tuple[str, ...]
    max_age: timedelta
    values: Mapping[str, "PolarsDataType"] = field(default_factory=dict)
