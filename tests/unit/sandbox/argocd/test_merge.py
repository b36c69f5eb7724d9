import pytest

from sandbox.argocd import merge


def containers(*items):
    return {"spec": {"containers": list(items)}}


def test_removes_only_what_was_applied_before():
    last = {"metadata": {"labels": {"a": "1", "b": "1"}}, "spec": {"paused": True, "replicas": 1}}
    want = {"metadata": {"labels": {"a": "2"}}, "spec": {"replicas": 1}}
    assert merge.strategic(last, want) == {
        "metadata": {"labels": {"a": "2", "b": None}},
        "spec": {"replicas": 1, "paused": None},
    }


def test_lists_with_merge_keys_are_joined():
    last = containers({"name": "a", "env": [{"name": "X", "value": "1"}, {"name": "Y", "value": "1"}]}, {"name": "b"})
    want = containers({"name": "a", "env": [{"name": "Y", "valueFrom": {"z": "1"}}]})
    assert merge.strategic(last, want) == containers(
        {
            "name": "a",
            "env": [{"name": "Y", "value": None, "valueFrom": {"z": "1"}}, {"name": "X", "$patch": "delete"}],
        },
        {"name": "b", "$patch": "delete"},
    )


@pytest.mark.parametrize(
    ("live", "last", "want", "applied"),
    [
        ({"a": 1, "default": 2}, {}, {"a": 1}, True),
        ({"a": 1}, {}, {"a": 2}, False),
        ({"a": 1, "b": 1}, {"a": 1, "b": 1}, {"a": 1}, False),
        ({"cpu": "1"}, {}, {"cpu": 1}, True),
        ({"a": True}, {}, {"a": "True"}, True),
        ({"a": "true"}, {}, {"a": True}, False),
        ({}, {}, {"empty": {}}, True),
        ({"args": ["a"]}, {}, {"args": ["a", "b"]}, False),
        (
            containers({"name": "a", "image": "i", "tty": False}, {"name": "injected"}),
            {},
            containers({"name": "a", "image": "i"}),
            True,
        ),
        (containers({"name": "a"}, {"name": "b"}), containers({"name": "b"}), containers({"name": "a"}), False),
        (containers({"name": "b"}), {}, containers({"name": "a"}), False),
    ],
)
def test_satisfied(live, last, want, applied):
    assert merge.satisfied(live, merge.strategic(last, want)) is applied
