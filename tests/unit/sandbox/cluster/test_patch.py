import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.cluster import patch
from sandbox.cluster.status import ApiError

VALUES = st.recursive(
    st.none() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=8,
)

# The examples of RFC 7386, appendix A.
MERGE_EXAMPLES = [
    ({"a": "b"}, {"a": "c"}, {"a": "c"}),
    ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
    ({"a": "b"}, {"a": None}, {}),
    ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
    ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
    ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
    ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
    ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
    (["a", "b"], ["c", "d"], ["c", "d"]),
    ({"a": "b"}, ["c"], ["c"]),
    ({"a": "foo"}, None, None),
    ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
    ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
    ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
]


@pytest.mark.parametrize(("target", "change", "expected"), MERGE_EXAMPLES)
def test_merge_patch_is_rfc_7386(target, change, expected):
    before = copy.deepcopy(target)
    assert patch.merge(target, change) == expected
    assert target == before


@given(VALUES, VALUES)
def test_merge_patch_is_idempotent(target, change):
    once = patch.merge(target, change)
    assert patch.merge(once, change) == once


def test_json_patch_operations():
    target = {"a": {"b": [1, 2, 3]}, "x/y": 1, "~": 2}
    operations = [
        {"op": "add", "path": "/a/b/1", "value": 9},
        {"op": "add", "path": "/a/b/-", "value": 4},
        {"op": "remove", "path": "/a/b/0"},
        {"op": "replace", "path": "/x~1y", "value": 5},
        {"op": "move", "from": "/~0", "path": "/moved"},
        {"op": "copy", "from": "/a/b", "path": "/copied"},
        {"op": "test", "path": "/moved", "value": 2},
    ]
    result = patch.json_patch(target, operations)
    assert result == {"a": {"b": [9, 2, 3, 4]}, "x/y": 5, "moved": 2, "copied": [9, 2, 3, 4]}
    assert target == {"a": {"b": [1, 2, 3]}, "x/y": 1, "~": 2}


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "remove", "path": "/absent"},
        {"op": "replace", "path": "/absent", "value": 1},
        {"op": "add", "path": "/list/7", "value": 1},
        {"op": "add", "path": "/list/-1", "value": 1},
        {"op": "test", "path": "/list", "value": []},
        {"op": "add", "path": "no-pointer", "value": 1},
        {"op": "add", "path": "/list/0"},
    ],
)
def test_json_patch_that_does_not_apply_is_422(operation):
    with pytest.raises(ApiError) as caught:
        patch.json_patch({"list": [1]}, [operation])
    assert caught.value.code == 422


CONTAINERS = {
    "containers": [{"name": "a", "image": "a:1", "env": [{"name": "X", "value": "1"}]}, {"name": "b", "image": "b:1"}]
}


def test_strategic_merge_joins_lists_by_key():
    change = {"containers": [{"name": "a", "env": [{"name": "Y", "value": "2"}]}, {"name": "c", "image": "c:1"}]}
    result = patch.strategic(CONTAINERS, change)
    assert [item["name"] for item in result["containers"]] == ["a", "b", "c"]
    assert result["containers"][0] == {
        "name": "a",
        "image": "a:1",
        "env": [{"name": "X", "value": "1"}, {"name": "Y", "value": "2"}],
    }
    assert len(CONTAINERS["containers"]) == 2


def test_strategic_merge_replaces_other_lists():
    target = {"args": ["a", "b"], "tolerations": [{"key": "a"}]}
    assert patch.strategic(target, {"args": ["c"], "tolerations": [{"key": "b"}]}) == {
        "args": ["c"],
        "tolerations": [{"key": "b"}],
    }


def test_strategic_merge_directives():
    gone = patch.strategic(CONTAINERS, {"containers": [{"name": "a", "$patch": "delete"}]})
    assert [item["name"] for item in gone["containers"]] == ["b"]
    replaced = patch.strategic(CONTAINERS, {"containers": [{"$patch": "replace"}, {"name": "z"}]})
    assert replaced == {"containers": [{"name": "z"}]}
    order = {
        "$setElementOrder/containers": [{"name": "b"}, {"name": "a"}],
        "containers": [{"name": "b", "image": "b:2"}],
    }
    assert [item["image"] for item in patch.strategic(CONTAINERS, order)["containers"]] == ["b:2", "a:1"]
    strategy = {"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1}}}
    retained = {"strategy": {"$retainKeys": ["type"], "type": "Recreate"}}
    assert patch.strategic(strategy, retained) == {"strategy": {"type": "Recreate"}}
    assert patch.strategic({"a": {"b": 1, "c": 2}}, {"a": {"$patch": "replace", "d": 3}}) == {"a": {"d": 3}}
    assert patch.strategic({"a": {"b": 1}, "c": 1}, {"a": {"$patch": "delete"}}) == {"c": 1}
    finalizers = {"finalizers": ["x", "y"]}
    assert patch.strategic(finalizers, {"finalizers": ["z"]}) == {"finalizers": ["x", "y", "z"]}
    assert patch.strategic(finalizers, {"$deleteFromPrimitiveList/finalizers": ["x"]}) == {"finalizers": ["y"]}


def test_strategic_merge_knows_the_ports_of_containers_and_of_services():
    container = {"ports": [{"containerPort": 80, "name": "a"}]}
    assert patch.strategic(container, {"ports": [{"containerPort": 80, "name": "b"}]}) == {
        "ports": [{"containerPort": 80, "name": "b"}]
    }
    service = {"ports": [{"port": 80, "nodePort": 30000}]}
    assert patch.strategic(service, {"ports": [{"port": 80, "targetPort": 1}]})["ports"] == [
        {"port": 80, "nodePort": 30000, "targetPort": 1}
    ]


@given(
    st.dictionaries(st.sampled_from("abc"), st.integers() | st.text(max_size=2)),
    st.dictionaries(st.sampled_from("abc"), st.none() | st.integers()),
)
def test_on_flat_objects_strategic_merge_is_merge(target, change):
    assert patch.strategic(target, change) == patch.merge(target, change)
