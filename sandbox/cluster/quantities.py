"""Quantities such as `500m`, `2`, `512Mi`, `1e3` and ports or replicas given as integer or percentage."""

import math

_SUFFIXES = {
    "n": 1e-9,
    "u": 1e-6,
    "m": 1e-3,
    "": 1.0,
    "k": 1e3,
    "M": 1e6,
    "G": 1e9,
    "T": 1e12,
    "P": 1e15,
    "E": 1e18,
    "Ki": 2.0**10,
    "Mi": 2.0**20,
    "Gi": 2.0**30,
    "Ti": 2.0**40,
    "Pi": 2.0**50,
    "Ei": 2.0**60,
}


def parse(quantity: str | float) -> float:
    """A quantity as a number (cores, bytes or pieces).

    Raises:
        ValueError: it is not a quantity.
    """
    text = str(quantity)
    for length in (2, 1):
        suffix = text[-length:]
        if len(text) > length and suffix in _SUFFIXES:
            return float(text[:-length]) * _SUFFIXES[suffix]
    return float(text)


def scaled(value: int | str, total: int, *, up: bool) -> int:
    """An absolute count, or a percentage of `total` rounded up or down (maxSurge rounds up, maxUnavailable down).

    Raises:
        ValueError: it is neither.
    """
    if isinstance(value, int):
        return value
    if not value.endswith("%"):
        raise ValueError(f"{value!r} is neither an integer nor a percentage")
    share = int(value[:-1]) * total / 100
    return math.ceil(share) if up else math.floor(share)
