"""Dockerfile, compose file and pod templates, as far as they can be judged without a container engine."""

import re
import tomllib
from pathlib import Path, PurePosixPath

import pytest
import yaml

ROOT = Path(__file__).parents[3]
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
TARGETS = ("airflow", "trainer", "tuning", "serving")
COMPOSE = (ROOT / "docker-compose.yaml").read_text()


def _stages() -> dict[str, list[list[str]]]:
    """Each stage's instructions, as words; the first one is its FROM."""
    text = re.sub(r"^#.*\n", "", (ROOT / "Dockerfile").read_text(), flags=re.MULTILINE).replace("\\\n", " ")
    stages: dict[str, list[list[str]]] = {}
    for words in map(str.split, text.splitlines()):
        if words and words[0] == "FROM":
            stages[words[3]] = []
        if words and stages:
            stages[list(stages)[-1]].append(words)
    return stages


STAGES = _stages()


def _lineage(stage: str) -> list[list[str]]:
    """A stage's instructions after those of the stages that it is built on."""
    parent = STAGES[stage][0][1]
    return (_lineage(parent) if parent in STAGES else []) + STAGES[stage]


def _copies(stage: str, *, of_context: bool) -> list[str]:
    found = [words[1:] for words in STAGES[stage] if words[0] == "COPY"]
    return [words[-2] for words in found if words[0].startswith("--from=") != of_context]


def _let_in(path: str) -> bool:
    """Whether .dockerignore lets a path into the context; the last rule that fits decides."""
    verdict = True
    for rule in (ROOT / ".dockerignore").read_text().splitlines():
        if rule and not rule.startswith("#"):
            pattern = rule.removeprefix("!")
            mine = PurePosixPath(path)
            if any(part.match(pattern) for part in (mine, *mine.parents)):
                verdict = rule.startswith("!")
    return verdict


@pytest.mark.parametrize("stage", STAGES)
def test_what_is_copied_exists_and_is_let_in(stage: str) -> None:
    for path in _copies(stage, of_context=True):
        assert (ROOT / path).exists()
        assert _let_in(path)
    for words in STAGES[stage]:
        if words[0] == "COPY" and words[1].startswith("--from="):
            assert words[1].removeprefix("--from=") in STAGES


def test_what_airflow_s_code_reads_of_deploy_is_in_its_image() -> None:
    files = [path for folder in ("plugins", "include") for path in (ROOT / folder).rglob("*.py")]
    read = {name for path in files for name in re.findall(r'"deploy" / "(\w+)"', path.read_text())}
    copied = {
        PurePosixPath(path).parts[1] for path in _copies("airflow", of_context=True) if path.startswith("deploy/")
    }
    assert read == copied


@pytest.mark.parametrize(
    "path", [".env", ".git/config", ".venv/airflow", ".sandbox/secrets.json", "tests", "include/__pycache__"]
)
def test_the_rest_stays_out(path: str) -> None:
    assert not _let_in(path)


@pytest.mark.parametrize("target", TARGETS)
def test_runs_as_a_user_who_is_not_root_on_the_base_that_was_given(target: str) -> None:
    lineage = _lineage(target)
    assert lineage[0][1] == "${BASE}"
    assert [words[1] for words in lineage if words[0] == "USER"][-1] == "10001"
    assert not any("pip" in words or "gcc" in words for words in lineage), "installers stay in the build stages"


@pytest.mark.parametrize("target", TARGETS)
def test_environment_is_from_a_hashed_lock_and_before_the_code(target: str) -> None:
    words = [words[1] for words in STAGES[target] if words[0] == "COPY"]
    assert words[:2] == [f"--from={target}-environment", "--from=include"]
    (lock,) = _copies(f"{target}-environment", of_context=True)
    assert lock == ("requirements.txt" if target == "airflow" else f"requirements/{target}.txt")
    pins = re.findall(r"^\S+==", text := (ROOT / lock).read_text(), flags=re.MULTILINE)
    assert len(pins) > 5
    assert len(re.findall(r"^\S", text, flags=re.MULTILINE)) == len(pins)
    assert all("--hash=sha256:" in entry for entry in re.split(r"^(?=\S)", text, flags=re.MULTILINE)[1:])
    (install,) = [
        " ".join(words) for words in STAGES[f"{target}-environment"] if "/tmp/lock.txt" in words and words[0] == "RUN"
    ]
    assert "--require-hashes --no-deps" in install


def test_make_builds_every_target() -> None:
    (images,) = re.findall(r"^IMAGES \?= (.*)$", (ROOT / "Makefile").read_text(), flags=re.MULTILINE)
    assert set(images.split()) == set(TARGETS) <= set(STAGES) - {"torch"}, "which is large, and built when asked for"


def test_images_are_named_alike_everywhere() -> None:
    files = [
        ROOT / "docker-compose.yaml",
        ROOT / "plugins/flightline/hooks/cluster.py",
        *ROOT.glob("deploy/pods/*/*.yaml"),
    ]
    named = {
        name
        for file in files
        for name in re.findall(r"\bflightline/[a-z]+(?::[\w.]+)?(?=\"?$)", file.read_text(), re.M)
    }
    released = {f"flightline/{target}:{VERSION}" for target in ("airflow", "tuning")}
    gateway = {"flightline/flightline"}  # namespace and name of the Gateway, no image
    assert named - gateway == {
        *released,
        *(f"flightline/{each}" for each in ("trainer", "torch", "spark", "serving")),
    }, "a run's images are named by its code"


def test_compose_names_exact_images_and_publishes_on_loopback_alone() -> None:
    services = yaml.safe_load(COMPOSE)["services"]
    for service in services.values():
        assert "build" not in service  # `make images` does
        name, _, tag = service["image"].rpartition(":")
        assert re.search(r"\d+\.\d+|RELEASE\.", tag)
        assert (service.get("pull_policy") == "never") == name.startswith("flightline/")
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))
        for other in service.get("depends_on", {}):
            assert other in services


def test_compose_holds_no_secret_and_make_makes_up_each() -> None:
    asked = set(re.findall(r"\$\{(\w+):\?", COMPOSE))
    assert set(re.findall(r"\$\{(\w+)", COMPOSE)) == asked
    rule = (ROOT / "Makefile").read_text().partition("\n.env:")[2].partition("\n\n")[0]
    assert all(name.removeprefix("FLIGHTLINE_") in rule for name in asked)
    for value in re.findall(
        r"\"?(?:password|secret|token|key)[\w-]*\"?: *\"?([^\"\s,}]+)", COMPOSE, flags=re.IGNORECASE
    ):
        assert value.startswith("${") or value in {"lake-access-key", "[CMD,"}, value
