"""The Argo CD stand-in on the cluster stand-in, and a Git repository to deploy from."""

import json
import os
import signal
import subprocess
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import httpx
import pytest

from sandbox.supervisor.service import REPO, Service, answers, free_ports, python, running, start

KINDS = {"configmap": "/api/v1/namespaces/{}/configmaps", "deployment": "/apis/apps/v1/namespaces/{}/deployments"}
NEVER = {"image": "no/such:1", "deadline": 600, "wave": -1}  # a first wave that does not become healthy


def deployment(name, *, image="demo/sleeper:1", replicas=1, command=("sleep", "600"), deadline=60, wave=None):
    labels = {"app": name}
    container = {"name": "main", "image": image, "command": list(command), "env": [{"name": "A", "value": "1"}]}
    return json.dumps(
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": name, "annotations": {"argocd.argoproj.io/sync-wave": str(wave)} if wave else {}},
            "spec": {
                "replicas": replicas,
                "progressDeadlineSeconds": deadline,
                "selector": {"matchLabels": labels},
                "template": {
                    "metadata": {"labels": labels},
                    "spec": {"containers": [container], "terminationGracePeriodSeconds": 1},
                },
            },
        },
        indent=1,
    )


def config(name, wave=None, **data):
    annotations = {"argocd.argoproj.io/sync-wave": str(wave)} if wave else {}
    metadata = {"name": name, "annotations": annotations}
    return json.dumps({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data})


def spec(repository, name, **changes):
    fields = {
        "project": "default",
        "source": {"repoURL": repository.url, "path": "app", "targetRevision": "main"},
        "destination": {"server": "https://kubernetes.default.svc", "namespace": name},
        "syncPolicy": {"syncOptions": ["CreateNamespace=true"]},
    }
    return {**fields, **changes}


@pytest.fixture(scope="session")
def make():
    """Makers of what is deployed: manifests as JSON text (which is YAML), and the spec of an application."""
    return SimpleNamespace(deployment=deployment, config=config, spec=spec, never=partial(deployment, "never", **NEVER))


@dataclass
class Argo:
    """The running stand-in, a client of it, and its cluster."""

    url: str
    service: Service
    log: Path
    process: subprocess.Popen
    client: httpx.Client
    cluster: httpx.Client

    def call(self, method, path, **more):
        return self.client.request(method, f"/api/v1{path}", **more)

    def app(self, name, refresh=True):
        answer = self.call(
            "GET", f"/applications/{name}", params={"project": "default", **({"refresh": "normal"} if refresh else {})}
        )
        answer.raise_for_status()
        return answer.json()

    def wait(self, name, done, seconds=30):
        deadline = time.monotonic() + seconds
        while not done(app := self.app(name, refresh=False)):
            assert time.monotonic() < deadline, json.dumps(app.get("status"), indent=1)
            time.sleep(0.1)
        return app

    def finished(self, name, seconds=30):
        done = self.wait(
            name,
            lambda app: "operation" not in app and app["status"].get("operationState", {}).get("finishedAt"),
            seconds,
        )
        return done["status"]["operationState"]

    def block(self, repository, name):
        """Start an operation that runs until it is ended: its first wave never becomes healthy."""
        revision = repository.commit({"a.yaml": deployment("never", **NEVER), "b.yaml": config("later")})
        infos = [{"name": "who", "value": "blocker"}]
        assert self.call("POST", f"/applications/{name}/sync", json={"infos": infos}).status_code == 200
        self.wait(name, lambda app: "waiting for" in app["status"].get("operationState", {}).get("message", ""))
        return revision

    def live(self, kind, namespace, name=None):
        """What the cluster has: the one of that name, or a list of all."""
        answer = self.cluster.get(KINDS[kind].format(namespace) + (f"/{name}" if name else ""))
        answer.raise_for_status()
        return answer.json() if name else answer.json()["items"]

    def change(self, kind, namespace, name, patch):
        """Change it by hand, as `kubectl patch` does."""
        kind_of_patch = {"Content-Type": "application/strategic-merge-patch+json"}
        path = f"{KINDS[kind].format(namespace)}/{name}"
        self.cluster.patch(path, content=json.dumps(patch), headers=kind_of_patch).raise_for_status()

    def kill_and_restart(self):
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.process = start(self.service, log=self.log)
        deadline = time.monotonic() + 20
        while not self.service.ready():
            assert time.monotonic() < deadline, self.log.read_text()
            time.sleep(0.05)


