"""What tables there are, and the search over them."""

from include.catalog.entries import Entry, declared, search, undeclared
from include.foundation.spec import load

SPEC = load("flight_delays")
TABLES = declared([SPEC])


def names(found: list[Entry]) -> list[str]:
    return [entry.identifier for entry in found]


def test_every_table_of_a_spec_is_there_once_and_says_what_it_is():
    assert len(set(names(TABLES))) == len(TABLES)
    assert {SPEC.gold, SPEC.scores, SPEC.monitoring_table, SPEC.live_table, SPEC.predictions_table} <= {*names(TABLES)}
    assert {SPEC.table("silver", source.name) for source in SPEC.ingested} <= {*names(TABLES)}
    for entry in TABLES:
        assert (entry.owner, entry.use_case) == (SPEC.owner, SPEC.name)
        assert SPEC.title in entry.description


def test_silver_has_its_contract():
    entry = next(each for each in TABLES if each.identifier == "silver.flight_delays__flights")
    column = next(each for each in entry.columns if each.name == "tailnum")
    assert (entry.contract, column.nullable, column.landed) == ("Flights", True, "tailnum")
    assert column.checks == ("str_matches('^N[0-9A-Z]{2,5}$')",)
    assert next(each for each in entry.columns if each.name == "sched_dep").derived
    assert entry.columns[-1].name == "(row)"


def test_all_words_must_occur_and_names_come_first():
    assert names(search(TABLES, "tailnum silver")) == ["silver.flight_delays__flights", "silver.flight_delays__planes"]
    found = names(search(TABLES, "WEATHER"))
    assert found[:4] == [f"{layer}.flight_delays__weather" for layer in ("bronze", "silver", "quarantine")] + found[3:4]
    assert search(TABLES, "tailnum nowhere") == []
    assert search(TABLES, "") == TABLES


def test_the_lakes_columns_are_explained_by_the_contract():
    entry = undeclared("other.t").with_lake([("a", "long", "A number.")])
    assert (entry.layer, entry.columns[0].description, entry.use_case) == ("other", "A number.", None)
    bronze = next(each for each in TABLES if each.identifier == "bronze.flight_delays__weather")
    assert [each.type for each in bronze.with_lake([("temp", "string", "")]).columns] == ["string"]
