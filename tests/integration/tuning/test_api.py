"""The routes of the tuning service, called by SigOpt's own client and, where that would not send it, by hand."""

import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
import sigopt

pytestmark = pytest.mark.integration
BOX = [{"name": name, "type": "double", "bounds": {"min": -5, "max": 10}} for name in ("x", "y")]
TERMS = [{"name": name, "weight": 1} for name in ("x", "y")]


def test_experiment_lives(tuning, client):
    made = tuning.make(budget=7, project="p", parallel_bandwidth=2)
    assert made.id.isdigit()
    assert (made.state, made.observation_budget, made.project, made.type) == ("active", 7, "p", "offline")
    assert [parameter.name for parameter in made.parameters] == ["x", "y"]
    assert (made.metrics[0].name, made.metrics[0].objective) == ("loss", "minimize")
    assert dict(made.metadata) == {"seed": 1}
    assert made.progress.observation_count == 0
    own = client.experiments(made.id)
    assert own.update(name="other", observation_budget=9).name == "other"
    assert own.update(metadata={"a": "b"}).metadata["a"] == "b"
    fetched = own.fetch()
    assert (fetched.name, fetched.observation_budget, fetched.parallel_bandwidth) == ("other", 9, 2)
    assert fetched.updated >= fetched.created > time.time() - 60
    assert own.delete() is None
    assert own.fetch().state == "deleted"
    with pytest.raises(sigopt.exception.ApiException, match="is deleted"):
        own.suggestions().create()
    assert own.update(state="active").state == "active"
    assert own.suggestions().create().state == "open"


def test_lists_are_paged_both_ways(tuning, client):
    made = [tuning.make(name=f"Paged {n}").id for n in range(5)]
    client.experiments(made[2]).delete()

    def ids(**query):
        return [each.id for each in client.experiments().fetch(search="pAGED", **query).iterate_pages()]

    assert ids() == [made[4], made[3], made[1], made[0]]
    assert ids(limit=1) == ids(limit=3) == ids()
    assert ids(limit=2, after=made[0]) == [made[3], made[1], made[4]]  # pages go up, each is newest first
    assert ids(state="deleted") == ids(archived=True) == [made[2]]
    assert len(ids(state="all")) == 5
    assert client.experiments().fetch(search="Paged", limit=2).count == 4


def test_suggestions_and_observations(tuning, client):
    made = tuning.make(budget=9)
    own = client.experiments(made.id)
    first = own.suggestions().create(metadata={"worker": "a"})
    assert (first.state, first.experiment, first.metadata["worker"]) == ("open", made.id, "a")
    assert -5 <= first.assignments["x"] <= 10
    assert 0 <= first.assignments["y"] <= 15
    by_hand = own.suggestions().create(assignments={"x": 1, "y": 2.5})
    assert dict(own.suggestions(by_hand.id).fetch().assignments) == {"x": 1, "y": 2.5}
    assert own.suggestions(by_hand.id).update(metadata={"k": 1}).metadata["k"] == 1
    assert [each.id for each in own.suggestions().fetch(state="open").iterate_pages()] == [by_hand.id, first.id]

    values = [{"name": "loss", "value": 1.25, "value_stddev": 0.5}]
    told = own.observations().create(suggestion=first.id, values=values, metadata={"m": "n"})
    assert (told.suggestion, told.failed, told.value, told.values[0].value_stddev) == (first.id, False, 1.25, 0.5)
    assert told.assignments == first.assignments
    assert own.suggestions(first.id).fetch().state == "closed"
    failed = own.observations().create(suggestion=by_hand.id, failed=True)
    assert (failed.failed, failed.values) == (True, None)
    rows = [{"assignments": {"x": n, "y": 0}, "values": [{"value": n}]} for n in range(3)]
    batch = own.observations().create_batch(observations=rows)
    assert [each.value for each in batch.iterate_pages()] == [0, 1, 2]
    listed = list(own.observations().fetch(limit=2).iterate_pages())
    assert [each.value for each in listed] == [2, 1, 0, None, 1.25]
    assert own.observations(told.id).fetch() == told
    assert own.fetch().progress.observation_count == 5
    (winner,) = own.best_assignments().fetch().iterate_pages()
    assert (winner.value, dict(winner.assignments)) == (0, {"x": 0, "y": 0})


