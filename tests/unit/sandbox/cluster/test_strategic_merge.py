from hypothesis import given
from hypothesis import strategies as st

from sandbox import patch
from sandbox.cluster import strategic_merge

CONTAINERS = {
    "containers": [{"name": "a", "image": "a:1", "env": [{"name": "X", "value": "1"}]}, {"name": "b", "image": "b:1"}]
}


def test_strategic_merge_joins_lists_by_key():
    change = {"containers": [{"name": "a", "env": [{"name": "Y", "value": "2"}]}, {"name": "c", "image": "c:1"}]}
    result = strategic_merge.merge(CONTAINERS, change)
    assert [item["name"] for item in result["containers"]] == ["a", "b", "c"]
    assert result["containers"][0] == {
        "name": "a",
        "image": "a:1",
        "env": [{"name": "X", "value": "1"}, {"name": "Y", "value": "2"}],
    }
    assert len(CONTAINERS["containers"]) == 2


def test_strategic_merge_replaces_other_lists():
    target = {"args": ["a", "b"], "tolerations": [{"key": "a"}]}
    assert strategic_merge.merge(target, {"args": ["c"], "tolerations": [{"key": "b"}]}) == {
        "args": ["c"],
        "tolerations": [{"key": "b"}],
    }


def test_strategic_merge_directives():
    gone = strategic_merge.merge(CONTAINERS, {"containers": [{"name": "a", "$patch": "delete"}]})
    assert [item["name"] for item in gone["containers"]] == ["b"]
    replaced = strategic_merge.merge(CONTAINERS, {"containers": [{"$patch": "replace"}, {"name": "z"}]})
    assert replaced == {"containers": [{"name": "z"}]}
    order = {
        "$setElementOrder/containers": [{"name": "b"}, {"name": "a"}],
        "containers": [{"name": "b", "image": "b:2"}],
    }
    assert [item["image"] for item in strategic_merge.merge(CONTAINERS, order)["containers"]] == ["b:2", "a:1"]
    strategy = {"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1}}}
    retained = {"strategy": {"$retainKeys": ["type"], "type": "Recreate"}}
    assert strategic_merge.merge(strategy, retained) == {"strategy": {"type": "Recreate"}}
    assert strategic_merge.merge({"a": {"b": 1, "c": 2}}, {"a": {"$patch": "replace", "d": 3}}) == {"a": {"d": 3}}
    assert strategic_merge.merge({"a": {"b": 1}, "c": 1}, {"a": {"$patch": "delete"}}) == {"c": 1}
    finalizers = {"finalizers": ["x", "y"]}
    assert strategic_merge.merge(finalizers, {"finalizers": ["z"]}) == {"finalizers": ["x", "y", "z"]}
    assert strategic_merge.merge(finalizers, {"$deleteFromPrimitiveList/finalizers": ["x"]}) == {"finalizers": ["y"]}


def test_strategic_merge_knows_the_ports_of_containers_and_of_services():
    container = {"ports": [{"containerPort": 80, "name": "a"}]}
    assert strategic_merge.merge(container, {"ports": [{"containerPort": 80, "name": "b"}]}) == {
        "ports": [{"containerPort": 80, "name": "b"}]
    }
    service = {"ports": [{"port": 80, "nodePort": 30000}]}
    assert strategic_merge.merge(service, {"ports": [{"port": 80, "targetPort": 1}]})["ports"] == [
        {"port": 80, "nodePort": 30000, "targetPort": 1}
    ]


@given(
    st.dictionaries(st.sampled_from("abc"), st.integers() | st.text(max_size=2)),
    st.dictionaries(st.sampled_from("abc"), st.none() | st.integers()),
)
def test_on_flat_objects_strategic_merge_is_merge(target, change):
    assert strategic_merge.merge(target, change) == patch.merge(target, change)
