"""Read by `dags/promote.py` and `stages/promotion`: the way to production."""

from typing import Annotated

from pydantic import Field, model_validator

from include.foundation.spec.part import Name, Part, distinct


class Stage(Part):
    """One place on the way to production: a namespace of a cluster, and an Argo CD Application."""

    name: Annotated[Name, Field(max_length=52, description="`flightline-<name>` is a namespace: 63 characters")]
    replicas: int = Field(1, ge=1, le=1000)
    cluster: Name = Field("cluster", description="Airflow's Connection of the cluster that it is in")

    @property
    def namespace(self) -> str:
        """Its namespace in the cluster."""
        return f"flightline-{self.name.replace('_', '-')}"


class Promotion(Part):
    """The stages in order; the last one is production."""

    stages: tuple[Stage, ...] = (Stage(name="staging"), Stage(name="production", replicas=2))
    approval_hours: int = Field(24, ge=1, le=366 * 24)

    @model_validator(mode="after")
    def _stages_have_names_of_their_own(self) -> "Promotion":
        names = [stage.name for stage in self.stages]
        distinct("stages", names)
        if not names:
            raise ValueError("stages: at least one")
        return self
