import pytest

from sandbox.argocd import operations


def finished(phase="Succeeded", **sync):
    state = operations.begin({"sync": {"revision": "c0ffee", **sync}, "initiatedBy": {"username": "me"}})
    state["syncResult"] = {"source": {"path": "app"}}
    operations.finish(state, phase, "done")
    return state


def test_history_numbers_on_and_keeps_ten():
    history = []
    for _ in range(12):
        history = operations.recorded(history, finished())
    assert [entry["id"] for entry in history] == list(range(2, 12))
    assert history[-1]["revision"] == "c0ffee"
    assert history[-1]["initiatedBy"] == {"username": "me"}
    assert len(operations.recorded(history, finished(), limit=3)) == 3
    assert operations.recorded(history, finished(), limit=0) == []


@pytest.mark.parametrize(
    "state", [finished("Failed"), finished(dryRun=True), finished(resources=[{"kind": "Pod", "name": "p"}])]
)
def test_only_full_successful_syncs_are_history(state):
    assert operations.recorded([{"id": 4}], state) == [{"id": 4}]
