"""What the cluster's owner says of workspaces, and what a person asks for."""

from collections.abc import Iterable
from typing import Any
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from include.foundation.echo import cause, listing, quoted
from include.foundation.errors import InvalidInput

IMAGE = "flightline/workspace"
KEY = "workspaces"  # of the Connection's extra
MOST_DAYS = 7  # that a workspace lives, however often it is extended
REMEDY = "in the extra of the Connection of the cluster (docs/systems/workspace.md)"


class Wanted(BaseModel):
    """What a person asks for; each field is one of the Dag's form."""

    model_config = ConfigDict(frozen=True)

    image: str | None = Field(
        None, max_length=300, title="Image", description="One that the cluster's owner allows. Empty: the first."
    )
    cpus: int = Field(2, ge=1, le=64, title="CPUs", description="Cores that are kept for you.")
    memory_gib: int = Field(4, ge=1, le=512, title="Memory, GiB", description="More than that ends what uses it.")
    gpus: int = Field(0, ge=0, le=16, title="GPUs", description="Whole ones.")
    hours: int = Field(
        8, ge=1, le=24 * MOST_DAYS, title="Hours", description="Then it stops; extend it on the page before."
    )


class Quota(BaseModel):
    """What one person may have at once, over all his workspaces."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    workspaces: int = Field(2, ge=0)
    cpus: int = Field(8, ge=0)
    memory_gib: int = Field(32, ge=0)
    gpus: int = Field(1, ge=0)
    hours: int = Field(12, ge=1, le=24 * MOST_DAYS)

    def require(self, user: str, having: Iterable[Wanted], wanted: Wanted) -> None:
        """Raise InvalidInput, naming what is exceeded and by how much, if the person would have more than he may."""
        every = [*having, wanted]
        sums = {name: sum(getattr(each, name) for each in every) for name in ("cpus", "memory_gib", "gpus")}
        sums |= {"workspaces": len(every), "hours": wanted.hours}
        if over := [f"{name} {sums[name]} of {most}" for name, most in dict(self).items() if sums[name] > most]:
            raise InvalidInput(
                f"{quoted(user)} would have {listing(over)}: ask for less, or stop a workspace first; the quota is set "
                f"{REMEDY}"
            )


class Settings(BaseModel):
    """What `workspaces` says in the extra of a Connection to a cluster.

    Attributes:
        url: of each workspace, with `{name}` in its host name: a browser keeps the cookies of hosts apart.
        namespace: that they are in.
        images: that may be asked for; the first one stands for none.
        quota: of each person.
        idle_minutes: after which JupyterLab ends itself.
        home: size of a person's volume.
        storage_class: of that volume; None is the cluster's own choice.
        access_mode: of that volume: `ReadWriteMany` lets a person's workspaces be on several nodes.
        gateway: `<namespace>/<name>` of the Gateway that leads to them.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: str
    namespace: str = "flightline-workspaces"
    images: tuple[str, ...] = Field((IMAGE,), min_length=1)
    quota: Quota = Quota()
    idle_minutes: int = Field(60, ge=1)
    home: str = Field("10Gi", pattern="^[0-9]+[GT]i$")
    storage_class: str | None = None
    access_mode: str = Field("ReadWriteOnce", pattern="^ReadWrite(Once|Many)$")
    gateway: str = Field("flightline/flightline", pattern="^[^/]+/[^/]+$")

    @classmethod
    def read(cls, said: Any) -> "Settings":
        """Those that a Connection says. Raises InvalidInput if they are malformed."""
        try:
            found = cls.model_validate(said)
        except ValidationError as error:
            raise InvalidInput(f"`{KEY}` {REMEDY}: {cause(error)}") from error
        parts = urlsplit(found.url)
        if parts.scheme not in {"http", "https"} or not (parts.hostname or "").startswith("{name}."):
            raise InvalidInput(
                f"`{KEY}.url` {REMEDY} is {quoted(found.url)}: say https://{{name}}.<a domain of their own>"
            )
        return found

    def origin(self, name: str) -> str:
        """Scheme, host and port of a workspace."""
        return self.url.rstrip("/").replace("{name}", name)

    def host(self, name: str) -> str:
        """The host name of a workspace."""
        return urlsplit(self.origin(name)).hostname or ""

    def allowed(self, image: str | None) -> str:
        """The image that is meant. Raises InvalidInput if it is none of those allowed."""
        if image and image not in self.images:
            raise InvalidInput(f"image {quoted(image)} is none that may be asked for: {listing(self.images)}")
        return image or self.images[0]