def test_deleted_suggestions_are_gone(tuning, client):
    own = client.experiments(tuning.make().id)
    one, two, three = (own.suggestions().create() for _ in range(3))
    own.observations().create(suggestion=one.id, failed=True)
    own.suggestions(two.id).delete()
    with pytest.raises(sigopt.exception.ApiException, match=f"No suggestion {two.id}"):
        own.suggestions(two.id).fetch()
    own.suggestions().delete(state="open")
    assert [each.id for each in own.suggestions().fetch().iterate_pages()] == [one.id]
    assert own.suggestions().create().id > three.id


def test_token(tuning, client):
    assert client.tokens("self").fetch().client == "1"
    assert httpx.get(f"{tuning.url}/health").json() == {"status": "ok"}
    refused = httpx.get(f"{tuning.url}/v1/experiments")
    assert (refused.status_code, refused.json()["status"]) == (401, 401)
    with pytest.raises(sigopt.exception.ApiException, match="Unknown API token") as caught:
        tuning.client("wrong").experiments().fetch()
    assert caught.value.status_code == 403
    assert caught.value.to_json()["token_status"] == "invalid"


def test_answer_can_be_skipped(http):
    answer = http.post(
        "/experiments",
        json={"name": "e", "parameters": BOX, "metrics": ["loss"]},
        headers={"X-Response-Content": "skip"},
    )
    assert (answer.status_code, answer.content) == (204, b"")


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"metrics": [{"name": "a", "threshold": 1}]}, "Thresholds are only supported"),
        ({"metrics": [{"name": "a", "strategy": "constraint", "threshold": 1}]}, "observation_budget is required"),
        ({"metrics": ["a", "b"]}, "observation_budget is required"),
        ({"metrics": ["a", "a"]}, "duplicate metrics"),
        ({"metrics": ["a", "b", "c"], "observation_budget": 9}, "one or two optimized"),
        ({"metrics": [{"name": "a", "strategy": "store"}]}, "optimized or constraint"),
        ({"metrics": [{"name": "a", "strategy": "constraint"}], "observation_budget": 9}, "threshold"),
        ({"parameters": [*BOX, BOX[0]]}, "duplicate parameters"),
        ({"parameters": [{**BOX[0], "bounds": {"min": 1, "max": 1}}]}, "min must be less than max"),
        ({"parameters": [{**BOX[0], "transformation": "log"}]}, "parameters: x: Invalid bounds"),
        ({"parameters": [{**BOX[0], "conditions": {"k": ["a"]}}, BOX[1]]}, "condition"),
        ({"tasks": [{"name": "a", "cost": 0.1}, {"name": "b", "cost": 1}]}, "observation_budget is required"),
        ({"tasks": [{"name": "a", "cost": 0.1}, {"name": "b", "cost": 0.2}], "observation_budget": 9}, "cost == 1"),
        (
            {"linear_constraints": [{"type": "greater_than", "threshold": 99, "terms": TERMS}]},
            "linear_constraints: no values of x, y within their bounds",
        ),
        ({"parameters": None}, "'parameters' is a required property"),
    ],
)
def test_what_the_optimiser_cannot_do_is_refused(http, changes, fault):
    answer = http.post("/experiments", json={"name": "e", "parameters": BOX, "metrics": ["loss"], **changes})
    assert (answer.status_code, answer.json()["status"]) == (400, 400), answer.text
    assert fault in answer.json()["message"]


