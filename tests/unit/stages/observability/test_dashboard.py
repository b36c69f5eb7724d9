import json

from include.foundation.spec import load
from include.stages.observability.dashboard import SOURCE, dashboard
from include.stages.observability.panels import rows

SPEC = load("flight_delays")


def test_each_panel_is_a_picture_of_its_queries() -> None:
    board = json.loads(dashboard(SPEC))
    assert (board["uid"], board["title"], "id" in board) == ("flightline-flight-delays", SPEC.title, False)
    pictures = [each for each in board["panels"] if each["type"] != "row"]
    wanted = [panel for panels in rows(SPEC).values() for panel in panels]
    assert [each["title"] for each in board["panels"] if each["type"] == "row"] == [*rows(SPEC)]
    assert [(each["title"], [target["expr"] for target in each["targets"]]) for each in pictures] == [
        (panel.title, [query.expr for query in panel.queries]) for panel in wanted
    ]
    assert {each["datasource"]["uid"] for each in pictures} == {SOURCE}
    assert [each["type"] == "stat" for each in pictures] == [panel.number for panel in wanted]


def test_marks_are_of_this_use_case_only() -> None:
    (marks,) = json.loads(dashboard(SPEC))["annotations"]["list"]
    assert (marks["target"]["tags"], marks["target"]["matchAny"]) == (["flightline", "flight_delays"], False)
