from datetime import date

from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from include.stages.observability import pushed


def test_numbers_and_numbers_by_label_become_gauges() -> None:
    text = generate_latest(pushed.registry({pushed.RUN_SECONDS: 2.5, pushed.LANDED: {"flights": 3, "weather": 4}}))
    found = {
        (sample.name, *sample.labels.items()): sample.value
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
    }
    assert found == {
        ("flightline_run_seconds",): 2.5,
        ("flightline_landed_rows", ("source", "flights")): 3,
        ("flightline_landed_rows", ("source", "weather")): 4,
    }


def test_no_two_metrics_share_a_name_and_each_says_what_it_is() -> None:
    assert len({each.name for each in pushed.ALL}) == len(pushed.ALL) > 10
    assert all(each.text.endswith(".") for each in pushed.ALL)


def test_a_tables_data_end_with_its_newest_day() -> None:
    days = [date(1970, 1, 3), date(1970, 1, 2)]
    assert pushed.ends({"gold.x": days, "gold.empty": []}) == {"gold.x": 3 * 86_400}