@pytest.mark.parametrize(
    ("method", "path", "content", "status", "fault"),
    [
        ("GET", "/experiments/999999", None, 404, "No experiment 999999"),
        ("GET", "/experiments/abc", None, 404, "No experiment abc"),
        ("GET", "/experiments/" + "9" * 40, None, 404, "No experiment"),
        ("GET", "/experiments?colour=red", None, 400, "colour: unknown query parameter"),
        ("GET", "/experiments?limit=x", None, 400, "limit: want a number"),
        ("GET", "/experiments?limit=0", None, 400, "limit: want 1 to 1000"),
        ("GET", "/experiments?state=on", None, 400, "state: want active"),
        ("GET", "/experiments?search=%00", None, 400, "database cannot hold"),
        ("GET", "/nowhere", None, 404, "Not Found"),
        ("PATCH", "/experiments", None, 405, "Method Not Allowed"),
        ("POST", "/experiments", b"{", 400, "The body is not JSON"),
        ("POST", "/experiments", b"\xff", 400, "The body is not JSON"),
        ("POST", "/experiments", b"[" * 100_000, 400, "The body is not JSON"),
        ("POST", "/experiments", b" " * (2**23 + 1), 413, "a body has 8388608 bytes at most"),
        ("POST", "/experiments", b"[1]", 400, "not a JSON object"),
        ("POST", "/experiments", b'{"name": NaN}', 400, "NaN is not a finite number"),
        ("POST", "/experiments", b'{"name": 1e999}', 400, "1e999 is not a finite number"),
        ("POST", "/experiments", b'{"name": "\\ud800"}', 400, "The body is not JSON"),
        ("POST", "/experiments", b"", 400, "required property"),
        ("POST", "/experiments/999999/suggestions", b"", 404, "No experiment 999999"),
        ("POST", "/experiments/999999/observations", b'{"suggestion": "1", "failed": true}', 404, "No experiment"),
    ],
)
def test_faulty_requests_are_answered(http, method, path, content, status, fault):
    answer = http.request(method, path, content=content)
    assert answer.status_code == status, answer.text
    assert fault in answer.json()["message"]


def test_a_fault_in_a_batch_stores_nothing(tuning, client, http):
    made = tuning.make()
    rows = [{"assignments": {"x": 1, "y": 1}, "failed": True}, {"assignments": {"x": 1}, "failed": True}]
    answer = http.post(f"/experiments/{made.id}/observations/batch", json={"observations": rows})
    assert answer.status_code == 400
    assert answer.json()["message"] == "Error in observation 2/2: assignments.y: missing"
    assert client.experiments(made.id).fetch().progress.observation_count == 0


def test_the_same_report_again_is_the_same_observation(tuning, client):
    made = tuning.make()
    suggestion = tuning.ask(made)
    first = tuning.tell(made, suggestion, 1.5)
    assert tuning.tell(made, suggestion, 1.5).id == first.id
    for other in (2.5, None):
        with pytest.raises(sigopt.exception.ApiException, match="already has an observation") as caught:
            tuning.tell(made, suggestion, other)
        assert caught.value.status_code == 409
    assert client.experiments(made.id).fetch().progress.observation_count == 1


def test_budget_is_kept(tuning, client):
    made = tuning.make(budget=3)
    one, two, three = (tuning.ask(made) for _ in range(3))
    with pytest.raises(sigopt.exception.ApiException, match="spent by 0 observations and 3 open suggestions") as caught:
        tuning.ask(made)
    assert caught.value.status_code == 409
    client.experiments(made.id).suggestions(three.id).delete()
    four = tuning.ask(made)
    assert dict(four.assignments) not in [dict(each.assignments) for each in (one, two, three)]
    for suggestion, value in ((one, 1), (two, None), (four, 2)):
        assert not client.experiments(made.id).stopping_criteria().fetch().should_stop
        tuning.tell(made, suggestion, value)
    with pytest.raises(sigopt.exception.ApiException, match="spent by 3 observations and 0 open suggestions") as caught:
        tuning.ask(made)
    assert caught.value.status_code == 409
    stopping = client.experiments(made.id).stopping_criteria().fetch()
    assert (stopping.should_stop, stopping.reasons) == (True, ["observation_budget_reached"])
    client.experiments(made.id).update(observation_budget=4)
    assert tuning.ask(made).state == "open"


@pytest.mark.long
def test_budget_is_kept_while_others_report(tuning):
    """An observation that is committed in the middle of a count must not be missed by it."""

    def work(experiment):
        point, done = {"x": 0, "y": 0}, 0
        with tuning.http() as http:
            path = f"/experiments/{experiment.id}"
            while (asked := http.post(f"{path}/suggestions", json={"assignments": point})).status_code == 200:
                outcome = {"suggestion": asked.json()["id"], "values": [{"name": "loss", "value": 1.0}]}
                done += http.post(f"{path}/observations", json=outcome).status_code == 200
        return done

    with ThreadPoolExecutor(6) as pool:
        assert [sum(pool.map(work, [tuning.make(budget=12)] * 6)) for _ in range(40)] == [12] * 40
