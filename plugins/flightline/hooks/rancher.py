"""Rancher's API, both generations: log in, list and choose clusters, reach one through Rancher, mint and revoke tokens.

Up to 2.11 everything is under /v3 (norman); from 2.13 on logins are /v1-public, tokens and kubeconfigs are objects of
the Kubernetes API ext.cattle.io/v1. 2.12 has both behind feature flags. Each call tries the new one and, where that is
not there (404), takes the old one.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import httpx
import yaml
from airflow.sdk.log import mask_secret

from flightline.exceptions import ClusterUnavailable, RancherRefused, RancherUnavailable
from flightline.hooks.rancher_cluster import Cluster, Selection, gpus_left, reaching, told
from flightline.hooks.rest import RestHook
from include.foundation.echo import cut, listing

RETRY_SECONDS = (0.5, 1.0, 2.0)  # before each further try, plus up to a quarter of jitter
TIMEOUT_SECONDS = 30.0
PROBE_SECONDS = 5.0
POLL_SECONDS = 2.0
LOGINS = ("/v1-public/login", "/v3-public/localProviders/local?action=login")
TOKENS, KUBECONFIGS = ("/apis/ext.cattle.io/v1/tokens", "/apis/ext.cattle.io/v1/kubeconfigs")
_SHOWN = 300  # characters of an answer that an error repeats


@dataclass(frozen=True)
class Minted:
    """A token or kubeconfig that was made: its text, and the path whose DELETE revokes it."""

    text: str = field(repr=False)
    path: str


class RancherHook(RestHook):
    """Turn a Connection of type `rancher` into calls of Rancher and into clients of its clusters.

    Host, port, schema; password = an API token (`token-xxxxx:…`, `ext/…`), or login and password of a local user.
    Extra: `verify` (false, or the path of a CA bundle), `cluster` (name, or labels, of the cluster that is meant where
    nothing else says), and what the extra of a `cluster` Connection has; `clusters`, by name, has what is another thing
    in one of them. Every method may raise RancherUnavailable (a retry may help) and RancherRefused (it cannot).
    """

    default_conn_name = "rancher"
    conn_type = "rancher"
    hook_name = "Rancher"

    @property
    def selection(self) -> Selection:
        """The cluster that the Connection means."""
        found: Selection = self.extra.get("cluster")
        return found

    @cached_property
    def _client(self) -> httpx.Client:
        return self._open({}, seconds=TIMEOUT_SECONDS)

    @cached_property
    def token(self) -> str:
        """The token that is sent: the Connection's, or that of a login."""
        connection = self._connection
        token = str(connection.password or "")
        if connection.login:
            token = self._log_in(connection.login, token)
        mask_secret(token)
        return token

    def _log_in(self, user: str, password: str) -> str:
        asked = {"type": "localProvider", "username": user, "password": password, "description": "flightline"}
        for path in LOGINS:
            answer = self._call("POST", path, body=asked, token="", absent=True)
            if answer is not None:
                return str(answer["token"])
        raise RancherRefused(f"{self.url} has no login of local users: use an API token as the Connection's password")

    def clusters(self) -> list[Cluster]:
        """All clusters that the token may see, by name."""
        answer = self._call("GET", "/v3/clusters")
        return sorted((told(each) for each in answer["data"]), key=lambda cluster: cluster.name)

    def matching(self, selection: Selection) -> list[Cluster]:
        """The clusters that are meant, whatever their state.

        Raises:
            RancherRefused: there is none.
        """
        every = self.clusters()
        if isinstance(selection, str):
            found = [each for each in every if selection in (each.name, each.id)]
        else:
            wanted = (selection or {}).items()
            found = [each for each in every if wanted <= each.labels.items()]
        if not found:
            names = listing([each.name for each in every]) or "none"
            raise RancherRefused(f"{self.url} has no cluster {selection!r} (there are: {names})")
        return found

    def one(self, selection: Selection) -> Cluster:
        """The cluster for something that stays where it is, such as a stage.

        Raises:
            RancherRefused: there is none, or several match.
        """
        found = self.matching(selection)
        if len(found) > 1:
            names = listing([each.name for each in found])
            raise RancherRefused(f"{selection!r} are {len(found)} clusters ({names}): name one, or more labels")
        return found[0]

    def choose(self, selection: Selection, *, gpus: int = 0) -> Cluster:
        """The cluster for new work: active, answering, and of those the one with the most free GPUs where it takes any.

        Args:
            selection: a name, or labels.
            gpus: that the work asks for.

        Raises:
            ClusterUnavailable: none of them can take it now; the message says each one's reason.
        """
        found, reasons = [], []
        for cluster in self.matching(selection):
            try:
                self.require(cluster)
                free = self.free_gpus(cluster) if gpus else 0
            except ClusterUnavailable as error:
                reasons.append(str(error))
                continue
            if free < gpus:
                reasons.append(f"{cluster} has {free} free GPUs of the {gpus} that are needed")
            else:
                found.append((-free, cluster.name, cluster))
        if not found:
            raise ClusterUnavailable(f"no cluster {selection!r} can take this now: {'; '.join(reasons)}")
        return min(found, key=lambda each: each[:2])[2]

    def having(self, selection: Selection, pods: str) -> Cluster | None:
        """The first cluster that is meant, can be reached and has pods of this label selector, in any namespace."""
        for cluster in self.matching(selection):
            try:
                self.require(cluster)
                with reaching(cluster):
                    found = self._call("GET", f"{self.proxy(cluster)}/api/v1/pods", params={"labelSelector": pods})
            except ClusterUnavailable as error:
                self.log.warning("%s", error)
                continue
            if found["items"]:
                return cluster
        return None

    def require(self, cluster: Cluster) -> None:
        """Make sure that a cluster is active and answers through Rancher.

        Raises:
            ClusterUnavailable: it does not.
        """
        if not cluster.usable:
            raise ClusterUnavailable(f"cluster {cluster} is {cluster.state}: {cluster.message or 'no reason is told'}")
        with reaching(cluster):
            self._call("GET", f"{self.proxy(cluster)}/version", timeout=PROBE_SECONDS, pauses=())

    def wait_active(self, selection: Selection, *, seconds: float) -> Cluster:
        """Wait until the cluster is active and answers.

        Raises:
            ClusterUnavailable: it was not in time.
        """
        deadline = time.monotonic() + seconds
        while True:
            cluster = self.one(selection)
            try:
                self.require(cluster)
            except ClusterUnavailable:
                if time.monotonic() + POLL_SECONDS > deadline:
                    raise
                time.sleep(POLL_SECONDS)
            else:
                return cluster

    def free_gpus(self, cluster: Cluster) -> int:
        """Allocatable GPUs of the cluster's ready nodes, less those that pods have asked for."""
        with reaching(cluster):
            nodes = self._call("GET", f"{self.proxy(cluster)}/api/v1/nodes")["items"]
            ended = "status.phase!=Succeeded,status.phase!=Failed"
            pods = self._call("GET", f"{self.proxy(cluster)}/api/v1/pods", params={"fieldSelector": ended})["items"]
        return gpus_left(nodes, pods)

    def proxy(self, cluster: Cluster) -> str:
        """Path under which Rancher passes the cluster's whole API on."""
        return f"/k8s/clusters/{cluster.id}"

    def kubeconfig(self, cluster: Cluster) -> dict[str, Any]:
        """How a client reaches the cluster through Rancher with the Connection's own token: nothing is minted.

        It holds the token: for a client in this process, never for XCom, a trigger or a file.
        """
        verify = self.extra.get("verify", True)
        server: dict[str, Any] = {"server": f"{self.url}{self.proxy(cluster)}"}
        if verify is False:
            server["insecure-skip-tls-verify"] = True
        elif isinstance(verify, str):
            server["certificate-authority"] = verify
        name = cluster.name
        return {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": name,
            "clusters": [{"name": name, "cluster": server}],
            "users": [{"name": name, "user": {"token": self.token}}],
            "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
        }

    def settings(self, cluster: Cluster) -> dict[str, Any]:
        """What the extra of a `cluster` Connection would say of it."""
        found = dict(self.extra)
        own = found.pop("clusters", {}).get(cluster.name, {})
        return {"argocd_server": f"{self.url}{self.proxy(cluster)}", **found, **own}

    def mint_kubeconfig(self, cluster: Cluster, *, seconds: int) -> Minted:
        """A kubeconfig of its own token, for a person or a pod. Revoke it when it is no longer needed."""
        spec = {"clusters": [cluster.id], "currentContext": cluster.id, "description": "flightline", "ttl": seconds}
        body = {"apiVersion": "ext.cattle.io/v1", "kind": "Kubeconfig", "spec": spec}
        made = self._call("POST", KUBECONFIGS, body=body, absent=True)
        if made is not None:
            text = str(made["status"]["value"])
            _token_of(text, cluster)
            return Minted(text, f"{KUBECONFIGS}/{made['metadata']['name']}")
        text = str(self._call("POST", f"/v3/clusters/{cluster.id}?action=generateKubeconfig")["config"])
        # Its token is what must be revoked; the part before the colon is its name. It lives as long as Rancher says.
        return Minted(text, f"/v3/tokens/{_token_of(text, cluster).partition(':')[0]}")

    def mint_token(self, *, seconds: int, cluster: Cluster | None = None) -> Minted:
        """A token of the user, for one cluster or for all."""
        milliseconds = seconds * 1000  # kubeconfigs count in seconds, tokens in milliseconds
        spec: dict[str, Any] = {"ttl": milliseconds, "description": "flightline"}
        if cluster:
            spec["clusterName"] = cluster.id
        body = {"apiVersion": "ext.cattle.io/v1", "kind": "Token", "spec": spec}
        made = self._call("POST", TOKENS, body=body, absent=True)
        if made is not None:
            return Minted(_masked(made["status"]["bearerToken"]), f"{TOKENS}/{made['metadata']['name']}")
        old = {"type": "token", "description": "flightline", "ttl": milliseconds}
        made = self._call("POST", "/v3/tokens", body=old | ({"clusterId": cluster.id} if cluster else {}))
        return Minted(_masked(made["token"]), f"/v3/tokens/{made['id']}")

    def revoke(self, minted: Minted) -> None:
        """Take a token or kubeconfig back; one that is gone already is no fault."""
        self._call("DELETE", minted.path, absent=True)

    def _call(
        self,
        method: str,
        path: str,
        *,
        body: Any = None,
        params: dict[str, str] | None = None,
        token: str | None = None,
        absent: bool = False,
        timeout: float = TIMEOUT_SECONDS,
        pauses: Sequence[float] = RETRY_SECONDS,
    ) -> Any:
        """The parsed answer; None of 404 where `absent` says that it may be."""
        bearer = self.token if token is None else token
        headers = {"Authorization": f"Bearer {bearer}"} if bearer else {}
        response = self._ask(
            self._client,
            method,
            path,
            unavailable=RancherUnavailable,
            message=_message,
            pauses=pauses if method in ("GET", "DELETE") else (),
            json=body,
            params=params,
            headers=headers,
            timeout=timeout,
        )
        return None if response.status_code == 404 and absent else _read(response, f"{method} {path}")


