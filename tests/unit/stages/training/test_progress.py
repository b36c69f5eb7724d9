from types import SimpleNamespace

from include.foundation.errors import MissingInput
from include.stages.training.progress import Checkpointed, Recorded


class Store(dict):
    """An object store in memory."""

    def get(self, uri):
        if uri not in self:
            raise MissingInput(uri)
        return self[uri]

    def put(self, uri, data):
        self[uri] = data

    def list(self, uri):
        return iter([SimpleNamespace(uri=key) for key in self if key.startswith(uri)])

    def delete(self, uri):
        del self[uri]


def test_epochs_are_kept_and_told_and_the_end_is_a_fact():
    told = []
    seen = Recorded(lambda number, measured: told.append((number, measured)))
    assert seen.facts() == {}, "a model without epochs says nothing"
    seen.epoch(1, 9, {"loss": 1.0})
    seen.epoch(2, 9, {"loss": 0.5})
    seen.stopped(2, 9)
    assert told == [(1, {"loss": 1.0}), (2, {"loss": 0.5})]
    assert seen.facts() == {"epochs": 2, "ended_early": "true"}
    seen.begin()
    assert seen.facts() == {}


def test_each_fit_has_a_checkpoint_of_its_own_until_all_is_done():
    store = Store({"s3://m/_checkpoints/other/x.safetensors": b"theirs"})
    kept = Checkpointed(store, "s3://m/_checkpoints/key/", every_seconds=0)
    assert kept.checkpoint("a") is None
    assert kept.due()
    kept.save("a", b"1")
    kept.save("b", b"2")
    assert (kept.checkpoint("a"), kept.checkpoint("b")) == (b"1", b"2")
    kept.clear()
    assert list(store) == ["s3://m/_checkpoints/other/x.safetensors"]


def test_a_checkpoint_is_not_due_at_once():
    assert not Checkpointed(Store(), "s3://m/_checkpoints/key/", every_seconds=60).due()
