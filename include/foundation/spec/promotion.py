"""Read by `dags/promote.py` and `stages/promotion`: the way to production."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from include.foundation.spec.part import Fraction, Line, Margin, Name, Part, distinct

Seconds = Annotated[int, Field(ge=1, le=30 * 86_400)]


class RancherCluster(Part):
    """A cluster behind Rancher."""

    rancher: Line | dict[str, str] = Field(
        description="its name, or labels that one cluster has; by Airflow's Connection `rancher`"
    )

    @model_validator(mode="after")
    def _names_something(self) -> "RancherCluster":
        if not self.rancher:
            raise ValueError("rancher: say the cluster's name, or its labels")
        return self

    def __str__(self) -> str:
        """For annotations and messages."""
        if isinstance(self.rancher, str):
            return f"rancher/{self.rancher}"
        return "rancher/" + ",".join(f"{name}={value}" for name, value in sorted(self.rancher.items()))


class Stage(Part):
    """One place on the way to production: a namespace of a cluster, and an Argo CD Application."""

    name: Annotated[Name, Field(max_length=52, description="`flightline-<name>` is a namespace: 63 characters")]
    replicas: int = Field(1, ge=1, le=1000)
    cluster: Name | RancherCluster = Field(
        "cluster", description="Airflow's Connection of the cluster that it is in, or which one of Rancher's it is"
    )
    rollout: Literal["gateway", "replicas"] = Field(
        "gateway",
        description="what divides requests between two versions: a HTTPRoute's weights (Gateway API), or, "
        "in a cluster without it, how many replicas of each are behind one Service",
    )

    @property
    def namespace(self) -> str:
        """Its namespace in the cluster."""
        return f"flightline-{self.name.replace('_', '-')}"


class Step(Part):
    """One step towards the whole of the requests, each with a window in which both versions are observed."""

    shadow: int | None = Field(
        None, ge=1, le=100, description="percent of requests that the new version gets a copy of"
    )
    canary: int | None = Field(None, ge=1, le=99, description="percent of requests that the new version answers")
    window_seconds: Seconds | None = Field(None, description="instead of the section's")

    @model_validator(mode="after")
    def _is_one_of_both(self) -> "Step":
        if (self.shadow is None) == (self.canary is None):
            raise ValueError("a step says either shadow or canary")
        return self

    @property
    def name(self) -> str:
        """What it is called in Airflow, commits and messages."""
        return f"shadow_{self.shadow}" if self.shadow else f"canary_{self.canary}"


class Criteria(Part):
    """When the new version is worse than the stable one, over the window of a step."""

    min_requests: int = Field(100, ge=1, description="that each of both must have answered before they are compared")
    error_share: Fraction = Field(0.01, description="of requests that fail, above the stable version's share")
    latency_factor: float = Field(2.0, ge=1, le=100, description="times the stable version's p99")
    latency_p99_ms: float = Field(100, gt=0, description="a p99 that is never too slow")
    answers_distance: Fraction = Field(
        0.2, description="between both versions' distributions of answers, beyond chance"
    )
    disagreement: Fraction = Field(0.1, description="mean difference of both answers to one request, of their scale")
    memory_share: Fraction = Field(0.95, description="of its memory that a replica may take")
    restarts: int = Field(0, ge=0, description="of the new version's containers")
    label_rows: int = Field(
        200, ge=20, description="labelled answers that each of both must have before their metric is compared"
    )
    label_loss: Margin = Field(
        0.0, description="of the spec's metric, that is allowed; worse is what is beyond it with the whole interval"
    )
    label_confidence: float = Field(0.95, gt=0.5, lt=1, description="of that interval, two-sided")


class Promotion(Part):
    """The stages in order; the last one is production."""

    stages: tuple[Stage, ...] = (Stage(name="staging"), Stage(name="production", replicas=2))
    targets: tuple[Literal["argocd", "modzy", "sagemaker"], ...] = Field(
        ("argocd",),
        description="where a version goes: through the stages, by Argo CD, and once it is the champion, to a "
        "marketplace (Modzy) and an endpoint of SageMaker too",
    )
    approval_hours: int = Field(24, ge=1, le=366 * 24)
    steps: tuple[Step, ...] = Field(
        (Step(shadow=50), Step(canary=10), Step(canary=50)),
        description="of the last stage, where a version serves already; all of the requests follow, with a window too",
    )
    window_seconds: Seconds = Field(600, description="for which a step is observed, at least")
    limit_seconds: Seconds = Field(3600, description="for which a step waits until there were requests enough")
    without_traffic: Literal["fail", "go_on"] = Field("fail", description="when the limit has passed with fewer")
    criteria: Criteria = Criteria()

    @model_validator(mode="after")
    def _stages_have_names_of_their_own(self) -> "Promotion":
        names = [stage.name for stage in self.stages]
        distinct("stages", names)
        if not names:
            raise ValueError("stages: at least one")
        return self

    @model_validator(mode="after")
    def _goes_through_the_stages(self) -> "Promotion":
        distinct("targets", self.targets)
        if self.targets[:1] != ("argocd",):
            raise ValueError("targets: argocd comes first: what is published elsewhere is what serves in production")
        return self

    @model_validator(mode="after")
    def _steps_can_be_walked(self) -> "Promotion":
        distinct("steps", [step.name for step in self.steps])
        if self.stages[-1].rollout == "replicas" and any(step.shadow for step in self.steps):
            raise ValueError(
                f"steps: {self.stages[-1].name} says rollout: replicas, which cannot copy requests: no shadow"
            )
        longest = max([self.window_seconds, *(step.window_seconds or 0 for step in self.steps)])
        if longest > self.limit_seconds:
            raise ValueError(f"a window of {longest} s is longer than limit_seconds, {self.limit_seconds}")
        return self
