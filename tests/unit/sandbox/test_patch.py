import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox import patch

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
        {"op": "add", "path": 5, "value": 1},
        {"op": "twist", "path": "/list"},
        {"op": "move", "path": "/list", "from": "/absent"},
        {"op": "add", "path": "/absent/y", "value": 2},
        "add",
    ],
)
def test_a_json_patch_that_does_not_apply_is_refused(operation):
    with pytest.raises(ValueError, match="does not apply"):
        patch.json_patch({"list": [1]}, [operation])
