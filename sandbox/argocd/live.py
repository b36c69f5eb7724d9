"""The cluster of a kubeconfig over its REST API: discovery, a snapshot of what lives, the few writes of a sync."""

import base64
import ssl
import time
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote, urlencode

import httpx
import yaml

from sandbox.argocd.errors import KubernetesError

Manifest = dict[str, Any]

REQUEST_SECONDS = 15
DISCOVERY_SECONDS = 60
LOG_LINES, LOG_BYTES = 20, 8192  # of a pod
# Made by controllers or of no interest: nobody deploys them from Git.
_UNWATCHED = {"Event", "Endpoints", "EndpointSlice", "Lease", "Node", "ControllerRevision", "ComponentStatus"}


class Key(NamedTuple):
    """What identifies an object in a cluster."""

    group: str
    kind: str
    namespace: str
    name: str

    @classmethod
    def of(cls, manifest: Manifest) -> "Key":
        """The key of a manifest that has its namespace set (or has none)."""
        metadata = manifest["metadata"]
        return cls(
            group_of(manifest["apiVersion"]), manifest["kind"], metadata.get("namespace") or "", metadata["name"]
        )

    def __str__(self) -> str:
        return f"{self.group}/{self.kind}/{self.namespace}/{self.name}".lstrip("/")


class Kind(NamedTuple):
    """How the API serves a kind."""

    version: str
    plural: str
    namespaced: bool
    listed: bool


Live = dict[Key, Manifest]


def group_of(api_version: str) -> str:
    """`apps` of `apps/v1`, nothing of `v1`."""
    return api_version.rpartition("/")[0]


