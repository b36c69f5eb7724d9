"""What the Connection `sagemaker` and its profiles say: requests of the API as YAML, as pod templates are for pods."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from airflow.sdk import BaseHook

from include.foundation.echo import cut, listing
from include.foundation.errors import InvalidInput

ROOT = Path(__file__).parents[3] / "deploy" / "sagemaker"
REGISTRY = "flightline"


def settings(conn_id: str, *, needs: Sequence[str] = ()) -> dict[str, Any]:
    """The Connection's extra.

    Raises:
        InvalidInput: it lacks something.
    """
    found: dict[str, Any] = BaseHook.get_connection(conn_id).extra_dejson
    if missing := [each for each in needs if not found.get(each)]:
        raise InvalidInput(f"Connection {conn_id!r} needs the extra {listing(missing)}: docs/systems/sagemaker.md")
    return found


def registry(found: Mapping[str, Any]) -> str:
    """What stands before the name of an image."""
    return str(found.get("registry", REGISTRY))


def job(found: Mapping[str, Any]) -> dict[str, Any]:
    """The profile of training jobs (`job_profile`), a request of CreateTrainingJob."""
    return _read(ROOT, str(found.get("job_profile", "cpu")))


def endpoint(found: Mapping[str, Any]) -> dict[str, Any]:
    """The profile of endpoints (`endpoint_profile`), and over it the extra `endpoint`: `Model` and `EndpointConfig`."""
    return merged(_read(ROOT / "endpoints", str(found.get("endpoint_profile", "cpu"))), found.get("endpoint") or {})


def merged(*layers: Mapping[str, Any]) -> dict[str, Any]:
    """One document of several: what comes later stands over what came before, key by key."""
    whole: dict[str, Any] = {}
    for layer in layers:
        for key, value in layer.items():
            before = whole.get(key)
            both = isinstance(before, Mapping) and isinstance(value, Mapping)
            whole[key] = merged(before, value) if both else value  # type: ignore[arg-type]
    return whole


def _read(folder: Path, name: str) -> dict[str, Any]:
    there = {path.stem: path for path in folder.glob("*.yaml")}
    if name not in there:
        raise InvalidInput(f"there is no profile {cut(name)!r} of SageMaker; there are: {', '.join(sorted(there))}")
    document: dict[str, Any] = yaml.safe_load(there[name].read_text(encoding="utf-8"))
    return document
