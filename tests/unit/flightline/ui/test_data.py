"""Data: search, one table, and what is masked."""

import pytest

from flightline.ui import lookups
from include.catalog import contracts
from include.catalog.browse import Catalog
from include.catalog.contracts import Column
from include.catalog.sample import MASK
from include.foundation.spec import load_all


def test_search_finds_as_one_types(site):
    part = site.login("viewer").get("data/found", q="tailnum silver").text
    assert "silver.flight_delays__flights" in part
    assert "silver.flight_delays__weather" not in part
    assert "<html" not in part
    assert "No table has all of these words" in site.get("data", q="nowhere").text


def test_a_table_of_no_use_case_is_for_those_who_see_all(site):
    assert "other.t" not in site.login("viewer").get("data").text
    assert "other.t" in site.login("admin").get("data").text


def test_a_table_says_what_it_is(site):
    page = site.login("viewer").get("data/silver.flight_delays__weather").text
    for words in ("Contract Weather", "rows that pass the contract", "Owner", "behind", "1 of 4 quarantined", "Made of",
                  "bronze.flight_delays__weather", "2013-01-03", "flight_delays"):  # fmt: skip
        assert words in page
    assert page.count("<svg") == 3


def test_a_table_that_is_not_made_yet_is_explained(site):
    page = site.login("viewer").get("data/gold.flight_delays").text
    assert "not made yet" in page
    assert "silver.flight_delays__weather" in page


def test_gold_says_of_which_columns_it_is_made_and_silver_what_it_feeds(site, monkeypatch):
    seen = {"weather_temp": (("flights", "origin"), ("weather", "temp"))}
    monkeypatch.setattr(lookups, "columns", lambda _: seen)
    gold = site.login("viewer").get("data/gold.flight_delays").text
    assert "temp → weather_temp" in gold
    assert "temp → weather_temp" in site.get("data/silver.flight_delays__weather").text
    assert "origin → weather_temp" in site.get("data/silver.flight_delays__flights").text


@pytest.fixture
def sensitive(site, small_lake, monkeypatch):
    """The contract says that `temp` is sensitive."""
    column = Column(name="temp", type="str", sensitive=True, landed="temp")
    monkeypatch.setattr(contracts, "_READ", {("flight_delays", "weather"): ("", (column,))})
    catalog = Catalog(lambda: small_lake, load_all)
    monkeypatch.setattr(lookups, "catalog", lambda: catalog)


def test_what_is_sensitive_is_masked_in_every_layer(site, sensitive):
    site.login("viewer")
    for path in ("silver.flight_delays__weather/sample", "bronze.flight_delays__weather/sample"):
        part = site.get(f"data/{path}").text
        assert "Masked: " in part
    part = site.get("data/quarantine.flight_delays__weather/failed").text
    assert MASK in part
    assert "alert" not in part, "the reason names the value"
    assert "alert" in site.login("admin").get("data/quarantine.flight_delays__weather/failed").text


def test_what_is_masked_cannot_be_queried(site, sensitive):
    assert "0 tables that you may query" in site.login("viewer").get("query").text
    assert "silver.flight_delays__weather" in site.login("admin").get("query").text
