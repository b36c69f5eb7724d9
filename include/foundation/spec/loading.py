"""Find and load use cases: every folder of `include/use_cases/` with a `use_case.yaml` is one."""

import importlib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, Literal, overload

from pydantic import ValidationError

from include.foundation.errors import InvalidInput
from include.foundation.spec import document, modules
from include.foundation.spec.modules import FeaturesModule
from include.foundation.spec.use_case import UseCase

FILE = "use_case.yaml"
MOST = 10  # faults that one message names
ROOT = Path(__file__).parents[2] / "use_cases"


def names(root: Path = ROOT) -> list[str]:
    """Names of all use cases, sorted."""
    return sorted(path.parent.name for path in root.glob(f"*/{FILE}"))


@cache
def load(name: str, root: Path = ROOT) -> UseCase:
    """Load one use case.

    Raises:
        InvalidInput: there is no such use case, or its spec is malformed (the message lists every fault by field).
    """
    path = root / name / FILE
    if not path.is_file():
        raise InvalidInput(f"no use case {name!r} in {root}; there are: {', '.join(names(root)) or 'none'}")
    try:
        spec = UseCase.model_validate(document.read(path.read_text(encoding="utf-8")))
    except ValidationError as error:
        raise InvalidInput(f"{path}: {_told(error)}") from error
    except UnicodeDecodeError as error:
        raise InvalidInput(f"{path}: not valid UTF-8: {error}") from error
    except (ValueError, ArithmeticError, OSError, RecursionError) as error:
        raise InvalidInput(f"{path}: {str(error)[:1000]}") from error
    if spec.name != name:
        raise InvalidInput(f"{path}: name is {spec.name!r}, but the folder is {name!r}")
    return spec


def _told(error: ValidationError) -> str:
    """Each fault by its field; the first ones of many."""
    faults = [f"{'.'.join(map(str, e['loc']))[:200]}: {e['msg'][:300]}".removeprefix(": ") for e in error.errors()]
    more = [f"and {len(faults) - MOST} more"] if len(faults) > MOST else []
    return "; ".join(faults[:MOST] + more)


def load_all(root: Path = ROOT) -> list[UseCase]:
    """Load every use case whose spec is sound, sorted by name: a mistake in one does not take the others' Dags away."""
    return [spec for _, spec in _each(root) if isinstance(spec, UseCase)]


def faults(root: Path = ROOT) -> dict[str, str]:
    """What is wrong with the specs of the other use cases, by name."""
    return {name: str(fault) for name, fault in _each(root) if isinstance(fault, InvalidInput)}


def _each(root: Path) -> Iterator[tuple[str, UseCase | InvalidInput]]:
    for name in names(root):
        try:
            yield name, load(name, root)
        except InvalidInput as fault:
            yield name, fault


@overload
def module(name: str, part: Literal["features"]) -> FeaturesModule: ...
@overload
def module(name: str, part: str) -> Any: ...
def module(name: str, part: str) -> Any:
    """Import the `contract`, `features` or `model` module of a use case, or a challenger (heavy: not at Dag parse).

    Raises:
        InvalidInput: it has no such module, importing it fails, or it lacks what `modules` says it must have.
    """
    package = importlib.import_module("include.use_cases")
    wanted = f"{package.__name__}.{name}.{part}"
    folder = next((Path(path) / name for path in package.__path__ if (Path(path) / name).is_dir()), ROOT / name)
    if not (folder / f"{part}.py").is_file():
        raise InvalidInput(f"use case {name!r} has no {part}.py in {folder}")
    with modules.blame(folder / f"{part}.py"):
        found = importlib.import_module(wanted)
    modules.check(name, part, found)
    return found
