"""Against a real repository with the git program."""

import subprocess

import pytest

from sandbox.argocd.errors import SourceError
from sandbox.argocd.source import Sources

CONFIG = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: %s}\n"


@pytest.fixture
def work(tmp_path):
    folder = tmp_path / "work"
    subprocess.run(["git", "init", "--quiet", "--initial-branch=main", str(folder)], check=True)
    return folder


@pytest.fixture
def commit(work):
    def write(files, message="m"):
        for path, text in files.items():
            (work / path).parent.mkdir(parents=True, exist_ok=True)
            (work / path).write_text(text)
        identity = ["-c", "user.name=Ada", "-c", "user.email=ada@agency.gov"]
        subprocess.run(["git", "-C", work, "add", "--all"], check=True)
        subprocess.run(["git", "-C", work, *identity, "commit", "--quiet", "-m", message], check=True)
        return subprocess.run(
            ["git", "-C", work, "rev-parse", "HEAD"], check=True, capture_output=True, text=True
        ).stdout.strip()

    return write


@pytest.fixture
def sources(tmp_path):
    return Sources(tmp_path / "mirrors")


def names(found):
    return [each["metadata"]["name"] for each in found]


def test_revisions_are_resolved_as_they_are_now(sources, commit, work):
    url = work.as_uri()
    first = commit({"a.yaml": CONFIG % "a"})
    subprocess.run(["git", "-C", work, "tag", "v1"], check=True)
    assert sources.resolve(url, "main") == sources.resolve(url, "HEAD") == sources.resolve(url, "v1") == first
    second = commit({"a.yaml": CONFIG % "b"})
    assert sources.resolve(url, "main") == second
    assert sources.resolve(url, first) == first
    assert sources.resolve(url, first[:10]) == first


def test_branch_that_was_rewritten_or_removed(sources, commit, work):
    url = work.as_uri()
    commit({"a.yaml": CONFIG % "a"})
    gone = commit({"a.yaml": CONFIG % "b"})
    assert sources.resolve(url, "main") == gone
    subprocess.run(["git", "-C", work, "reset", "--quiet", "--hard", "HEAD~1"], check=True)
    again = commit({"a.yaml": CONFIG % "c"})
    assert sources.resolve(url, "main") == again
    subprocess.run(["git", "-C", work, "branch", "--move", "trunk"], check=True)
    with pytest.raises(SourceError, match="unable to resolve 'main' to a commit SHA"):
        sources.resolve(url, "main")
    assert sources.resolve(url, "HEAD") == again


@pytest.mark.parametrize("revision", ["missing", "0" * 40, "--help"])
def test_unknown_revision(sources, commit, work, revision):
    commit({"a.yaml": CONFIG % "a"})
    with pytest.raises(SourceError, match="unable to resolve"):
        sources.resolve(work.as_uri(), revision)


def test_unreachable_repository(sources, tmp_path):
    with pytest.raises(SourceError, match="nowhere"):
        sources.resolve((tmp_path / "nowhere").as_uri(), "main")


def test_manifests_of_a_path(sources, commit, work):
    sha = commit(
        {
            "app/b.yml": CONFIG % "b" + "---\n---\n" + CONFIG % "b2",
            "app/a.json": '{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}}',
            "app/list.yaml": "apiVersion: v1\nkind: List\nitems: [{apiVersion: v1, kind: A, metadata: {name: l}}]\n",
            "app/README.md": "no manifest",
            "app/deeper/c.yaml": CONFIG % "c",
            "apple/d.yaml": CONFIG % "d",
        }
    )
    url = work.as_uri()
    assert names(sources.manifests({"repoURL": url, "path": "app"}, sha)) == ["a", "b", "b2", "l"]
    assert names(sources.manifests({"repoURL": url, "path": "app/"}, sha)) == ["a", "b", "b2", "l"]
    recursive = {"repoURL": url, "path": "app", "directory": {"recurse": True}}
    assert names(sources.manifests(recursive, sha)) == ["a", "b", "b2", "c", "l"]
    everything = {"repoURL": url, "path": ".", "directory": {"recurse": True}}
    assert names(sources.manifests(everything, sha)) == ["a", "b", "b2", "c", "l", "d"]


@pytest.mark.parametrize(
    ("files", "fault"),
    [
        ({"other/a.yaml": CONFIG % "a"}, "app: app path does not exist"),
        ({"app/a.yaml": "a: [1"}, "Failed to unmarshal 'app/a.yaml'"),
        ({"app/a.yaml": "a: 1"}, "Object 'Kind' is missing"),
        ({"app/a.yaml": "kind: ConfigMap"}, "has no apiVersion or metadata.name"),
        ({"app/kustomization.yaml": "resources: []"}, "Kustomize is left out"),
        ({"app/Chart.yaml": "name: x"}, "Helm is left out"),
    ],
)
def test_faults_are_named(sources, commit, work, files, fault):
    sha = commit(files)
    with pytest.raises(SourceError, match=fault):
        sources.manifests({"repoURL": work.as_uri(), "path": "app"}, sha)


def test_metadata_of_a_commit(sources, commit, work):
    sha = commit({"a.yaml": CONFIG % "a"}, "Subject\n\nBody")
    subprocess.run(["git", "-C", work, "tag", "v1"], check=True)
    found = sources.metadata(work.as_uri(), sha)
    assert found.pop("date").endswith("Z")
    assert found == {"author": "Ada <ada@agency.gov>", "message": "Subject\n\nBody", "tags": ["v1"]}
