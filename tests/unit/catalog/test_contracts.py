"""A contract's columns: units, descriptions and what is sensitive."""

from datetime import date
from types import SimpleNamespace

import pandera.polars as pa
import pytest

from include.catalog import contracts
from include.foundation.spec import load

SPEC = load("flight_delays")


class People(pa.DataFrameModel):
    """One person. More of it."""

    email: str = pa.Field(metadata={"sensitive": True}, description="Where to write to.")
    height: float = pa.Field(nullable=True, ge=0, metadata={"unit": "m"})
    event_date: date


@pytest.fixture(autouse=True)
def fresh(monkeypatch):
    monkeypatch.setattr(contracts, "_READ", {})


def test_it_says_what_the_contract_says(monkeypatch):
    monkeypatch.setattr("include.foundation.spec.module", lambda *_: SimpleNamespace(Flights=People))
    about, columns = contracts.columns_of(SPEC, SPEC.source("flights"))
    assert about == "One person. More of it"
    email, height, day = columns
    assert (email.sensitive, email.description, email.nullable) == (True, "Where to write to.", False)
    assert (height.unit, height.nullable, height.sensitive) == ("m", True, False)
    assert len(height.checks) == 1
    assert day.name == "event_date"


def test_a_contract_that_cannot_be_read_says_so(monkeypatch):
    monkeypatch.setattr("include.foundation.spec.module", lambda *_: SimpleNamespace())
    about, columns = contracts.columns_of(SPEC, SPEC.source("flights"))
    assert about.startswith("its contract cannot be read")
    assert columns == ()


def test_the_prediction_log_has_one_too():
    _, columns = contracts.columns_of(SPEC, SPEC.predictions)
    assert "request_id" in [column.name for column in columns]
