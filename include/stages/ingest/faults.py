"""All faults of a run at once, so that they are mended in one go."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from include.foundation.errors import FlightlineError

SHOWN = 10
LENGTH = 2_000  # characters of one fault among several


def raise_together(faults: Sequence[FlightlineError]) -> None:
    """Raise the fault, or one of its kind that says them all; return if there is none."""
    if len(faults) == 1:
        raise faults[0]
    if faults:
        texts = [str(fault)[:LENGTH] for fault in faults[:SHOWN]]
        more = len(faults) - SHOWN
        texts += [f"and {more:,} more"] * (more > 0)
        raise type(faults[0])("\n".join([f"{len(faults)} faults:", *texts])) from faults[0]
