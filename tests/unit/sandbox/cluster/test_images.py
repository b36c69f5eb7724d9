import json
import subprocess

import pytest

from sandbox.cluster.images import Images, UnknownImageError, repository, version
from sandbox.supervisor.service import REPO

COMMIT = subprocess.run(
    ["git", "-C", str(REPO), "rev-parse", "HEAD"], check=True, capture_output=True, text=True
).stdout.strip()


@pytest.mark.parametrize(
    ("reference", "name"),
    [
        ("a", "a"),
        ("a:1", "a"),
        ("team/a:1", "team/a"),
        ("registry:5000/a", "registry:5000/a"),
        ("registry:5000/team/a:1.2@sha256:00", "registry:5000/team/a"),
        ("a@sha256:00", "a"),
    ],
)
def test_repository(reference, name):
    assert repository(reference) == name


@pytest.mark.parametrize(
    ("reference", "code"),
    [("a", ""), ("registry:5000/a", ""), ("registry:5000/a:1.2", "1.2"), ("registry:5000/a:1@sha256:00", "sha256:00")],
)
def test_version(reference, code):
    assert version(reference) == code


def test_an_image_with_code_is_its_environment_and_a_snapshot(tmp_path):
    code = {"repository": str(REPO), "snapshots": str(tmp_path / "code")}
    (tmp_path / "images.json").write_text(json.dumps({"team/a": {"path": "/bin", "code": code}}))
    images = Images(tmp_path / "images.json")
    found = images.find(f"team/a:{COMMIT}")
    assert (found.path, found.workdir) == ("/bin", str(tmp_path / "code" / COMMIT))
    assert found.env == {"PYTHONPATH": found.workdir, "FLIGHTLINE_COMMIT": COMMIT}
    images.collect([f"other/b:{COMMIT}"])
    assert (tmp_path / "code" / COMMIT).is_dir()
    images.collect(["team/a:0.1.0"])
    assert not (tmp_path / "code" / COMMIT).exists()
    for reference in ("team/a", "team/a:0.1.0"):
        with pytest.raises(UnknownImageError, match=f'pull image "{reference}": .* neither a commit of {REPO} nor'):
            images.find(reference)


def test_the_file_may_change_while_it_is_used(tmp_path):
    path = tmp_path / "images.json"
    images = Images(path)
    with pytest.raises(UnknownImageError, match=str(path)):
        images.find("a:1")
    path.write_text(json.dumps({"a": {"path": "/bin", "entrypoint": ["x"]}}))
    assert (images.find("a:2").path, images.find("a").entrypoint, images.find("a").workdir) == ("/bin", ("x",), "/")
    with pytest.raises(UnknownImageError, match="not found"):
        images.find("b")


def test_an_environment_that_is_not_installed_is_named_with_the_remedy(tmp_path):
    entry = {"path": str(tmp_path / ".venv/torch/bin"), "code": {"repository": str(REPO), "snapshots": str(tmp_path)}}
    (tmp_path / "images.json").write_text(json.dumps({"team/torch": entry}))
    with pytest.raises(UnknownImageError, match=r"torch/bin: run make .venv/torch/ready"):
        Images(tmp_path / "images.json").find(f"team/torch:{COMMIT}")
