"""A form has the bounds, titles and help of the fields that it is made from."""

from datetime import date
from types import SimpleNamespace

import pytest
from airflow.sdk.exceptions import AirflowFailException, ParamValidationError
from pydantic import BaseModel, Field

from flightline import forms


class Section(BaseModel):
    count: int = Field(3, ge=1, le=9, title="Count", description="How many.")
    day: date | None = Field(None, title="Day")
    share: float = Field(0.5, gt=0)


def test_a_field_is_a_param_with_the_section_s_value():
    params = forms.of(Section(count=5, day=date(2013, 1, 2)))
    assert [*params] == ["count", "day", "share"]
    count, day = params["count"], params["day"]
    assert (count.value, count.description) == (5, "How many.")
    assert count.schema == {"type": "integer", "minimum": 1, "maximum": 9, "title": "Count"}
    assert (day.value, day.schema) == ("2013-01-02", {"type": ["null", "string"], "format": "date", "title": "Day"})
    assert params["share"].schema["exclusiveMinimum"] == 0


def test_only_the_named_fields_are_shown_and_a_dag_may_say_more():
    params = forms.of(Section(), "count", count={"maximum": 4, "description": "At most four."})
    assert [*params] == ["count"]
    assert params["count"].description == "At most four."
    with pytest.raises(ParamValidationError):
        params["count"].resolve(5)


@pytest.mark.parametrize(("name", "outside"), [("version", "latest"), ("version", ""), ("until", "nowhere")])
def test_a_promotion_of_nothing_is_refused_before_it_starts(name, outside):
    params = forms.of(forms.Promote(until="live"), until={"enum": ["live"]})
    with pytest.raises(ParamValidationError):
        params[name].resolve(outside)


@pytest.mark.parametrize(
    ("fields", "conf", "said"),
    [
        (["trials", "seed"], {"trails": 2}, r"no field trails \(did you mean trials\?\); it has trials, seed$"),
        (["trials"], {"trials": 2, "zone": 1}, r"no field zone; it has trials$"),
        ([], {"version": "1"}, "no field version; it has none$"),
    ],
)
def test_a_run_that_is_given_what_its_form_does_not_have_fails_with_the_form_s_fields(fields, conf, said):
    with pytest.raises(AirflowFailException, match=said):
        forms.refuse_unknown(_context(fields, conf))


@pytest.mark.parametrize("conf", [{"trials": 2}, {}, None])
def test_a_run_by_its_form_goes_on(conf):
    assert forms.refuse_unknown(_context(["trials", "seed"], conf)) is None


def _context(fields, conf):
    return {"dag": SimpleNamespace(params=dict.fromkeys(fields)), "dag_run": SimpleNamespace(conf=conf)}
