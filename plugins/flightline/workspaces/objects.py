"""A workspace as objects of Kubernetes: made from the templates in `deploy/workspace/`, and read again. No database."""

import base64
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from flightline.workspaces.settings import MOST_DAYS, Settings, Wanted
from include.foundation.errors import InvalidInput
from include.foundation.jobs import GPU

FOLDER = Path(__file__).parents[3] / "deploy" / "workspace"
SELECTOR = "app.kubernetes.io/part-of=flightline,app.kubernetes.io/component=workspace"
USER, UNTIL, CPUS, MEMORY_GIB, GPUS = (f"flightline/{name}" for name in ("user", "until", "cpus", "memory-gib", "gpus"))
TOKEN = "token"  # noqa: S105 (the key of the Secret)
ENDED = ("Succeeded", "Failed")
_PLAIN = re.compile("[a-z0-9]([a-z0-9-]{0,28}[a-z0-9])?")
_HASHED = re.compile(".*-[0-9a-f]{8}")
_EPOCH = datetime.fromtimestamp(0, UTC)


@dataclass(frozen=True, kw_only=True)
class Workspace:
    """One workspace, as its pod says.

    Attributes:
        name: of the pod and of all that belongs to it.
        user: whose it is.
        image: that runs.
        size: what was asked for.
        state: `starting`, `ready`, `stopping` or `ended`.
        why: what it waits for, in the cluster's words; empty if for nothing.
        began: when it was asked for.
        until: when it is stopped; the beginning of time where the pod does not say.
        uid: of the pod.
        cluster: id of the cluster behind Rancher; empty where there is but one.
    """

    name: str
    user: str
    image: str
    size: Wanted
    state: str
    why: str
    began: datetime
    until: datetime
    uid: str
    cluster: str = ""

    @classmethod
    def of(cls, pod: Mapping[str, Any], *, cluster: str = "") -> "Workspace":
        """Read a pod, as the Kubernetes API gives it."""
        metadata, spec, status = pod["metadata"], pod["spec"], pod.get("status") or {}
        said = metadata.get("annotations") or {}
        state, why = _state(metadata, status)
        began = datetime.fromisoformat(metadata["creationTimestamp"])
        return cls(
            name=metadata["name"],
            user=said.get(USER, ""),
            image=spec["containers"][0]["image"],
            size=Wanted.model_construct(
                cpus=_number(said.get(CPUS)), memory_gib=_number(said.get(MEMORY_GIB)), gpus=_number(said.get(GPUS))
            ),
            state=state,
            why=why,
            began=began,
            until=_moment(said.get(UNTIL)),
            uid=metadata["uid"],
            cluster=cluster,
        )

    def later(self, settings: Settings, hours: int, now: datetime) -> datetime:
        """Until when it may go on if it is extended by hours from now on."""
        most = self.began + timedelta(days=MOST_DAYS)
        return min(max(self.until, now + timedelta(hours=min(hours, settings.quota.hours))), most)

    def over(self, now: datetime) -> str:
        """Why it is to go; empty if it is not."""
        if self.state == "ended":
            return "it has ended"
        return f"its time was over at {self.until:%Y-%m-%d %H:%M UTC}" if self.until <= now else ""


def slug(user: str) -> str:
    """A login as part of names: itself, or what is left of it and a hash; no two logins have the same."""
    if _PLAIN.fullmatch(user) and not _HASHED.fullmatch(user):
        return user
    kept = re.sub("[^a-z0-9]+", "-", user.lower()).strip("-")[:20].strip("-")
    return f"{kept or 'u'}-{hashlib.sha256(user.encode()).hexdigest()[:8]}"


def name_of(user: str, run_id: str) -> str:
    """The workspace that a run of the Dag is about: the same again when its task is tried again."""
    return f"{slug(user)}-{hashlib.sha256(f'{user} {run_id}'.encode()).hexdigest()[:8]}"


def rights(user: str) -> str:
    """The Secret that holds a person's own keys, where the cluster's owner has made one."""
    return f"rights-{slug(user)}"


