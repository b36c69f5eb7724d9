import pytest
from pydantic import ValidationError

from include.foundation.spec.promotion import Promotion, Stage


def test_production_comes_last_unless_a_spec_says_otherwise():
    assert [stage.name for stage in Promotion().stages] == ["staging", "production"]


def test_a_namespace_is_a_dns_label():
    longest = Stage(name="a_" * 25 + "ab")
    assert Stage(name="pre_production").namespace == "flightline-pre-production"
    assert len(longest.namespace) == 63


@pytest.mark.parametrize(
    ("stages", "message"),
    [
        ([], "stages: at least one"),
        ([Stage(name="live"), Stage(name="live", replicas=2)], "stages: live twice"),
    ],
)
def test_stages_that_show_no_way_to_production_are_refused(stages, message):
    with pytest.raises(ValidationError, match=message):
        Promotion(stages=stages)


@pytest.mark.parametrize("change", [{"name": "a" * 53}, {"name": "Live"}, {"replicas": 0}, {"cluster": ""}])
def test_a_stage_that_no_cluster_takes_is_refused(change):
    with pytest.raises(ValidationError, match=next(iter(change))):
        Stage(**{"name": "live", **change})


@pytest.mark.parametrize("hours", [0, 366 * 24 + 1])
def test_an_approval_is_waited_for_from_an_hour_to_a_year(hours):
    with pytest.raises(ValidationError, match="approval_hours"):
        Promotion(approval_hours=hours)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"steps": [{"shadow": 50, "canary": 10}]}, "either shadow or canary"),
        ({"steps": [{}]}, "either shadow or canary"),
        ({"steps": [{"canary": 100}]}, "less than or equal to 99"),
        ({"steps": [{"canary": 10}, {"canary": 10}]}, "steps: canary_10 twice"),
        ({"steps": [{"canary": 10, "window_seconds": 4000}]}, "a window of 4000 s is longer than limit_seconds, 3600"),
        ({"window_seconds": 60, "limit_seconds": 30}, "a window of 60 s is longer than limit_seconds, 30"),
        (
            {"stages": [{"name": "live", "rollout": "replicas"}]},
            "live says rollout: replicas, which cannot copy requests",
        ),
        ({"without_traffic": "pass"}, "'fail' or 'go_on'"),
    ],
)
def test_steps_that_cannot_be_walked_are_refused(change, message):
    with pytest.raises(ValidationError, match=message):
        Promotion(**change)


def test_steps_have_names_and_no_traffic_is_not_fine_unless_a_spec_says_so():
    assert [step.name for step in Promotion().steps] == ["shadow_50", "canary_10", "canary_50"]
    assert Promotion().without_traffic == "fail"
    assert Promotion(steps=(), stages=[{"name": "live", "rollout": "replicas"}]).steps == ()


def test_a_marketplace_comes_after_the_stages() -> None:
    assert Promotion().targets == ("argocd",)
    assert Promotion(targets=("argocd", "modzy")).targets == ("argocd", "modzy")
    for wrong in (("modzy",), ("modzy", "argocd"), (), ("argocd", "argocd")):
        with pytest.raises(ValidationError, match="targets"):
            Promotion(targets=wrong)


def test_a_stage_may_be_in_a_cluster_of_rancher() -> None:
    by_name = Stage.model_validate({"name": "production", "cluster": {"rancher": "east"}})
    by_labels = Stage.model_validate({"name": "production", "cluster": {"rancher": {"site": "b", "gpu": "no"}}})
    assert (str(by_name.cluster), str(by_labels.cluster)) == ("rancher/east", "rancher/gpu=no,site=b")
    assert str(Stage(name="production").cluster) == "cluster"
    for nothing in ({"rancher": {}}, {"rancher": ""}, {}):
        with pytest.raises(ValidationError, match="cluster"):
            Stage.model_validate({"name": "production", "cluster": nothing})
