"""What the tuners are held against: two functions that everybody knows, and the use cases' own trials, interpolated.

Needs numpy only: each tuner runs in an environment of its own.
"""

import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

Parameter = dict[str, Any]  # in SigOpt's words


@dataclass(frozen=True, kw_only=True)
class Problem:
    """A function of parameters, less is better."""

    name: str
    parameters: list[Parameter]
    value: Callable[[dict[str, Any]], float]


def branin(x: float, y: float) -> float:
    """Least 0.397887 (Dixon and Szegö 1978)."""
    level = (y - 5.1 / (4 * math.pi**2) * x**2 + 5 / math.pi * x - 6) ** 2
    return level + 10 * (1 - 1 / (8 * math.pi)) * math.cos(x) + 10


A = np.array(
    [[10, 3, 17, 3.5, 1.7, 8], [0.05, 10, 17, 0.1, 8, 14], [3, 3.5, 1.7, 10, 17, 8], [17, 8, 0.05, 10, 0.1, 14]]
)
P = 1e-4 * np.array(
    [
        [1312, 1696, 5569, 124, 8283, 5886],
        [2329, 4135, 8307, 3736, 1004, 9991],
        [2348, 1451, 3522, 2883, 3047, 6650],
        [4047, 8828, 8732, 5743, 1091, 381],
    ]
)


def hartmann6(**x: float) -> float:
    """Least -3.32237 (the same)."""
    point = np.array([x[name] for name in sorted(x)])
    return -float(np.array([1, 1.2, 3, 3.2]) @ np.exp(-(A * (point - P) ** 2).sum(1)))


def spread(parameter: Parameter, unit: float) -> float | int:
    """A number in [0, 1] as a value of the parameter."""
    low, high = parameter["bounds"]["min"], parameter["bounds"]["max"]
    if parameter["type"] == "int":
        return min(int(high), int(low + unit * (high + 1 - low)))
    if parameter.get("transformation") == "log":
        return float(low * (high / low) ** unit)
    return float(low + unit * (high - low))


def place(parameter: Parameter, value: float) -> float:
    """The number in [0, 1] that `spread` makes this value of."""
    low, high = parameter["bounds"]["min"], parameter["bounds"]["max"]
    if parameter.get("transformation") == "log":
        return math.log(value / low) / math.log(high / low)
    return (value - low) / (high - low)


def recorded(name: str) -> dict[str, Any]:
    """What `trials` has written of a use case."""
    found: dict[str, Any] = json.loads(Path(__file__).with_name(f"{name}.json").read_text())
    for parameter in found["parameters"]:
        if parameter["type"] == "int":
            parameter["bounds"] = {name: int(bound) for name, bound in parameter["bounds"].items()}
    return found


def use_case(name: str) -> Problem:
    """A use case's metric, between the trials that were run: a cubic spline (radial basis), smoothed a little."""
    said = recorded(name)
    points = np.array([each["point"] for each in said["trials"]])
    sign = 1 if said["goal"] == "minimize" else -1
    values = sign * np.array([each["value"] for each in said["trials"]])
    count, width = points.shape

    def distances(others: np.ndarray) -> np.ndarray:
        return np.linalg.norm(others[:, None] - points[None], axis=2) ** 3

    trend = np.column_stack([np.ones(count), points])
    square = np.block([[distances(points) + 1e-2 * np.eye(count), trend], [trend.T, np.zeros((width + 1,) * 2)]])
    weights = np.linalg.solve(square, np.concatenate([values, np.zeros(width + 1)]))

    def value(assignments: dict[str, Any]) -> float:
        point = np.array([place(each, assignments[each["name"]]) for each in said["parameters"]])
        row = np.concatenate([distances(point[None])[0], [1.0], point])
        return float(np.clip(row @ weights, values.min() - 0.1 * np.ptp(values), values.max()))

    return Problem(name=name, parameters=said["parameters"], value=value)


def problems() -> list[Problem]:
    """All of them."""
    box = [
        {"name": name, "type": "double", "bounds": {"min": low, "max": low + 15}} for name, low in (("x", -5), ("y", 0))
    ]
    six = [{"name": f"x{place}", "type": "double", "bounds": {"min": 0, "max": 1}} for place in range(6)]
    return [
        Problem(name="branin", parameters=box, value=lambda said: branin(**said)),
        Problem(name="hartmann6", parameters=six, value=lambda said: hartmann6(**said)),
        use_case("flight_delays"),
        use_case("digits"),
    ]
