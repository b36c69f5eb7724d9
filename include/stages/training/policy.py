"""When new gold data are enough for a new version."""

from collections.abc import Sequence
from datetime import date

from include.foundation.spec.training import Policy


def due(policy: Policy, *, days: Sequence[date], trained_until: date | None) -> tuple[bool, str]:
    """Whether to train now, and the reason in words.

    Args:
        policy: the spec's policy.
        days: days present in gold, in any order.
        trained_until: last day that the newest registered version has seen (its holdout included); None: no version.
    """
    if trained_until is None:
        enough = len(days) >= policy.min_days
        return enough, f"no version yet, {len(days)} days of gold, the policy asks for {policy.min_days}"
    fresh = sum(day > trained_until for day in days)
    return (
        fresh >= policy.every_days,
        f"{fresh} days of gold since {trained_until}, the policy asks for {policy.every_days}",
    )