def pod(name: str, user: str, wanted: Wanted, settings: Settings, *, image: str, now: datetime) -> dict[str, Any]:
    """The pod of a workspace. It starts when the Secret with its token is there.

    Args:
        name: of the workspace.
        user: whose it is to be.
        wanted: its size.
        settings: of the cluster.
        image: reference.
        now: the moment.
    """
    made: dict[str, Any] = _filled("pod", name, user, settings)
    until = now + timedelta(hours=wanted.hours)
    sizes = {CPUS: wanted.cpus, MEMORY_GIB: wanted.memory_gib, GPUS: wanted.gpus}
    made["metadata"]["annotations"] |= {UNTIL: until.isoformat(timespec="seconds")}
    made["metadata"]["annotations"] |= {key: str(value) for key, value in sizes.items()}
    made["spec"]["activeDeadlineSeconds"] = MOST_DAYS * 86_400
    (container,) = made["spec"]["containers"]
    container["image"] = image
    container["env"].append({"name": "FLIGHTLINE_IMAGE", "value": image})
    amount = {"cpu": str(wanted.cpus), "memory": f"{wanted.memory_gib}Gi"}
    gpus = {GPU: str(wanted.gpus)} if wanted.gpus else {}
    container["resources"] = {"requests": {**amount, **gpus}, "limits": {**amount, **gpus}}
    return made


def home(user: str, settings: Settings) -> dict[str, Any]:
    """The person's volume, which stays when workspaces go."""
    made: dict[str, Any] = _filled("home", slug(user), user, settings)
    if settings.storage_class:
        made["spec"]["storageClassName"] = settings.storage_class
    return made


def belongings(found: Workspace, settings: Settings, *, token: str) -> list[dict[str, Any]]:
    """What a workspace's pod owns, and goes with it: network policy, Service, route and, last, the Secret."""
    made = [_filled(kind, found.name, found.user, settings) for kind in ("network", "service", "route", "secret")]
    made[-1]["data"] = {TOKEN: base64.b64encode(token.encode()).decode()}
    owner = {"apiVersion": "v1", "kind": "Pod", "name": found.name, "uid": found.uid}
    for each in made:
        each["metadata"]["ownerReferences"] = [owner]
    return made


def _filled(kind: str, name: str, user: str, settings: Settings) -> Any:
    from include.stages.promotion.templates import filled

    namespace, _, gateway = settings.gateway.partition("/")
    return filled(
        _template(kind),
        {
            "name": name,
            "namespace": settings.namespace,
            "user": user,
            "slug": slug(user),
            "rights": rights(user),
            "host": settings.host(name),
            "gateway_namespace": namespace,
            "gateway": gateway,
            "idle_minutes": str(settings.idle_minutes),
            "home": settings.home,
            "access_mode": settings.access_mode,
        },
    )


@cache
def _template(kind: str) -> Any:
    try:
        return yaml.safe_load((FOLDER / f"{kind}.yaml").read_text(encoding="utf-8"))
    except OSError as error:
        raise InvalidInput(f"{FOLDER}/{kind}.yaml cannot be read: {error.strerror}") from error


def _state(metadata: Mapping[str, Any], status: Mapping[str, Any]) -> tuple[str, str]:
    if metadata.get("deletionTimestamp"):
        return "stopping", ""
    if status.get("phase") in ENDED:
        return "ended", str(status.get("message") or status.get("reason") or "")
    for container in status.get("containerStatuses") or ():
        if container.get("ready"):
            return "ready", ""
        if waiting := (container.get("state") or {}).get("waiting"):
            return "starting", f"{waiting.get('reason', '')} {waiting.get('message', '')}".strip()
    unplaced = [each.get("message", "") for each in status.get("conditions") or () if each.get("status") == "False"]
    return "starting", next((str(words) for words in unplaced if words), "")


def _number(text: Any) -> int:
    return int(text) if str(text).isdecimal() else 0


def _moment(text: Any) -> datetime:
    try:
        found = datetime.fromisoformat(str(text))
    except ValueError:
        return _EPOCH
    return found if found.tzinfo else _EPOCH
