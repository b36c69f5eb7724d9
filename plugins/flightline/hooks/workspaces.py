"""Workspaces on the cluster: all that is known of them is in the cluster's objects."""

import base64
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseHook

from flightline.exceptions import RancherError
from flightline.hooks.cluster import NO_IMAGE
from flightline.hooks.rancher import RancherHook
from flightline.workspaces import objects
from flightline.workspaces.objects import Workspace
from flightline.workspaces.settings import KEY, REMEDY, Settings, Wanted
from include.foundation.echo import cut, quoted
from include.foundation.errors import InvalidInput, MissingInput, ServiceUnavailable
from include.foundation.evidence import code

if TYPE_CHECKING:
    from flightline.hooks.cluster_client import ClusterClient

CONFLICT, NOT_FOUND = 409, 404
TIMEOUT_SECONDS = 20
GROUPS = {"NetworkPolicy": "networkpolicies", "HTTPRoute": "httproutes"}


@dataclass(frozen=True, kw_only=True)
class Place:
    """A cluster that workspaces may be on: its id behind Rancher, else nothing; a client; what its owner says."""

    cluster: str
    client: "ClusterClient"
    settings: Settings

    def workspaces(self, selector: str = objects.SELECTOR) -> list[Workspace]:
        """Those that are on it."""
        core, namespace = self.client.core_v1_client, self.settings.namespace
        with _asked("its workspaces"):
            found = core.list_namespaced_pod(namespace, label_selector=selector, _request_timeout=TIMEOUT_SECONDS)
            pods = core.api_client.sanitize_for_serialization(found)["items"]
        return [Workspace.of(pod, cluster=self.cluster) for pod in pods]

    def create(self, made: dict[str, Any]) -> None:
        """Create an object, if it is not there."""
        core, namespace, kind = self.client.core_v1_client, self.settings.namespace, made["kind"]
        calls: dict[str, Callable[..., Any]] = {
            "Pod": core.create_namespaced_pod,
            "PersistentVolumeClaim": core.create_namespaced_persistent_volume_claim,
            "Service": core.create_namespaced_service,
            "Secret": core.create_namespaced_secret,
        }
        with _asked(f"{kind} {made['metadata']['name']}", ignored=CONFLICT):
            if kind in GROUPS:
                group, _, version = made["apiVersion"].partition("/")
                custom = self.client.custom_object_client
                custom.create_namespaced_custom_object(
                    group, version, namespace, GROUPS[kind], made, _request_timeout=TIMEOUT_SECONDS
                )
            else:
                calls[kind](namespace, made, _request_timeout=TIMEOUT_SECONDS)

    def delete(self, found: Workspace) -> None:
        """Delete the pod, and with it what it owns; its home stays."""
        core = self.client.core_v1_client
        with _asked(found.name, ignored=NOT_FOUND):
            core.delete_namespaced_pod(
                found.name,
                self.settings.namespace,
                body={"preconditions": {"uid": found.uid}},
                _request_timeout=TIMEOUT_SECONDS,
            )


