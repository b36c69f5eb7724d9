"""Read by `engine`: what runs ingest and features of the use case. The tables that result do not depend on it."""

from typing import Any, Literal

from pydantic import Field, GetJsonSchemaHandler, model_validator
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from include.foundation.spec.part import Name, Part


class Engine(Part):
    """polars in one process, or Spark on many machines (docs/scale.md). `engine: spark` says the name alone."""

    name: Literal["polars", "spark"] = "polars"
    backend: Name = Field(
        "pods", description="where Spark's driver runs, a member of `plugins/flightline/backends`; polars has none"
    )

    @model_validator(mode="before")
    @classmethod
    def _is_named_alone(cls, said: Any) -> Any:
        return {"name": said} if isinstance(said, str) else said

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        whole = handler(schema)
        return {"anyOf": [{"enum": ["polars", "spark"]}, whole]}
