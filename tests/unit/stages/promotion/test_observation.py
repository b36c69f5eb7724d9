import pytest
from prometheus_client import generate_latest

from include.foundation.errors import InvalidInput
from include.foundation.problem import problem
from include.services.serving.metrics import Metrics
from include.stages.promotion.observation import INFINITE, Counts, baseline, counts, quantile, seen


def exposition(*, requests=0, errors=0, seconds=0.004, score=0.3):
    """What a replica really writes."""
    metrics = Metrics(problem("binary"), use_case="rain", version="7", stage="production")
    metrics.requests.labels("live", "200").inc(1000)
    metrics.seconds.labels("live").observe(4)
    for number in range(requests):
        metrics.requests.labels("predict", "500" if number < errors else "200").inc()
        metrics.seconds.labels("predict").observe(seconds)
        metrics.scores.observe(score)
    return metrics.text().decode()


def test_only_requests_for_predictions_count():
    found = counts(exposition(requests=40, errors=3), restarts=1)
    assert (found.requests, found.errors, found.restarts) == (40, 3, 1)
    assert found.seconds["0.005"] == found.seconds["+Inf"] == 40
    assert found.scores["0.3"] == 40
    assert found.scores["0.25"] == 0
    assert found.memory > 1 << 20


@pytest.mark.parametrize(
    ("text", "told"), [("{{{", "not in Prometheus' text format"), ("up 1\n", "no flightline_serving")]
)
def test_what_is_no_exposition_is_told(text, told):
    with pytest.raises(InvalidInput, match=told):
        counts(text, restarts=0)


def test_a_window_is_the_difference_of_two_looks():
    before = {"a": counts(exposition(requests=100, seconds=1.5), restarts=0)}
    after = {
        "a": counts(exposition(requests=100, seconds=1.5), restarts=0),
        "b": counts(exposition(requests=9), restarts=0),
    }
    found = seen(before, after)
    assert (found.requests, found.errors, found.silent) == (9, 0, 0)
    assert found.p99 < 0.005, "what was slow was before the window"
    assert sum(found.scores) == 9


def test_a_replica_that_started_anew_counts_from_zero_and_its_restart_counts():
    before = {"a": Counts(requests=500, seconds={"+Inf": 500})}
    after = {"a": Counts(requests=20, errors=2, seconds={"+Inf": 20}, restarts=1)}
    found = seen(before, after)
    assert (found.requests, found.errors, found.restarts) == (20, 2, 1)
    assert seen({}, {"b": Counts(restarts=2)}).restarts == 2
    assert seen({"a": Counts(restarts=2)}, {"a": Counts(restarts=2)}).restarts == 0


def test_a_silent_replica_adds_nothing_but_its_restarts():
    found = seen({"a": Counts(requests=500, seconds={"+Inf": 500})}, {"a": Counts(restarts=1, silent=True)})
    assert (found.requests, found.errors, found.p99, found.restarts, found.silent) == (0, 0, None, 1, 1)


def test_a_replica_that_was_silent_at_first_counts_from_when_it_tells():
    told, more = Counts(requests=500, seconds={"+Inf": 500}), Counts(requests=520, seconds={"+Inf": 520})
    other = {"b": Counts(requests=7)}
    first = baseline({"a": Counts(silent=True), **other}, {"a": told, **other})
    assert first == {"a": told, **other}
    assert baseline(first, {"a": more, **other}) == first, "from then on"
    assert seen(first, {"a": more, **other}).requests == 20
    gone = {"a": Counts(silent=True)}
    assert baseline(gone, other) == gone


def test_a_restart_counts_though_the_replica_was_silent_before_it():
    anew = {"a": Counts(requests=20, restarts=1)}
    found = seen(baseline({"a": Counts(silent=True)}, anew), anew)
    assert (found.requests, found.restarts) == (20, 1)


def test_nobody_there_is_nothing_seen():
    found = seen({"a": Counts(requests=5)}, {})
    assert (found.requests, found.p99, found.silent) == (0, None, 0)


def test_a_quantile_is_prometheus_s():
    # histogram_quantile(0.99, ...) of these buckets: 0.1 + 0.4 * (99 - 90) / (100 - 90).
    assert quantile({0.1: 90, 0.5: 100, INFINITE: 100}, 0.99) == pytest.approx(0.46)
    assert quantile({0.1: 0, INFINITE: 10}, 0.99) == 0.1, "beyond the greatest bound it is the bound"
    assert quantile({}, 0.99) is None
    assert quantile({0.1: 0, INFINITE: 0}, 0.99) is None


def test_the_names_are_those_that_serving_has():
    text = generate_latest(Metrics(problem("binary"), use_case="r", version="1", stage="s").registry).decode()
    for name in ("flightline_serving_request_seconds_bucket", "flightline_serving_score_bucket"):
        assert name.removesuffix("_bucket") in text