def _token_of(kubeconfig: str, cluster: Cluster) -> str:
    """The token in a kubeconfig, hidden in logs from now on.

    Raises:
        RancherRefused: there is none: who uses the file would need Rancher's own program.
    """
    users = [each.get("user") or {} for each in yaml.safe_load(kubeconfig)["users"]]
    tokens = [str(user["token"]) for user in users if user.get("token")]
    if not tokens:
        raise RancherRefused(
            f"{cluster}: the kubeconfig calls Rancher's own program (kubeconfig-generate-token is off)"
        )
    for token in tokens:
        mask_secret(token)
    return tokens[0]


def _masked(secret: str) -> str:
    mask_secret(secret)
    return secret


def _read(response: httpx.Response, what: str) -> Any:
    if response.is_success:
        try:
            return response.json() if response.content else {}
        except ValueError:
            raise RancherRefused(f"{response.url.host} answered {what} without JSON, is it Rancher?") from None
    raise RancherRefused(f"Rancher answered {what} with {response.status_code}: {_message(response)}")


def _message(response: httpx.Response) -> str:
    """What an error says: norman's and Kubernetes' have `message`, the proxy's own `Message`; some are plain text."""
    try:
        said = response.json()
        return cut(str(said.get("message") or said["Message"]), _SHOWN)
    except (ValueError, KeyError, TypeError, AttributeError):
        return cut(response.text.strip(), _SHOWN) or response.reason_phrase
