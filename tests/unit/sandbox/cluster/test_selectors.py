import pytest

from sandbox.cluster import selectors
from sandbox.cluster.status import ApiError

# The selector that KubernetesPodOperator sends, recorded.
POD_OPERATOR = "dag_id=d,kubernetes_pod_operator=True,task_id=t,already_checked!=True,!airflow-worker"
OWN = {"dag_id": "d", "kubernetes_pod_operator": "True", "task_id": "t"}


def holds(text, labels):
    return selectors.matches(selectors.parse_labels(text), labels)


@pytest.mark.parametrize(
    ("text", "labels", "expected"),
    [
        ("", {}, True),
        ("a=1", {"a": "1"}, True),
        ("a==1", {"a": "2"}, False),
        ("a=", {"a": ""}, True),
        ("a!=1", {}, True),
        ("a!=1", {"a": "1"}, False),
        ("a in (1, 2),b", {"a": "2", "b": ""}, True),
        ("a in (1,2)", {}, False),
        ("a notin (1,2)", {}, True),
        ("a notin (1,2)", {"a": "2"}, False),
        ("example.com/a", {"example.com/a": "x"}, True),
        ("!example.com/a", {"example.com/a": "x"}, False),
        (POD_OPERATOR, OWN, True),
        (POD_OPERATOR, {**OWN, "already_checked": "True"}, False),
        (POD_OPERATOR, {**OWN, "already_checked": "False"}, True),
        (POD_OPERATOR, {**OWN, "airflow-worker": "1"}, False),
    ],
)
def test_label_selectors(text, labels, expected):
    assert holds(text, labels) is expected


@pytest.mark.parametrize("text", ["a=b=c", "=a", "a in 1,2", "a in (1", "a b", "!a=1"])
def test_what_is_no_selector_is_refused(text):
    with pytest.raises(ApiError) as caught:
        selectors.parse_labels(text)
    assert caught.value.code == 400


def test_selector_objects():
    wanted = selectors.requirements(
        {
            "matchLabels": {"a": "1"},
            "matchExpressions": [
                {"key": "b", "operator": "Exists"},
                {"key": "c", "operator": "NotIn", "values": ["x"]},
                {"key": "size", "operator": "Gt", "values": ["3"]},
            ],
        }
    )
    assert selectors.matches(wanted, {"a": "1", "b": "", "size": "4"})
    assert not selectors.matches(wanted, {"a": "1", "b": "", "size": "3"})
    assert not selectors.matches(wanted, {"a": "1", "b": "", "size": "many"})
    assert not selectors.matches(wanted, {"a": "1", "b": "", "c": "x", "size": "4"})
    assert selectors.matches(selectors.requirements(None), None)


def test_field_selectors():
    test = selectors.predicate("", "metadata.name=a,status.phase!=Failed", ("metadata.name", "status.phase"))
    item = {"metadata": {"name": "a"}, "status": {"phase": "Running"}}
    assert test(item)
    assert not test(item | {"status": {"phase": "Failed"}})
    assert not test(item | {"metadata": {"name": "b"}})
    absent = selectors.predicate("", "spec.nodeName=,spec.unschedulable=false", ("spec.nodeName", "spec.unschedulable"))
    assert absent({"metadata": {}, "spec": {"unschedulable": False}})
    with pytest.raises(ApiError, match="field label not supported"):
        selectors.predicate("", "spec.x=1", ("metadata.name",))
