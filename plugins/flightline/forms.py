"""Trigger forms, made from pydantic fields: spec and form have the same bounds, titles and help."""

from collections.abc import Mapping
from datetime import date
from difflib import get_close_matches
from functools import cache
from typing import Any

from airflow.sdk import Param
from airflow.sdk.exceptions import AirflowFailException
from pydantic import BaseModel, Field

from include.foundation.echo import listing

_KEPT = (
    "type",
    "format",
    "pattern",
    "enum",
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "title",
    "description",
)


class Days(BaseModel):
    """Which days a run is about."""

    start_date: date | None = Field(None, title="First day")
    end_date: date | None = Field(None, title="Last day")


class Train(BaseModel):
    """Settings of a training run beside the spec's own fields."""

    end_date: date | None = Field(
        None, title="Last day", description="Of the window. Empty: the newest day that gold has."
    )
    rerun: int = Field(
        0,
        ge=0,
        title="Rerun",
        description="The same form on the same input rejoins its run: raise this to train once more.",
    )


class Promote(BaseModel):
    """What is promoted, and how far."""

    version: str | None = Field(
        None, pattern="^[0-9]+$", title="Version", description="A registered version that passed its gates."
    )
    until: str = Field(title="Until", description="The last stage to go to.")


class Score(BaseModel):
    """Which version answers."""

    version: str | None = Field(
        None,
        pattern="^[0-9]+$",
        title="Version",
        description="A registered version that passed its gates. Empty: the champion.",
    )


class Replay(Days):
    """Which quarantined rows are judged again."""

    table: str = Field(title="Table", description="The quarantine table whose rows are to be judged again.")
    run: str | None = Field(
        None, title="Run", description="Only rows that this run quarantined (column `run_id`). Empty: any."
    )
    reason: str | None = Field(
        None, title="Reason", description="Only rows with a reason that has this text in it. Empty: any."
    )


class Maintain(BaseModel):
    """How much `platform.maintain` keeps."""

    keep_days: int = Field(
        7,
        ge=1,
        title="Keep states, days",
        description="So long every state of a table stays readable; tagged ones ever.",
    )
    orphan_days: int = Field(
        3,
        ge=2,
        title="Age of orphans, days",
        description="Files that no snapshot needs are deleted when they are older.",
    )
    min_files: int = Field(
        4, ge=2, title="Files to merge", description="So many small files of a day, or manifests, become one."
    )
    dry_run: bool = Field(False, title="Dry run", description="Change nothing, and say in the log what would be done.")


def of(section: BaseModel, *names: str, **more: Mapping[str, Any]) -> dict[str, Param]:
    """Airflow's params for fields of a section, with the section's values as defaults.

    Airflow checks a form against them before it makes a run.

    Args:
        section: a section of a spec, or one of the forms here.
        names: its fields to show, in order; none: all.
        more: field -> words of JSON Schema that only this Dag's form has.
    """
    fields = _schemas(type(section))
    return {
        name: Param(_plain(getattr(section, name)), **{**fields[name], **more.get(name, {})})
        for name in names or fields
    }


def refuse_unknown(context: Any) -> None:
    """`pre_execute`: stop a run that was given what its form does not have; Airflow itself would not look at it.

    Raises:
        AirflowFailException: a field is misspelt or of another Dag: the run would be green by the form's defaults.
    """
    fields = [*context["dag"].params]
    strange = sorted(map(str, {*(context["dag_run"].conf or {})} - {*fields}))
    if not strange:
        return
    near = get_close_matches(strange[0], fields, 1)
    there = f"it has {listing(fields, len(fields))}" if fields else "it has none"
    meant = f" (did you mean {near[0]}?)" if near else ""
    raise AirflowFailException(f"the form has no field {listing(strange)}{meant}; {there}")


@cache
def _schemas(section: type[BaseModel]) -> dict[str, dict[str, Any]]:
    """Each field's JSON Schema as Airflow's form takes it: flat, an optional field with `null` among its types."""
    schemas = {}
    for name, field in section.model_json_schema()["properties"].items():
        either = field.get("anyOf", [field])
        flat = {**field, **{key: value for each in either for key, value in each.items()}}
        types = [each["type"] for each in either if "type" in each]
        schemas[name] = {key: flat[key] for key in _KEPT if key in flat}
        if types:
            schemas[name]["type"] = types[0] if len(types) == 1 else sorted(types)
    return schemas


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, date) else value
