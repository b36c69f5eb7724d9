"""Where tables come from."""

from include.catalog import lineage
from include.foundation.spec import load

SPEC = load("flight_delays")
EDGES = lineage.edges([SPEC])


def test_a_model_comes_from_what_landed_in_the_end():
    far = lineage.closure(EDGES, "model:flight_delays", up=True)
    assert far[0] == "gold.flight_delays"
    assert "landing/flight_delays/weather" in far
    assert lineage.readers([SPEC], EDGES, "bronze.flight_delays__weather") == ["flight_delays"]
    assert lineage.readers([SPEC], EDGES, "monitoring.flight_delays") == []


def test_columns_go_from_what_landed_to_silver():
    (edge,) = lineage.above(EDGES, "silver.flight_delays__flights")
    assert (edge.above, edge.by) == ("bronze.flight_delays__flights", "flight_delays.ingest")
    assert ("tailnum", "tailnum") in edge.columns
    assert "sched_dep" not in dict(edge.columns), "it is computed"


def test_predictions_come_back_and_end():
    assert "silver.flight_delays__predictions" in lineage.closure(EDGES, "model:flight_delays", up=False)
    below = [edge.below for edge in lineage.below(EDGES, SPEC.gold)]
    assert below == ["model:flight_delays", SPEC.scores, SPEC.monitoring_table, SPEC.predictions_table]


def test_what_the_monitor_reads_and_who_writes_the_log_are_told_as_they_are():
    (log,) = lineage.above(EDGES, "silver.flight_delays__predictions")
    assert log.by == "flight_delays.predictions"
    assert {edge.by for edge in lineage.above(EDGES, SPEC.predictions_table)} == {"flight_delays.predictions"}
    read = {edge.above: edge.by for edge in lineage.above(EDGES, SPEC.monitoring_table)}
    assert read == dict.fromkeys((SPEC.gold, SPEC.predictions_table), "flight_delays.monitor")


def test_columns_of_gold_and_of_the_model_are_known_once_somebody_has_looked():
    assert not any(edge.columns for edge in lineage.above(EDGES, SPEC.gold))
    seen = {"weather_temp": (("flights", "origin"), ("weather", "temp")), "label": (("flights", "arr_delay"),)}
    every = lineage.edges([SPEC], {SPEC.name: seen})
    assert lineage.made_of(every, SPEC.gold) == {
        "weather_temp": ["silver.flight_delays__flights.origin", "silver.flight_delays__weather.temp"],
        "label": ["silver.flight_delays__flights.arr_delay"],
    }
    made = lineage.made_of(every, "model:flight_delays")
    assert made["weather_temp"] == ["gold.flight_delays.weather_temp"]
    assert "label" not in made, "it is no input"
