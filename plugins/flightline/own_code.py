"""Ask a version's own images: whether they can be had, and what the version's code answers."""

import json
from collections.abc import Mapping
from typing import Any

from flightline.hooks.cluster import ClusterHook
from include.foundation.errors import DigestMismatch
from include.foundation.evidence import code

_TELL = "from include.foundation.evidence.code import feature_code; print(feature_code({!r}))"


def require(use_case: str, chosen: Mapping[str, Any]) -> None:
    """Make sure that the version's serving image can be had and holds the feature code of its run manifest.

    Raises:
        ServiceUnavailable: it cannot be had (yet).
        DigestMismatch: it holds other code: the version's pods would refuse to start.
    """
    if not chosen["feature_code"]:  # the manifest is of the first layout, which names neither
        return
    said = ClusterHook().run_pod(chosen["image"], ["-c", _TELL.format(use_case)])
    found = said.strip().rpartition("\n")[2][-64:]  # a pod's log holds its warnings too
    if found != chosen["feature_code"]:
        raise DigestMismatch(
            f"{chosen['image']} holds feature code {found}, the version's run manifest names "
            f"{chosen['feature_code']}: tag the image of the manifest's commit again"
        )


def sample(use_case: str, chosen: Mapping[str, Any]) -> tuple[list[Any], list[Any]]:
    """Requests of gold's newest day, and what the version's code answers: gold is made by today's.

    Raises:
        MissingInput: gold is empty.
        ServiceUnavailable: the version's training image cannot be had (yet).
        InvalidInput: its code refuses today's silver.
        RetryableError: its code failed otherwise.
    """
    if chosen["feature_code"] in ("", code.feature_code(use_case)):
        from flightline.hooks.lake import LakeHook
        from include.foundation.spec import load
        from include.stages.promotion.sample import sample as of_gold

        return of_gold(LakeHook().lake, load(use_case), uri=chosen["uri"], digest=chosen["digest"])
    asked = ["-m", "include.steps", "sample", use_case, "--uri", chosen["uri"], "--digest", chosen["digest"]]
    said = ClusterHook().run_pod(chosen["trainer_image"], asked)
    answer = json.loads(said.strip().rpartition("\n")[2])
    return answer["records"], answer["expected"]
