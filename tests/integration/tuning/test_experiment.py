"""One experiment for everyone with the same key."""

from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest
import sigopt

from include.foundation.errors import InvalidInput, MissingInput, ServiceUnavailable
from include.foundation.problem import kind
from include.foundation.spec.training import Training
from include.stages.tuning.calls import patiently
from include.stages.tuning.experiment import best, create_or_rejoin
from sandbox.supervisor.service import free_ports

pytestmark = pytest.mark.integration
AUC = kind("binary").metric("auc")
PARAMETERS = [{"name": "x", "type": "double", "bounds": {"min": 0, "max": 1}}]


def training(**more):
    days = {"window_days": 9, "holdout_days": 1, "validation_days": 1, "policy": {"min_days": 1, "every_days": 1}}
    return Training(trials=6, parameters=PARAMETERS, **days, **more)


def test_create_or_rejoin(client):
    join = partial(create_or_rejoin, client, name="flights", spec=training(seed=4), metric=AUC)
    one = join(metadata={"flightline_key": "one", "note": "n"})
    assert join(metadata={"flightline_key": "one"}) == one
    two = join(metadata={"flightline_key": "two"})
    assert two != one
    made = client.experiments(one).fetch()
    assert dict(made.metadata) == {"seed": 4, "flightline_key": "one", "note": "n"}
    assert (made.observation_budget, made.parallel_bandwidth, made.metrics[0].objective) == (6, 2, "maximize")
    client.experiments(one).delete()
    assert join(metadata={"flightline_key": "one"}) not in (one, two)
    with pytest.raises(InvalidInput, match="metadata has no flightline_key"):
        join(metadata={})


def test_callers_at_once_get_one_experiment(tuning, client):
    def join(_):
        key = {"flightline_key": "at once"}
        return create_or_rejoin(tuning.client(), name="e", spec=training(), metric=AUC, metadata=key)

    with ThreadPoolExecutor(8) as pool:
        found = set(pool.map(join, range(16)))
    active = [
        each.id
        for each in client.experiments().fetch().iterate_pages()
        if (each.metadata or {}).get("flightline_key") == "at once"
    ]
    assert {*active} == found
    assert len(found) == 1


def test_best(tuning, client):
    made = tuning.make()
    with pytest.raises(MissingInput, match="has succeeded"):
        best(client, made.id)
    for value in (3.0, 1.0, None, 2.0):
        suggestion = tuning.ask(made)
        tuning.tell(made, suggestion, value)
        if value == 1.0:
            winner = dict(suggestion.assignments)
    assert best(client, made.id) == (winner, 1.0)


def test_nobody_answers():
    (port,) = free_ports(1)
    client = sigopt.Connection(client_token="t")
    client.set_api_url(f"http://127.0.0.1:{port}")
    with pytest.raises(ServiceUnavailable, match="did not answer for 1 s"):
        patiently(client.experiments().fetch, seconds=1)
