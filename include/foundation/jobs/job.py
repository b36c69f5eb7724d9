"""A job: what is to run somewhere else than in an Airflow worker, whatever system runs it."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from include.foundation.evidence.manifest import content_key

TRAINER = "trainer"  # the runtime of jobs that name none
GPU = "nvidia.com/gpu"  # as Kubernetes counts them
PERMANENT = 65  # EX_DATAERR of sysexits.h: the exit code by which a job says that a retry cannot help
Quantity = Annotated[str, Field(pattern=r"^[0-9]+(\.[0-9]+)?(m|[KMGT]i?)?$", description="as Kubernetes writes it")]


class Resources(BaseModel):
    """What a job needs; None leaves it to the backend's template."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    cpu: Quantity | None = None
    memory: Quantity | None = None
    gpus: int | None = Field(None, ge=0)


class Job(BaseModel):
    """One job.

    Attributes:
        name: what people see, a DNS label such as `fit`.
        arguments: what follows `python` in the image.
        image: reference of the image that runs it.
        runtime: whose libraries the image has: the environment's name, by which a backend finds its template.
        environment: variables beside those that the backend's template gives; no secrets.
        parts: of a job that is several steps, `python`'s arguments for each, under the step's name (`trials`: for each
            of several at a time), in their order: a system that knows such jobs runs them as tasks of its own, each
            with what the job needs. They do together what `arguments` do.
        resources: what it needs.
        reads: what it reads that arguments and image do not name, as plain values (ids and digests).
        rerun: tells a job that a person asked to do again from the first one; empty unless somebody did.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[str, Field(pattern=r"^[a-z0-9]([-a-z0-9]{0,40}[a-z0-9])?$")]
    arguments: tuple[str, ...]
    image: str
    runtime: str = TRAINER
    parts: Mapping[str, list[str] | list[list[str]]] = {}
    environment: Mapping[str, str] = {}
    resources: Resources = Resources()
    reads: Mapping[str, Any] = {}
    rerun: str = ""

    @property
    def key(self) -> str:
        """SHA-256, hex, of what decides the result: a retry or a second trigger with the same key is the same job.

        Parts, resources, runtime and environment say how it runs, not what results.
        """
        return content_key(arguments=list(self.arguments), image=self.image, reads=dict(self.reads), rerun=self.rerun)

    @property
    def label(self) -> str:
        """The key as far as a Kubernetes label holds it (63 characters)."""
        return self.key[:63]