class Cluster:
    """Every method may raise KubernetesError. Kubeconfigs with exec plugins are not understood."""

    def __init__(self, kubeconfig: Path) -> None:
        self._kubeconfig = kubeconfig
        self._client: httpx.Client | None = None
        self._kinds: dict[tuple[str, str], Kind] = {}
        self._discovered = -float("inf")

    def kinds(self) -> dict[tuple[str, str], Kind]:
        """Kinds by (group, kind), as the API served them at most a minute ago."""
        if time.monotonic() - self._discovered > DISCOVERY_SECONDS:
            groups = self._request("GET", "/apis").get("groups", [])
            versions = ["v1", *(group["preferredVersion"]["groupVersion"] for group in groups)]
            kinds = {}
            for version in versions:
                for resource in self._request("GET", _root(version)).get("resources", []):
                    if "/" not in resource["name"]:
                        kinds[group_of(version), resource["kind"]] = Kind(
                            version=version,
                            plural=resource["name"],
                            namespaced=resource["namespaced"],
                            listed="list" in resource["verbs"] and resource["kind"] not in _UNWATCHED,
                        )
            self._kinds, self._discovered = kinds, time.monotonic()
        return self._kinds

    def snapshot(self) -> Live:
        """Everything that lives and could have been deployed, and the children of it."""
        live = {}
        for (_, kind), served in self.kinds().items():
            if not served.listed:
                continue
            try:
                listed = self._request("GET", f"{_root(served.version)}/{served.plural}")
            except KubernetesError as error:
                if error.status in (403, 404, 405):
                    continue
                raise
            for item in listed.get("items") or []:
                found = {"apiVersion": served.version, "kind": kind, **item}
                live[Key.of(found)] = found
        return live

    def get(self, manifest: Manifest) -> Manifest | None:
        """The live object of a manifest, or None."""
        try:
            return self._request("GET", self._path(manifest))
        except KubernetesError as error:
            if error.status == 404:
                return None
            raise

    def create(self, manifest: Manifest) -> None:
        """Make an object. 409 if it exists."""
        path = self._path(manifest).rpartition("/")[0]
        self._request("POST", path, body=manifest)

    def patch(self, manifest: Manifest, patch: Manifest) -> None:
        """Change an object by a strategic merge patch; custom resources know only the plain merge patch."""
        group = group_of(manifest["apiVersion"])
        strategic = "." not in group or (group.endswith(".k8s.io") and not group.startswith("gateway."))
        kind = "strategic-merge-patch" if strategic else "merge-patch"
        self._request("PATCH", self._path(manifest), body=patch, content_type=f"application/{kind}+json")

    def delete(self, manifest: Manifest, *, propagation: str = "Foreground") -> None:
        """Delete an object; that it is gone already is no error."""
        try:
            self._request("DELETE", self._path(manifest), body={"propagationPolicy": propagation})
        except KubernetesError as error:
            if error.status != 404:
                raise

    def log(self, namespace: str, pod: str, **query: str) -> str:
        """The last lines of a pod's container, as the cluster's query says: `LOG_LINES` lines, `LOG_BYTES` at most."""
        path = f"/api/v1/namespaces/{quote(namespace, safe='')}/pods/{quote(pod, safe='')}/log"
        asked = urlencode({"tailLines": str(LOG_LINES), "limitBytes": str(LOG_BYTES), **query})
        return self._answer("GET", f"{path}?{asked}").text

    def namespaced(self, manifest: Manifest) -> bool:
        """Whether the manifest's kind lives in a namespace."""
        return self._kind(manifest).namespaced

    def _kind(self, manifest: Manifest) -> Kind:
        key = (group_of(manifest["apiVersion"]), manifest["kind"])
        if key not in self.kinds():
            self._discovered = -float("inf")  # it may be new
        if key not in self.kinds():
            raise KubernetesError(404, f'no matches for kind "{key[1]}" in version "{manifest["apiVersion"]}"')
        return self.kinds()[key]

    def _path(self, manifest: Manifest) -> str:
        kind, metadata = self._kind(manifest), manifest["metadata"]
        namespace = f"/namespaces/{metadata['namespace']}" if kind.namespaced else ""
        return f"{_root(manifest['apiVersion'])}{namespace}/{kind.plural}/{metadata['name']}"

    def _request(self, method: str, path: str, *, body: Any = None, content_type: str = "application/json") -> Manifest:
        return dict(_json(self._answer(method, path, body=body, content_type=content_type)))

    def _answer(
        self, method: str, path: str, *, body: Any = None, content_type: str = "application/json"
    ) -> httpx.Response:
        try:
            if self._client is None:
                self._client = _connect(self._kubeconfig)
            headers = {"Content-Type": content_type, "Accept": "application/json"}
            response = self._client.request(method, path, json=body, headers=headers)
        except (OSError, httpx.TransportError, KeyError, StopIteration) as error:
            self._client = None  # the kubeconfig may have changed
            raise KubernetesError(None, f"cannot reach the cluster of {self._kubeconfig}: {error}") from error
        if response.is_error:
            raise KubernetesError(
                response.status_code, _json(response).get("message") or response.text or response.reason_phrase
            )
        return response


def _json(response: httpx.Response) -> Manifest:
    return response.json() if response.headers.get("content-type", "").startswith("application/json") else {}


def _root(api_version: str) -> str:
    return f"/apis/{api_version}" if "/" in api_version else f"/api/{api_version}"


def _connect(kubeconfig: Path) -> httpx.Client:
    config = yaml.safe_load(kubeconfig.read_text(encoding="utf-8"))

    def named(section: str, name: str) -> dict[str, Any]:
        return dict(next(entry for entry in config[section] if entry["name"] == name)[section.removesuffix("s")])

    context = named("contexts", config["current-context"])
    cluster, user = named("clusters", context["cluster"]), named("users", context["user"])
    headers = {"Authorization": f"Bearer {user['token']}"} if "token" in user else {}
    verify: ssl.SSLContext | bool = not cluster.get("insecure-skip-tls-verify", False)
    if cluster["server"].startswith("https://") and verify:
        data = cluster.get("certificate-authority-data")
        verify = ssl.create_default_context(
            cafile=cluster.get("certificate-authority"), cadata=base64.b64decode(data).decode() if data else None
        )
        if "client-certificate" in user:
            verify.load_cert_chain(user["client-certificate"], user["client-key"])
    return httpx.Client(
        base_url=cluster["server"], headers=headers, verify=verify, timeout=REQUEST_SECONDS, trust_env=False
    )
