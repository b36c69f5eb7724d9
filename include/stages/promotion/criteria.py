"""Whether a candidate is worse than the stable version, by what both did in the same window. Pure."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from include.foundation.spec.promotion import Criteria
from include.stages.promotion.agreement import Agreement
from include.stages.promotion.labelled import Labelled
from include.stages.promotion.observation import Seen


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """What was found.

    Attributes:
        worse: in which ways the candidate is worse, in words; empty if in none.
        enough: whether enough requests were answered, and all its replicas told, to say that it is not.
    """

    worse: tuple[str, ...]
    enough: bool


def judge(
    criteria: Criteria,
    *,
    stable: Seen | None,
    candidate: Seen,
    memory: float,
    sent: float = 0,
    last: bool = False,
    agreement: Agreement | None = None,
    labels: Labelled | None = None,
) -> Judgement:
    """Compare two versions.

    Args:
        criteria: of the spec.
        stable: what the version that served before did; None where it gets no requests any more.
        candidate: what the new one did.
        memory: bytes that a replica may take.
        sent: about how many requests the candidate was sent in the window; 0 where that is not known.
        last: whether nobody waits any more: until then a replica that does not tell may be starting.
        agreement: what both answered to the same requests, if that is known.
        labels: how well both did where labels have come. Without enough of them nothing is said; they are not waited
            for, since they may take longer than any window.
    """
    answered = min(each.requests for each in (stable or candidate, candidate))
    enough = answered >= criteria.min_requests and not candidate.silent
    found = [*_broken(criteria, candidate, memory)]
    if sent >= criteria.min_requests and candidate.requests < sent / 2:  # too few to compare is its own fault
        found.append(f"it answered {candidate.requests} of about {sent:.0f} requests that it was sent")
    if last and candidate.silent and not (stable and stable.silent):  # what both do is the cluster's fault
        found.append(f"{candidate.silent} of its replicas do not tell their metrics")
    if candidate.requests >= criteria.min_requests:
        found += _failing(criteria, stable, candidate)
    if answered >= criteria.min_requests and stable:
        found += [*_slow(criteria, stable, candidate), *_different(criteria, stable, candidate)]
    if agreement is not None:
        found += agreement.beyond(criteria.disagreement, least=criteria.min_requests)
    if labels is not None:
        found += labels.worse
    return Judgement(worse=tuple(found), enough=enough)


def _broken(criteria: Criteria, candidate: Seen, memory: float) -> list[str]:
    """What is told by any number of requests."""
    found = []
    if candidate.restarts > criteria.restarts:
        found.append(f"its containers were restarted {candidate.restarts} times, allowed are {criteria.restarts}")
    if candidate.memory > criteria.memory_share * memory:
        found.append(
            f"a replica takes {candidate.memory / 2**20:.0f} MiB, allowed are {criteria.memory_share:.0%} of "
            f"{memory / 2**20:.0f} MiB"
        )
    return found


def _failing(criteria: Criteria, stable: Seen | None, candidate: Seen) -> list[str]:
    found = []
    allowed = criteria.error_share + (stable.errors / stable.requests if stable and stable.requests else 0)
    if candidate.errors > allowed * candidate.requests:
        found.append(f"{candidate.errors} of {candidate.requests} requests failed, allowed is a share of {allowed:.4f}")
    nothing = candidate.rows - round(sum(candidate.scores))  # what is not a number is in no bucket
    if nothing > criteria.error_share * candidate.rows:
        found.append(f"{nothing} of {candidate.rows} answers are no numbers")
    return found


def _slow(criteria: Criteria, stable: Seen, candidate: Seen) -> list[str]:
    if candidate.p99 is None or stable.p99 is None:
        return []
    allowed = max(criteria.latency_factor * stable.p99, criteria.latency_p99_ms / 1000)
    if candidate.p99 <= allowed:
        return []
    return [f"its p99 is {candidate.p99 * 1000:.1f} ms, allowed are {allowed * 1000:.1f} ms"]


def _different(criteria: Criteria, stable: Seen, candidate: Seen) -> list[str]:
    far, chance = distance(stable.scores, candidate.scores)
    if far <= criteria.answers_distance + chance:
        return []
    return [
        f"its answers are distributed {far:.2f} from the stable version's, allowed are {criteria.answers_distance:.2f} "
        f"and {chance:.2f} for chance"
    ]


def distance(one: Sequence[float], other: Sequence[float]) -> tuple[float, float]:
    """Total variation between two histograms with the same buckets, and what chance alone rarely exceeds.

    Args:
        one: counts, a bucket each.
        other: the same.

    Returns:
        From 0 (the same shares) to 1 (nothing in common), and a bound for samples of one distribution: the expected
        distance is at most `sqrt(k (1/n + 1/m)) / 2` for k buckets that hold something; the bound is half as much more.
    """
    n, m = sum(one), sum(other)
    if not n or not m or len(one) != len(other):
        return 0.0, 1.0
    filled = sum(1 for a, b in zip(one, other, strict=True) if a or b)
    far = sum(abs(a / n - b / m) for a, b in zip(one, other, strict=True)) / 2
    return far, min(1.0, 1.5 * math.sqrt(filled * (1 / n + 1 / m)) / 2)