@pytest.fixture(scope="module")
def argo(tmp_path_factory):
    home = tmp_path_factory.mktemp("argocd")
    cluster_port, argo_port, low = free_ports(3)
    images, cluster_token = home / "images.json", home / "cluster.token"
    images.write_text(json.dumps({"demo/sleeper": {"path": "/usr/bin"}}))
    cluster = Service(
        name="cluster",
        command=(
            *(
                str(python("sandbox")),
                "-m",
                "sandbox.cluster",
                "--port",
                str(cluster_port),
                "--state",
                str(home / "cluster"),
            ),
            *("--images", str(images), "--node-ports", f"{low}-{low}", "--token-file", str(cluster_token)),
        ),
        env={"PYTHONPATH": str(REPO)},
        url=f"http://127.0.0.1:{cluster_port}",
        ready=partial(answers, f"http://127.0.0.1:{cluster_port}/readyz"),
    )
    token = home / "argocd.token"
    token.write_text("t0k3n")
    (home / "password").write_text("open sesame")
    url = f"http://127.0.0.1:{argo_port}"
    service = Service(
        name="argocd",
        command=(
            *(
                str(python("sandbox")),
                "-m",
                "sandbox.argocd",
                "--port",
                str(argo_port),
                "--state",
                str(home / "argocd"),
            ),
            *("--kubeconfig", str(home / "cluster" / "kubeconfig"), "--token-file", str(token)),
            *("--admin-password-file", str(home / "password")),
        ),
        env={"PYTHONPATH": str(REPO)},
        url=url,
        ready=partial(answers, f"{url}/api/version"),
    )
    headers = {"Authorization": "Bearer t0k3n", "Content-Type": "application/json"}
    with running(cluster, log=home / "cluster.log"), running(service, log=home / "argocd.log") as process:
        with (
            httpx.Client(base_url=url, headers=headers, timeout=30) as client,
            httpx.Client(
                base_url=cluster.url, headers={"Authorization": f"Bearer {cluster_token.read_text()}"}
            ) as kubernetes,
        ):
            found = Argo(url, service, home / "argocd.log", process, client, kubernetes)
            yield found
        if found.process is not process:
            found.process.terminate()
            found.process.wait(10)


class Repository:
    """A bare repository and a clone to write to it."""

    def __init__(self, folder):
        self.bare, self.work = folder / "gitops.git", folder / "work"
        self.url = self.bare.as_uri()
        self.git("init", "--quiet", "--bare", "--initial-branch=main", str(self.bare), cwd=folder)
        self.git("clone", "--quiet", str(self.bare), str(self.work), cwd=folder)
        self.git("checkout", "--quiet", "-B", "main")
        self.git("config", "user.name", "tester")
        self.git("config", "user.email", "tester@localhost")

    def git(self, *arguments, cwd=None):
        done = subprocess.run(["git", *arguments], cwd=cwd or self.work, check=True, capture_output=True, text=True)
        return done.stdout.strip()

    def commit(self, files, *, folder="app"):
        """Make the folder hold exactly these files; returns the commit."""
        self.git("rm", "-rqf", "--ignore-unmatch", folder)
        for name, text in files.items():
            (self.work / folder).mkdir(exist_ok=True)
            (self.work / folder / name).write_text(text)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "-m", "change")
        self.git("push", "--quiet", "origin", "main")
        return self.git("rev-parse", "HEAD")


@pytest.fixture
def repository(tmp_path):
    return Repository(tmp_path)


@pytest.fixture
def name(argo, request):
    """An application's name, which is its namespace too; it is deleted after the test with all that it deployed."""
    name = f"a{abs(hash(request.node.name)) % 10**8}"
    yield name
    argo.call("DELETE", f"/applications/{name}/operation", params={"project": "default"})
    argo.call("DELETE", f"/applications/{name}", params={"project": "default"})


@pytest.fixture
def created(argo, repository, name):
    """The application, with one commit in its repository."""
    repository.commit({"web.yaml": deployment("web"), "conf.yaml": config("conf", a="1")})
    answer = argo.call("POST", "/applications", json={"metadata": {"name": name}, "spec": spec(repository, name)})
    assert answer.status_code == 200, answer.text
    return name
