from dataclasses import dataclass, field

import pytest

from include.foundation.errors import InvalidInput, MissingInput
from include.foundation.jobs import address, fail, failure, find, write
from include.foundation.jobs.record import LARGEST_BYTES


@dataclass
class Objects:
    data: dict = field(default_factory=dict)

    def put(self, uri, data):
        self.data[uri] = data

    def get(self, uri):
        if uri not in self.data:
            raise MissingInput(uri)
        return self.data[uri]


class Lake:
    models = "s3://models/"

    def __init__(self):
        self.store = Objects()

    def objects(self):
        return self.store


def test_an_answer_is_found_again_by_its_key():
    lake = Lake()
    assert find(lake, "k") is None
    write(lake.objects(), address(lake, "k"), {"digest": "d", "auc": 0.5})
    assert find(lake, "k") == {"answer": {"digest": "d", "auc": 0.5}}
    assert find(lake, "other") is None


@pytest.mark.parametrize("data", [b"", b"{", b"[1]", b"{}", b"\xff"])
def test_something_else_under_the_key_is_refused_by_its_address(data):
    lake = Lake()
    lake.store.put(address(lake, "k"), data)
    with pytest.raises(InvalidInput, match=r"s3://models/_jobs/k.json is not a job's record"):
        find(lake, "k")


def test_a_large_answer_is_refused():
    with pytest.raises(InvalidInput, match="at most 65536"):
        write(Objects(), "s3://models/_jobs/k.json", "x" * LARGEST_BYTES)


def test_the_last_words_of_a_failed_job_are_found_and_bounded():
    lake = Lake()
    assert failure(lake, "s3://models/_jobs/k.0.failure.json") is None
    fail(lake.objects(), "s3://models/_jobs/k.0.failure.json", code=65, said="x" * LARGEST_BYTES + "the end")
    found = failure(lake, "s3://models/_jobs/k.0.failure.json")
    assert found["code"] == 65
    assert found["said"].endswith("the end")
    assert len(found["said"]) < LARGEST_BYTES
