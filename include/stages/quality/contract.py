"""A contract as ingest uses it: a pandera model, which of its columns land, and how the others follow from them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from include.foundation.errors import InvalidInput
from include.stages.quality.casting import check_type, parser
from include.stages.quality.checks import Rule, rules

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import narwhals as nw
    import pandera.polars as pa
    import polars as pl

DAY = "event_date"
ADDED = {"source_file", "line", "ingested_at", "reasons", "run_id"}  # by ingest, beside the landed columns


@dataclass(frozen=True, kw_only=True)
class Contract:
    """A pandera schema, read once.

    Attributes:
        name: the model's name, for messages.
        schema: the pandera schema: its verdict is the truth.
        parsers: per landed column, in order, how its text becomes a value.
        derived: per column with `derived` in its metadata, the function that returns its narwhals expression.
        rules: everything that a typed row can fail.
    """

    name: str
    schema: pa.DataFrameSchema
    parsers: Mapping[str, Callable[[pl.Expr], pl.Expr]]
    derived: Mapping[str, Callable[[], nw.Expr]]
    rules: Sequence[Rule]

    @classmethod
    def of(cls, model: type[pa.DataFrameModel]) -> Contract:
        """Read a model.

        Raises:
            InvalidInput: the model asks for what ingest does not do: its rows must have the same verdict whether a day
                is judged alone or in a range, and values are judged as they landed.
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
        return cls(
            name=name,
            schema=schema,
            parsers={
                key: parser(name, key, column)
                for key, column in schema.columns.items()
                if derived[key] is None and key != DAY
            },
            derived={key: derive for key, derive in derived.items() if derive is not None},
            rules=rules(schema),
        )

    @property
    def landed(self) -> tuple[str, ...]:
        """Columns of a landed file, in order."""
        return tuple(self.parsers)

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns of silver, in order."""
        return tuple(self.schema.columns)

    def silver(self) -> pl.Schema:
        """Names and types of silver's columns."""
        import polars as pl

        return pl.Schema({name: column.dtype.type for name, column in self.schema.columns.items()})
