import pytest
import yaml

from include.foundation import spec
from include.stages.promotion import templates

FLIGHTS = spec.load("flight_delays")
PRODUCTION = FLIGHTS.promotion.stages[-1]


def test_a_name_of_a_version_is_one_that_kubernetes_takes():
    longest = FLIGHTS.model_copy(update={"name": "a" * 52})
    assert templates.name(FLIGHTS, "7") == "flight-delays-v7"
    assert len(templates.name(longest, "999999999")) <= 63


def test_a_value_alone_keeps_its_type_and_the_template_is_not_changed():
    values = {**templates.place(FLIGHTS, PRODUCTION), "name": "x: {y}"}
    first = templates.fill("service", values)
    assert first["metadata"]["name"] == yaml.safe_load(yaml.safe_dump(first))["metadata"]["name"] == "x: {y}"
    assert first["spec"]["ports"][0]["port"] == templates.PORT
    first["spec"].clear()
    assert templates.fill("service", values)["spec"]


def test_a_value_that_is_missing_is_an_error():
    with pytest.raises(KeyError):
        templates.fill("service", {})
