import time

import pytest

from sandbox.cluster import timestamps
from sandbox.cluster.jobs import Jobs


@pytest.fixture
def world(registry, store, recorder, settle):
    """Makes a Job; `end` ends one of its pods and lets the controller see it."""

    class World:
        jobs = Jobs(registry, recorder)

        def make(self, **spec):
            pod = {"restartPolicy": "Never", "containers": [{"name": "a", "image": "i"}]}
            registry.create("jobs", "n", {"metadata": {"name": "j"}, "spec": {"template": {"spec": pod}, **spec}})
            settle(store, self.jobs)

        def active(self):
            return [pod for pod in store.list("pods") if pod["status"]["phase"] == "Pending"]

        def end(self, phase, ago=3600.0):
            state = {"terminated": {"finishedAt": timestamps.text(time.time() - ago)}}
            statuses = [{"name": "a", "state": state, "restartCount": 0}]
            name = self.active()[0]["metadata"]["name"]
            store.change("pods", "n", name, lambda pod: pod["status"].update(phase=phase, containerStatuses=statuses))
            settle(store, self.jobs)

        @property
        def status(self):
            return store.get("jobs", "n", "j")["status"]

        @property
        def verdict(self):
            return [(item["type"], item.get("reason")) for item in self.status.get("conditions") or ()]

    return World()


def test_no_more_pods_than_parallelism_and_no_more_than_are_missing(world):
    world.make(completions=3, parallelism=2)
    assert len(world.active()) == 2
    world.end("Succeeded")
    assert len(world.active()) == 2
    world.end("Succeeded")
    assert (len(world.active()), world.status["succeeded"]) == (1, 2)
    world.end("Succeeded")
    assert (world.active(), world.verdict) == ([], [("Complete", "CompletionsReached")])
    assert "completionTime" in world.status
    assert "active" not in world.status


def test_failures_are_tried_again_up_to_the_limit(world):
    world.make(backoffLimit=1)
    world.end("Failed")
    assert (len(world.active()), world.status["failed"]) == (1, 1)
    world.end("Failed")
    assert (world.active(), world.verdict) == ([], [("Failed", "BackoffLimitExceeded")])


def test_a_failure_is_followed_by_a_pause(world):
    world.make()
    world.end("Failed", ago=0)
    assert world.active() == []
    assert world.verdict == []


def test_the_deadline_ends_the_job_and_its_pods(world, store, settle):
    world.make(activeDeadlineSeconds=100)
    past = timestamps.text(time.time() - 101)
    store.change("jobs", "n", "j", lambda job: job["status"].update(startTime=past))
    settle(store, world.jobs)
    assert (store.list("pods"), world.verdict) == ([], [("Failed", "DeadlineExceeded")])


def test_suspension_stops_and_resumes(world, store, registry, settle):
    world.make(suspend=True)
    assert store.list("pods") == []
    store.change("jobs", "n", "j", lambda job: job["spec"].update(suspend=False))
    settle(store, world.jobs)
    assert len(world.active()) == 1
    store.change("jobs", "n", "j", lambda job: job["spec"].update(suspend=True))
    settle(store, world.jobs)
    assert (store.list("pods"), world.verdict) == ([], [("Suspended", "JobSuspended")])


def test_a_finished_job_goes_after_its_time_to_live(world, store):
    world.make(ttlSecondsAfterFinished=0)
    world.end("Succeeded")
    assert store.list("jobs") == []


def test_counts_do_not_fall_when_pods_are_deleted(world, store, settle):
    world.make(completions=2)
    world.end("Succeeded")
    for pod in store.list("pods"):
        if pod["status"]["phase"] == "Succeeded":
            store.remove("pods", "n", pod["metadata"]["name"])
    settle(store, world.jobs)
    assert (world.status["succeeded"], len(world.active())) == (1, 1)
