"""What a version's own code answers offline: run in its training image, it tells what its endpoint must answer."""

from typing import Any

from include.foundation.errors import MissingInput
from include.foundation.lake import Lake, tables
from include.foundation.spec import load
from include.stages.features.build import compute
from include.stages.features.silver import Silver
from include.stages.promotion.sample import answers


def sample(lake: Lake, use_case: str, *, uri: str, digest: str) -> dict[str, list[Any]]:
    """Requests of gold's newest day and the answers for their features, made of silver by the code of here.

    Gold itself is of one code, today's; a version from before needs its own.

    Args:
        lake: the lake.
        use_case: name.
        uri: of the model file.
        digest: its SHA-256.

    Returns:
        `records` as callers send them, and the numbers of as many answers as `expected`.

    Raises:
        MissingInput: gold or silver is empty.
        InvalidInput: silver is no longer what this code reads.
    """
    spec = load(use_case)
    if not (days := tables.days(lake, spec.gold)):
        raise MissingInput(f"{spec.gold} has no rows: run {use_case}.features first")
    gold = compute(Silver.current(lake, spec), days[-1], days[-1])
    records, expected = answers(lake, spec, gold, uri=uri, digest=digest)
    return {"records": records, "expected": expected}
