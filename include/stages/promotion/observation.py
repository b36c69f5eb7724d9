"""What a version did in a window: the difference of two looks at the metrics of its replicas. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from include.foundation.echo import cause
from include.foundation.errors import InvalidInput

PREFIX = "flightline_serving"
ASKED = ("predict", "infer")  # endpoints that answer with predictions
INFINITE = float("inf")


@dataclass(frozen=True, kw_only=True)
class Counts:
    """What one replica has counted since its process started; JSON-safe by `asdict`.

    Attributes:
        requests: for predictions.
        errors: of these answered with 5xx.
        rows: of requests that were answered.
        seconds: upper bound -> requests that took no longer, as Prometheus writes bounds.
        scores: upper bound -> answers that are no greater.
        memory: resident, bytes.
        restarts: of its containers.
        silent: whether it did not tell: it hangs, or is starting. Then the rest is nothing but its restarts.
    """

    requests: float = 0
    errors: float = 0
    rows: float = 0
    seconds: Mapping[str, float] = field(default_factory=dict)
    scores: Mapping[str, float] = field(default_factory=dict)
    memory: float = 0
    restarts: int = 0
    silent: bool = False


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What a version did in a window, all its replicas together.

    Attributes:
        requests: for predictions.
        errors: of these answered with 5xx.
        rows: of requests that were answered.
        p99: seconds; None without requests.
        scores: answers in each bucket.
        memory: bytes of the replica that has most.
        restarts: of its containers.
        silent: replicas that did not tell at the end.
    """

    requests: int
    errors: int
    rows: int
    p99: float | None
    scores: tuple[float, ...]
    memory: float
    restarts: int
    silent: int


def counts(exposition: str, *, restarts: int) -> Counts:
    """Read a replica's `/metrics` (https://prometheus.io/docs/instrumenting/exposition_formats).

    Raises:
        InvalidInput: it is not Prometheus' text format, or counts no requests.
    """
    from prometheus_client.parser import text_string_to_metric_families

    requests = errors = rows = memory = 0.0
    seconds: dict[str, float] = {}
    scores: dict[str, float] = {}
    try:
        families = {family.name: family for family in text_string_to_metric_families(exposition)}
    except ValueError as error:
        raise InvalidInput(
            f"/metrics of a serving replica is not in Prometheus' text format: {cause(error)}"
        ) from error
    if f"{PREFIX}_requests" not in families:
        raise InvalidInput(f"/metrics of a serving replica has no {PREFIX}_requests_total: is it another program?")
    for sample in (sample for family in families.values() for sample in family.samples):
        asked = sample.labels.get("endpoint") in ASKED
        if sample.name == f"{PREFIX}_requests_total" and asked:
            requests += sample.value
            errors += sample.value if sample.labels["code"].startswith("5") else 0
        elif sample.name == f"{PREFIX}_rows_total":
            rows += sample.value
        elif sample.name == f"{PREFIX}_request_seconds_bucket" and asked:
            seconds[sample.labels["le"]] = seconds.get(sample.labels["le"], 0) + sample.value
        elif sample.name == f"{PREFIX}_score_bucket":
            scores[sample.labels["le"]] = scores.get(sample.labels["le"], 0) + sample.value
        elif sample.name == "process_resident_memory_bytes":
            memory = sample.value
    return Counts(
        requests=requests, errors=errors, rows=rows, seconds=seconds, scores=scores, memory=memory, restarts=restarts
    )


def baseline(before: Mapping[str, Counts], after: Mapping[str, Counts]) -> dict[str, Counts]:
    """What to count from: the first look, or of a replica that was silent then, the first look at which it tells.

    For the stable version: what it has answered since its process started, nobody sent the candidate in this window.
    """
    return {
        name: replace(after[name], restarts=old.restarts) if old.silent and name in after else old
        for name, old in before.items()
    }


def seen(before: Mapping[str, Counts], after: Mapping[str, Counts]) -> Seen:
    """What happened between two looks.

    A replica that came between them counts from zero, as does one whose process started anew. One that is gone takes
    along what it did since the first look.

    Args:
        before: replica -> its counts at the first look.
        after: the same at the second.
    """
    pairs = [(_since(before.get(name), counts), counts) for name, counts in after.items()]
    seconds, scores = (
        _buckets((getattr(old, part), getattr(new, part)) for old, new in pairs) for part in ("seconds", "scores")
    )
    return Seen(
        requests=round(sum(new.requests - old.requests for old, new in pairs)),
        errors=round(sum(new.errors - old.errors for old, new in pairs)),
        rows=round(sum(new.rows - old.rows for old, new in pairs)),
        p99=quantile(seconds, 0.99),
        scores=tuple(_each(scores)),
        memory=max((new.memory for _, new in pairs), default=0),
        restarts=sum(new.restarts - (before[name].restarts if name in before else 0) for name, new in after.items()),
        silent=sum(counts.silent for counts in after.values()),
    )


def quantile(buckets: Mapping[float, float], share: float) -> float | None:
    """A quantile of a cumulative histogram, as Prometheus' `histogram_quantile` has it; None of an empty one.

    Args:
        buckets: upper bound -> how many are no greater; the greatest bound is infinite.
        share: from 0 to 1.
    """
    bounds = sorted(buckets)
    total = buckets[bounds[-1]] if bounds else 0
    if not total:
        return None
    low = below = 0.0
    for bound in bounds:
        if buckets[bound] >= share * total:
            if bound == INFINITE:
                return low
            inside = buckets[bound] - below
            return low + (bound - low) * ((share * total - below) / inside if inside else 1)
        low, below = bound, buckets[bound]
    return low


def _since(old: Counts | None, new: Counts) -> Counts:
    """What to count from."""
    started_anew = old is None or new.requests < old.requests or new.restarts > old.restarts
    return Counts() if started_anew or old is None else old


def _buckets(pairs: Iterable[tuple[Mapping[str, float], Mapping[str, float]]]) -> dict[float, float]:
    """The sum of what was added to cumulative histograms."""
    found: dict[float, float] = {}
    for old, new in pairs:
        for bound, count in new.items():
            found[float(bound)] = found.get(float(bound), 0) + count - old.get(bound, 0)
    return found


def _each(buckets: Mapping[float, float]) -> list[float]:
    """The counts of each bucket by itself."""
    ordered = [buckets[bound] for bound in sorted(buckets)]
    return [count - below for below, count in zip([0.0, *ordered], ordered, strict=False)]
