"""Read by `stages/ingest`: what lands, how it is written and how often it comes."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from include.foundation.spec.part import Name, Part

Character = Annotated[str, Field(min_length=1, max_length=1, pattern=r"^[^\r\n]$")]


class Csv(Part):
    """Delimited text with a header, UTF-8; lines end in LF or CRLF (RFC 4180)."""

    type: Literal["csv"] = "csv"
    delimiter: Character = ","
    quote: Character | None = Field('"', description="null: a quote is a character like any other")

    @model_validator(mode="after")
    def _tells_them_apart(self) -> "Csv":
        if self.delimiter == self.quote:
            raise ValueError(f"delimiter and quote are both {self.quote!r}")
        return self


class JsonLines(Part):
    """One JSON object a line, UTF-8; an absent key is no value."""

    type: Literal["jsonl"]


class Parquet(Part):
    """Apache Parquet with flat columns; bronze holds each value as text."""

    type: Literal["parquet"]


Format = Annotated[Csv | JsonLines | Parquet, Field(discriminator="type")]


class Source(Part):
    """Files in the landing bucket: `<use case>/<name>/<YYYY-MM-DD>.csv`, or as many as land under `<YYYY-MM-DD>/`.

    `every: hour` has `<YYYY-MM-DD>T<HH>` (UTC) in their place. `every: snapshot` is a whole table that lands now and
    then: its absence on a day is no fault.
    """

    name: Name
    kind: Literal["file"] = "file"
    every: Literal["hour", "day", "snapshot"] = "day"
    files: Literal["one", "many"] = "one"
    format: Format = Csv()
    compression: Literal["none", "gzip"] = "none"
    contract: str = Field(description="class in contract.py that silver rows satisfy")
    columns: dict[str, str] = Field(
        default_factory=dict, description="landed name -> the contract's name, where the two differ"
    )
    unknown_columns: Literal["refuse", "ignore"] = Field(
        "refuse", description="what to do with a landed column that the contract does not have"
    )
    empty_files: Literal["refuse", "accept"] = Field(
        "refuse",
        description="what to do with a file without rows: a fault, or an hour or day on which nothing happened",
        exclude_if=lambda said: said == "refuse",  # a spec that does not say it keeps its digest
    )
    null_values: tuple[str, ...] = ("", "NA")
    max_row_bytes: int = Field(
        4 << 20, ge=1 << 10, le=64 << 20, description="a longer row is a fault of its file; so much is parsed at once"
    )

    @model_validator(mode="after")
    def _maps_columns_once(self) -> "Source":
        names = [*self.columns.values()]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"columns: two landed names for {', '.join(twice)}")
        return self

    @property
    def suffix(self) -> str:
        """How the names of its files end."""
        return f".{self.format.type}" + (".gz" if self.compression == "gzip" else "")
