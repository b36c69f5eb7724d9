"""What the kinds share in refusing labels."""

from typing import TYPE_CHECKING

from include.foundation.errors import InvalidInput

if TYPE_CHECKING:
    import polars as pl

SHOWN, LONGEST = 3, 60  # examples in a message, characters of one


def refuse(labels: "pl.Series", ids: "pl.Series", bad: "pl.Series", rule: str) -> None:
    """Raise InvalidInput with the rule and examples of the labels that are `bad` (booleans; null is not)."""
    bad = bad.fill_null(value=False) & labels.is_not_null()
    if not (count := int(bad.sum())):
        return
    shown: dict[str, str] = {}
    for label, name in zip(labels.filter(bad).head(1000), ids.filter(bad).head(1000), strict=True):
        if len(shown) < SHOWN:
            shown.setdefault(short(label), short(name))
    examples = ", ".join(f"{label} of {name}" for label, name in shown.items())
    raise InvalidInput(f"{rule}. {count} of {len(labels)} labels are not: {examples}")


def short(value: object) -> str:
    """A value for a message."""
    text = repr(value)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."
