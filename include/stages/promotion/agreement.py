"""How far two versions' answers to the same requests are apart, over all and in each slice. Pure."""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from include.foundation.echo import cut
from include.foundation.problem.protocol import Problem

ALL = "all requests"
SHARE_OF_LEAST = 0.2  # of the requests that a step wants, for one slice of them
Answer = float | list[float]


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """Differences of answers, by slice.

    Attributes:
        counts: slice -> rows that both versions answered.
        differences: slice -> mean absolute difference of both answers, of the answers' scale.
    """

    counts: Mapping[str, int] = field(default_factory=dict)
    differences: Mapping[str, float] = field(default_factory=dict)

    def beyond(self, allowed: float, *, least: int) -> list[str]:
        """In which slices the versions disagree more than is allowed, in words, the worst first.

        Args:
            allowed: difference.
            least: rows that all requests together must have; a slice, a fifth of them.
        """
        wanted = {name: least if name == ALL else SHARE_OF_LEAST * least for name in self.counts}
        found = sorted(
            (
                name
                for name, difference in self.differences.items()
                if difference > allowed and self.counts[name] >= wanted[name]
            ),
            key=lambda name: -self.differences[name],
        )
        return [
            f"for {name} its answers differ from the stable version's by {self.differences[name]:.3f} on average, "
            f"allowed are {allowed:.3f} ({self.counts[name]} rows)"
            for name in found[:3]
        ]


def agreement(
    messages: Iterable[bytes],
    *,
    stable: str,
    candidate: str,
    stage: str,
    since: str,
    by: Iterable[str],
    problem: Problem,
) -> Agreement:
    """Join what two versions answered to the same rows of the same requests.

    Args:
        messages: of the prediction log; what is none is passed over, for its ingest tells of it.
        stable: version.
        candidate: version.
        stage: where both serve.
        since: RFC 3339 in UTC; what was scored before does not count.
        by: columns of the request whose values are slices.
        problem: says what answers are measured in; a difference is told as a part of that.
    """
    answers: dict[tuple[str, int], dict[str, Mapping[str, Any]]] = defaultdict(dict)
    for text in messages:
        with suppress(ValueError, TypeError, KeyError):
            message = json.loads(text)
            ours = message["version"] in (stable, candidate) and message["stage"] == stage
            if ours and message["scored_at"] >= since:
                answers[message["request_id"], message["row"]][message["version"]] = message
    scale = problem.scale(np.array([each[stable]["answer"] for each in answers.values() if len(each) == 2] or [1.0]))
    columns, sums, counts = tuple(by), defaultdict[str, float](float), defaultdict[str, int](int)
    for both in answers.values():
        if len(both) < 2:
            continue
        far = _apart(both[stable]["answer"], both[candidate]["answer"]) / scale
        record = both[stable].get("record") or {}
        for name in (ALL, *(f"{column} {cut(str(record[column]))}" for column in columns if column in record)):
            sums[name] += far
            counts[name] += 1
    return Agreement(counts=dict(counts), differences={name: sums[name] / counts[name] for name in counts})


def _apart(one: Answer, other: Answer) -> float:
    """Of two numbers their difference, of two lists of shares the greatest one."""
    pairs = zip(one, other, strict=False) if isinstance(one, list) and isinstance(other, list) else [(one, other)]
    return max((abs(float(a) - float(b)) for a, b in pairs), default=0.0)  # type: ignore[arg-type]
