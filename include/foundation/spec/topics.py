"""Read by `stages/ingest`: a topic of Kafka, whose messages are rows."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from include.foundation.spec.part import Name, Part
from include.foundation.spec.sources import JsonLines, Source

GAPS = "quarantine.gaps"  # the table of what brokers deleted unread, of all use cases
# What Kafka allows, without `.` and `..`.
TopicName = Annotated[str, Field(pattern=r"^[a-zA-Z0-9_-][a-zA-Z0-9._-]*$", max_length=249)]


class Json(Part):
    """One JSON object a message, UTF-8; an absent key is no value."""

    type: Literal["json"] = "json"


class SchemaVersion(Part):
    """A schema by the names that a registry gives it."""

    subject: str = Field(min_length=1, max_length=249)
    version: int = Field(ge=1)


class Avro(Part):
    """An Avro record behind a schema registry's frame: a zero byte, four of the schema's id, the body.

    The registry is `schema.registry.url` in the extra of the Connection `kafka`.
    """

    type: Literal["avro"]
    read_as: SchemaVersion | None = Field(
        None,
        description="the schema that messages are read as, whichever wrote them (defaults, aliases and wider types, as"
        " Avro resolves them); none: each message is read as its own, and a field that it lacks has no value",
    )


class Topic(Part):
    """Messages of a topic, read at every run of ingest from where the last one ended, the first time from the start.

    A message's value is one row, as `format` says; what is none is quarantined with its bytes, and so is a tombstone: a
    message deletes no row. Keys and headers say nothing about the row; bronze keeps them. A row belongs to the day
    (UTC) of its `event_time`, however late it comes, or else of the message's own time. Order says nothing. A message
    that comes twice is two rows, unless the contract's `unique` refuses the second one.
    """

    every: ClassVar[Literal["day"]] = "day"

    name: Name
    kind: Literal["topic"]
    topic: TopicName
    format: Annotated[Json | Avro, Field(discriminator="type")] = Json()
    contract: str = Field(description="class in contract.py that silver rows satisfy")
    event_time: str | None = Field(
        None,
        description="the contract's name of the column with the moment of the event, ISO 8601 with an offset; none: the"
        " message's own time",
    )
    columns: dict[str, str] = Field(
        default_factory=dict, description="key or field of the message -> the contract's name, where the two differ"
    )
    unknown_columns: Literal["refuse", "ignore"] = Field(
        "refuse", description="what to do with a message that has a key or field that the contract does not have"
    )
    nested: Literal["refuse", "text"] = Field(
        "refuse", description="what to do with a value that is an object, a record or a list: `text` keeps it as JSON"
    )
    null_values: tuple[str, ...] = ("", "NA")

    @model_validator(mode="after")
    def _lands_as_lines_would(self) -> "Topic":
        self.as_lines()
        return self

    def as_lines(self) -> Source:
        """The same rows as files of one message a line. Raises ValueError if two keys have one name."""
        same = {"name", "contract", "columns", "unknown_columns", "null_values"}
        return Source(**self.model_dump(include=same), format=JsonLines(type="jsonl"))