class WorkspaceHook(BaseHook):
    """Start, list, extend and stop workspaces.

    Every method may raise ServiceUnavailable (a retry may help) and InvalidInput (it cannot).

    Args:
        cluster_conn_id: of type kubernetes or rancher; its extra says `workspaces`.
    """

    conn_name_attr = "cluster_conn_id"
    default_conn_name = "cluster"
    hook_name = "Workspaces"

    def __init__(self, cluster_conn_id: str = default_conn_name) -> None:
        super().__init__()
        self.cluster_conn_id = cluster_conn_id

    @cached_property
    def places(self) -> list[Place]:
        """The clusters that can be reached and whose owner says that they have workspaces."""
        connection = self.get_connection(self.cluster_conn_id)
        if connection.conn_type != RancherHook.conn_type:
            return self._place("", connection.extra_dejson)
        rancher = RancherHook(connection=connection)
        found = []
        for cluster in rancher.matching(rancher.selection):
            try:
                rancher.require(cluster)
            except RancherError as error:
                self.log.warning("workspaces on %s are not seen: %s", cluster, error)
            else:
                found += self._place(cluster.id, rancher.settings(cluster))
        return found

    def _place(self, cluster: str, extra: dict[str, Any]) -> list[Place]:
        if KEY not in extra:
            return []
        from flightline.hooks.cluster_client import ClusterClient

        client = ClusterClient(self.cluster_conn_id, cluster=cluster)
        return [Place(cluster=cluster, client=client, settings=Settings.read(extra[KEY]))]

    def start(self, user: str, run_id: str, wanted: Wanted) -> Workspace:
        """Start a workspace; the same again if this run has started it.

        Args:
            user: whose it is.
            run_id: of the run that asks.
            wanted: image, size and hours.

        Raises:
            InvalidInput: it would be more than the quota, or the image is none that may be asked for.
            ServiceUnavailable: no cluster can take it now.
        """
        name, having = objects.name_of(user, run_id), self.of(user)
        place, found = next(((place, each) for place, each in having if each.name == name), (None, None))
        if place is None or found is None:
            place = self._chosen(wanted.gpus)
            going = [each.size for _, each in having if each.state != "ended"]
            place.settings.quota.require(user, going, wanted)
            image = code.image(place.settings.allowed(wanted.image))
            place.create(objects.home(user, place.settings))
            now = datetime.now(UTC)
            place.create(objects.pod(name, user, wanted, place.settings, image=image, now=now))
            found = self._in(place, name)
        for each in objects.belongings(found, place.settings, token=secrets.token_urlsafe(32)):
            place.create(each)
        return found

    def _chosen(self, gpus: int) -> Place:
        """Where a new one goes: of several clusters the one that Rancher has most free GPUs in."""
        if not self.places:
            raise InvalidInput(f"there are no workspaces here: say `{KEY}` {REMEDY}")
        if len(self.places) == 1:
            return self.places[0]
        rancher = RancherHook(connection=self.get_connection(self.cluster_conn_id))
        cluster = rancher.choose(rancher.selection, gpus=gpus)
        for place in self.places:
            if place.cluster == cluster.id:
                return place
        raise InvalidInput(f"cluster {cluster} has no workspaces: say `{KEY}` {REMEDY}, for each cluster or for all")

    def every(self) -> list[tuple[Place, Workspace]]:
        """All workspaces, and where they are."""
        return [(place, each) for place in self.places for each in place.workspaces()]

    def of(self, user: str) -> list[tuple[Place, Workspace]]:
        """A person's own."""
        selector = f"{objects.SELECTOR},{objects.USER}={objects.slug(user)}"
        found = [(place, each) for place in self.places for each in place.workspaces(selector)]
        return [(place, each) for place, each in found if each.user == user]

    def _in(self, place: Place, name: str) -> Workspace:
        found = place.workspaces(f"{objects.SELECTOR},app.kubernetes.io/name={name}")
        if not found:
            raise ServiceUnavailable(f"workspace {name} was made and is gone: was it stopped?")
        return found[0]

    def find(self, name: str, *, user: str | None) -> tuple[Place, Workspace]:
        """A workspace by its name.

        Args:
            name: its name.
            user: whose it must be; None is anybody's.

        Raises:
            MissingInput: there is none that is his: whether somebody else has one is not told.
        """
        for place, each in self.every() if user is None else self.of(user):
            if each.name == name:
                return place, each
        raise MissingInput(f"there is no workspace {quoted(name)} of yours (any more)")

    def token(self, name: str, *, user: str) -> tuple[str, str]:
        """Where a person's own workspace is, and the token that opens it.

        Raises:
            MissingInput: there is no such workspace of his, or it has no token (yet).
        """
        place, found = self.find(name, user=user)
        core = place.client.core_v1_client
        with _asked(name, absent="its token is not made yet: try again in some seconds"):
            secret = core.read_namespaced_secret(found.name, place.settings.namespace, _request_timeout=TIMEOUT_SECONDS)
        return place.settings.origin(name), base64.b64decode(secret.data[objects.TOKEN]).decode()

    def extend(self, name: str, hours: int, *, user: str) -> datetime:
        """Let a person's own workspace go on for so many hours from now; until when it may."""
        place, found = self.find(name, user=user)
        until = found.later(place.settings, hours, datetime.now(UTC))
        change = {"metadata": {"annotations": {objects.UNTIL: until.isoformat(timespec="seconds")}}}
        with _asked(name, absent="it has just gone"):
            place.client.core_v1_client.patch_namespaced_pod(
                name, place.settings.namespace, change, _request_timeout=TIMEOUT_SECONDS
            )
        return until

    def stop(self, name: str, *, user: str | None) -> None:
        """Stop a workspace; its home stays."""
        place, found = self.find(name, user=user)
        place.delete(found)

    def sweep(self) -> dict[str, str]:
        """Stop what is over its time, and clear away what has ended: name -> why."""
        gone = {}
        for place, each in self.every():
            if (why := each.over(datetime.now(UTC))) and each.state != "stopping":
                place.delete(each)
                gone[each.name] = why
        return gone

    def look(self, name: str, *, user: str) -> Workspace:
        """The workspace as it is now.

        Raises:
            InvalidInput: it has ended; its last words are in the message. Or its image is none.
        """
        place, found = self.find(name, user=user)
        if found.state == "ended":
            core = place.client.core_v1_client
            with _asked(name, absent="it has just gone"):
                said = core.read_namespaced_pod_log(
                    name,
                    place.settings.namespace,
                    tail_lines=20,
                    _preload_content=False,
                    _request_timeout=TIMEOUT_SECONDS,
                ).data.decode(errors="replace")
            raise InvalidInput(f"workspace {name} has ended: {found.why} {said.strip()[-800:]}")
        if found.why.startswith(NO_IMAGE):
            raise InvalidInput(f"image {found.image} of workspace {name} cannot be had: {cut(found.why, 500)}")
        return found


@contextmanager
def _asked(what: str, *, ignored: int = 0, absent: str = "") -> Iterator[None]:
    """Turn the client's errors into the project's.

    Args:
        what: the call is about.
        ignored: status that is no error.
        absent: what it means that the object is not there.
    """
    from kubernetes.client import ApiException
    from urllib3.exceptions import HTTPError

    try:
        yield
    except ApiException as error:
        if error.status == ignored:
            return
        if error.status == NOT_FOUND and absent:
            raise MissingInput(f"{what}: {absent}") from error
        words = f"the cluster answers {error.status} {error.reason} for {what}: {cut(str(error.body or ''), 300)}"
        passing = not error.status or error.status == 429 or error.status >= 500
        raise (ServiceUnavailable if passing else InvalidInput)(words) from error
    except (HTTPError, OSError) as error:
        raise ServiceUnavailable(f"the cluster does not answer: {cut(str(error), 300)}") from error
