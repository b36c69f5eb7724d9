from include.foundation.spec import load
from include.stages.observability.panels import Names, errors, rows


def test_every_query_is_about_the_use_case() -> None:
    spec = load("flight_delays").model_copy(update={"name": "other"})
    queries = [query.expr for panels in rows(spec).values() for panel in panels for query in panel.queries]
    assert len(queries) > 15
    assert all('use_case="other"' in query for query in queries)


def test_no_failed_answer_is_a_share_of_0() -> None:
    """Prometheus has no series of what never happened."""
    assert " or 0 * " in errors(Names(load("flight_delays")))
