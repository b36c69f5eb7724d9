import pytest

from sandbox.argocd import operations, tracking
from sandbox.argocd.live import Key


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


class Cluster:
    """Takes everything; what lives is what was written, healthy when the test says so."""

    def __init__(self):
        self.written, self.deleted = [], []

    def get(self, manifest):
        return None

    def create(self, manifest):
        self.written.append(manifest["metadata"]["name"])

    def delete(self, manifest):
        self.deleted.append(manifest["metadata"]["name"])


def manifest(name, wave=0, *, ready=True):
    key = Key("", "Pod", "n", name)
    annotations = {tracking.WAVE: str(wave), tracking.TRACKING: tracking.tracking_id("app", key)}
    status = {"phase": "Running", "conditions": [{"type": "Ready", "status": str(ready)}]}
    return key, {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "n", "annotations": annotations},
        "spec": {},
        "status": status,
    }


@pytest.mark.parametrize(("options", "waits"), [(["PruneLast=true"], True), ([], False)])
def test_what_goes_waits_for_what_comes_where_it_is_asked_to(options, waits):
    cluster, app = Cluster(), {"metadata": {"name": "app"}, "spec": {"source": {}, "destination": {}}}
    state = operations.begin({"sync": {"revision": "c0ffee", "prune": True, "syncOptions": options}})
    targets, old = dict([manifest("new"), manifest("route", 1)]), dict([manifest("old")])

    def step(**live):
        found = old | dict(manifest(name, ready=ready) for name, ready in live.items())
        operations.step(app, state, targets=targets, live=found, cluster=cluster)

    step()
    assert cluster.written == ["new"], "a wave at a time"
    step(new=False)
    assert cluster.written == ["new"], "the next wave waits for this one"
    step(new=True)
    assert cluster.written == ["new", "route"]
    assert cluster.deleted == ([] if waits else ["old"])
    if waits:
        step(new=True, route=False)
        assert (cluster.deleted, state["message"]) == (
            [],
            "waiting for healthy state of /Pod/n/route".replace("/Pod", "Pod"),
        )
        step(new=True, route=True)
    assert (cluster.deleted, state["phase"]) == (["old"], "Succeeded")
