from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from flightline import run_metrics
from include.stages.observability import pushed

START = datetime(2026, 1, 1, tzinfo=UTC)
RUN = SimpleNamespace(dag_id="flight_delays.train", start_date=START, end_date=START + timedelta(seconds=90))


@pytest.mark.parametrize("failed", [False, True])
def test_a_run_says_how_long_it_took_and_how_it_ended(failed, monkeypatch) -> None:
    given: list[tuple] = []
    monkeypatch.setattr(run_metrics, "with_connection", lambda *each: given.append(each))
    (run_metrics.on_dag_run_failed if failed else run_metrics.on_dag_run_success)(RUN)
    ((conn_id, send),) = given
    assert (conn_id, send.keywords["dag_id"], send.keywords["task"]) == ("pushgateway", RUN.dag_id, "run")
    values = send.keywords["values"]
    assert (values[pushed.RUN_SECONDS], values[pushed.RUN_FAILED]) == (90, float(failed))
    assert values[pushed.RUN_ENDED] == RUN.end_date.timestamp()
    # A failure leaves the time of the last good run as it was.
    assert (pushed.RUN_SUCCEEDED in values) == (not failed)
