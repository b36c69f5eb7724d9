import copy

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


def test_merge_patch_is_rfc_7386():
    target = {"a": "b", "c": {"d": "e", "f": "g"}, "l": [1, 2]}
    assert merge.merge_patch(target, {"a": "z", "c": {"f": None, "h": {"i": None}}, "l": [3]}) == {
        "a": "z",
        "c": {"d": "e", "h": {}},
        "l": [3],
    }


def test_json_patch_is_rfc_6902():
    target = {"a": [1, 2], "b/c": {"d": 1}}
    before = copy.deepcopy(target)
    operations = [
        {"op": "test", "path": "/a/0", "value": 1},
        {"op": "replace", "path": "/a/1", "value": 9},
        {"op": "add", "path": "/a/-", "value": 3},
        {"op": "add", "path": "/a/0", "value": 0},
        {"op": "remove", "path": "/b~1c/d"},
        {"op": "add", "path": "/new", "value": {}},
    ]
    assert merge.json_patch(target, operations) == {"a": [0, 1, 9, 3], "b/c": {}, "new": {}}
    assert target == before


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "remove", "path": "/missing"},
        {"op": "replace", "path": "/missing", "value": 1},
        {"op": "test", "path": "/a", "value": 2},
        {"op": "move", "path": "/a", "from": "/b"},
        {"op": "add", "path": "/x/y", "value": 2},
    ],
)
def test_json_patch_that_does_not_apply(operation):
    with pytest.raises(ValueError, match=r".+"):
        merge.json_patch({"a": 1}, [operation])
