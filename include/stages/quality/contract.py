"""A contract as ingest uses it: a pandera model, which of its columns land, and how the others follow from them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import narwhals as nw
import polars as pl

from include.foundation.echo import cause
from include.foundation.errors import InvalidInput
from include.stages.quality.casting import Reading, check_type, reading
from include.stages.quality.checks import Rule, rules, run_check

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import pandera.polars as pa

DAY = "event_date"
ADDED = {"source_uri", "source_position", "ingested_at", "reasons", "run_id"}  # by ingest, beside the landed columns


@dataclass(frozen=True, kw_only=True)
class Contract:
    """A pandera schema, read once.

    Attributes:
        name: the model's name, for messages.
        schema: the pandera schema: its verdict is the truth.
        readings: per landed column, in order, how its text becomes a value.
        derived: per column with `derived` in its metadata, the function that returns its narwhals expression.
        rules: everything that a typed row can fail by itself.
        unique: what no two rows may have in common.
    """

    name: str
    schema: pa.DataFrameSchema
    readings: Mapping[str, Reading]
    derived: Mapping[str, Callable[[], nw.Expr]]
    rules: Sequence[Rule]
    unique: Sequence[Rule]

    @classmethod
    def of(cls, model: type[pa.DataFrameModel]) -> Contract:
        """Read a model.

        Raises:
            InvalidInput: the model asks for what ingest does not do: its rows must have the same verdict whether a day
                is judged alone or in a range, and values are judged as they landed. Or a check or a derived column
                cannot be evaluated; the message has the cause.
        """
        schema = model.to_schema()
        name = model.__name__
        derived = {key: (column.metadata or {}).get("derived") for key, column in schema.columns.items()}
        if DAY not in schema.columns:
            raise InvalidInput(f"contract {name}: it needs a column `{DAY}: date`, the day of the file")
        if taken := ADDED & {*schema.columns}:
            raise InvalidInput(
                f"contract {name}: ingest adds columns {sorted(taken)} of its own: land them under others"
            )
        for key, column in schema.columns.items():
            if derived[key] is not None and not callable(derived[key]):
                raise InvalidInput(
                    f"contract {name}: column {key!r}: `derived` must be a function that returns a narwhals expression,"
                    f" such as `lambda: nw.col('a') + nw.col('b')`; it is {str(derived[key])[:100]!r}"
                )
            for check in column.checks:
                if check.name in ("isin", "notin") and any(isinstance(v, str) for v in check.statistics.values()):
                    raise InvalidInput(
                        f"contract {name}: column {key!r}: {check.name} of one text is read as its letters: give a list"
                    )
            if column.regex or not column.required or column.default is not None or column.coerce:
                raise InvalidInput(f"contract {name}: column {key!r} must be required, with no regex, default, coerce")
            check_type(name, key, column.dtype.type)
            if column.unique and key != DAY:
                raise InvalidInput(
                    f"contract {name}: say `unique = ({DAY!r}, {key!r})` in Config instead of unique={key!r}:"
                    " a run may see one day or many"
                )
        if schema.unique and DAY not in schema.unique:
            raise InvalidInput(f"contract {name}: Config.unique needs {DAY!r}: a run may see one day or many")
        judged = rules(schema)
        contract = cls(
            name=name,
            schema=schema,
            readings={
                key: reading(name, key, column)
                for key, column in schema.columns.items()
                if derived[key] is None and key != DAY
            },
            derived={key: derive for key, derive in derived.items() if derive is not None},
            rules=[rule for rule in judged if not rule.unique],
            unique=[rule for rule in judged if rule.unique],
        )
        contract._try()
        return contract

    @property
    def landed(self) -> tuple[str, ...]:
        """Columns of a landed file, in order."""
        return tuple(self.readings)

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns of silver, in order."""
        return tuple(self.schema.columns)

    @property
    def sensitive(self) -> frozenset[str]:
        """Columns whose values are not for everybody: `metadata={"sensitive": True}`."""
        return frozenset(key for key, column in self.schema.columns.items() if (column.metadata or {}).get("sensitive"))

    def silver(self) -> pl.Schema:
        """Names and types of silver's columns."""
        return pl.Schema({name: column.dtype.type for name, column in self.schema.columns.items()})

    def _try(self) -> None:
        """Evaluate what the use case wrote once, without rows, so that its mistakes are not taken for bad data."""
        silver = self.silver()
        landed = pl.DataFrame(schema={key: kind for key, kind in silver.items() if key not in self.derived})
        for key, derive in self.derived.items():
            try:
                kind = nw.from_native(landed).with_columns(**{key: derive()}).to_native().schema[key]
            except Exception as error:
                raise InvalidInput(f"contract {self.name}: column {key!r} cannot be derived: {cause(error)}") from error
            if kind != silver[key]:
                raise InvalidInput(
                    f"contract {self.name}: column {key!r} is derived as {kind}, and the contract says {silver[key]}"
                )
        for rule in self.rules:
            if isinstance(rule.fails, nw.Expr):
                continue
            # A pattern is only read where there is a text.
            text = rule.column is not None and silver[rule.column] == pl.String and not rule.own
            frame = pl.DataFrame(
                {key: ["a" if key == rule.column else None] for key in silver} if text else None, silver
            )
            try:
                answer = run_check(rule.fails, frame, rule.column)
            except Exception as error:
                raise InvalidInput(f"contract {self.name}: check {str(rule)!r} cannot run: {cause(error)}") from error
            if len(answer) != len(frame):
                raise InvalidInput(
                    f"contract {self.name}: check {str(rule)!r} answers once for all rows: it must say of each row"
                    " whether it passes"
                )
