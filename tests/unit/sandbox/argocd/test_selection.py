import pytest

from sandbox.argocd import selection


@pytest.mark.parametrize(
    ("selector", "matches"),
    [
        ("", True),
        ("a=1", True),
        ("a==1,b!=2", True),
        ("a!=1", False),
        ("b", False),
        ("!b", True),
        ("a in (1, 2)", True),
        ("a notin (1,2),a", False),
        ("b notin (1)", True),
        ("a=(", False),
    ],
)
def test_labels(selector, matches):
    assert selection.labels_match(selector, {"a": "1"}) is matches


APP = {"metadata": {"name": "web", "labels": {"a": "1"}}, "spec": {"project": "default", "source": {"repoURL": "r"}}}


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ({}, True),
        ({"name": "web", "projects": ["default"], "repo": "r", "selector": "a=1"}, True),
        ({"name": "other"}, False),
        ({"projects": ["other"]}, False),
        ({"repo": "other"}, False),
        ({"selector": "a=2"}, False),
    ],
)
def test_shown(query, shown):
    assert selection.shown(APP, query) is shown


@pytest.mark.parametrize(
    ("paths", "left"),
    [
        ([], {"items": [{"metadata": {"name": "a", "uid": "1"}, "spec": {}}], "metadata": {}}),
        (["items.metadata.name"], {"items": [{"metadata": {"name": "a"}}]}),
        (["items.metadata.name", "items.spec"], {"items": [{"metadata": {"name": "a"}, "spec": {}}]}),
        (["-items.metadata", "-metadata"], {"items": [{"spec": {}}]}),
    ],
)
def test_fields(paths, left):
    value = {"items": [{"metadata": {"name": "a", "uid": "1"}, "spec": {}}], "metadata": {}}
    assert selection.fields(value, paths) == left
