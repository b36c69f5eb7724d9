"""A use case's versions, for people: what each was made from, what it showed, its gates, who approved it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from include.foundation.echo import cause, listing, quoted
from include.foundation.errors import FlightlineError, MissingInput, ServiceUnavailable
from include.foundation.evidence.manifest import DIGEST_TAG
from include.stages import registry
from include.stages.registry.versions import ANSWER, DAG_RUN, MONITORED, PREVIOUS, REJECTED, SINCE

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from mlflow import MlflowClient

    from include.foundation.evidence.manifest import RunManifest


@dataclass(frozen=True, kw_only=True)
class Version:
    """One version that training registered.

    Attributes:
        number: digits.
        champion: whether it has the alias.
        gate: passed, failed, judging, or empty.
        judged_against: the champion of that time, or `none`.
        manifest: what it was made from; None where its tags do not hold what they should.
        fault: why there is no manifest.
        run_id: its MLflow run.
        digest: SHA-256 of the model file.
        created: when it was registered.
        since: when it became champion; None if it never did.
        previous: the version that it took over from.
        answers: of people, in order: when, and in words.
        monitored: what its newest window showed, in words.
        rejected: how it was worse when it was brought on, in words.
        dag_run: the run of its train Dag; empty where it was registered in another way.
    """

    number: str
    champion: bool
    gate: str
    judged_against: str
    manifest: RunManifest | None
    fault: str
    run_id: str
    digest: str
    created: datetime | None
    since: datetime | None
    previous: str
    answers: tuple[tuple[str, str], ...]
    monitored: str
    rejected: str
    dag_run: str

    @property
    def metrics(self) -> Mapping[str, float]:
        """On the holdout."""
        return self.manifest.metrics if self.manifest else {}

    @property
    def approval(self) -> str:
        """The newest approval, in words; empty if there is none."""
        return next((words for _, words in reversed(self.answers) if words.startswith("approved")), "")


@dataclass(frozen=True, kw_only=True)
class Gate:
    """One gate: `by` is how far the value is on the good side of what it was held against; negative on the bad one."""

    name: str
    passed: bool
    value: float | None
    threshold: float | None
    detail: str

    @property
    def by(self) -> float | None:
        """How far value and threshold are apart; positive where it passed."""
        if self.value is None or self.threshold is None:
            return None
        distance = abs(self.value - self.threshold)
        return distance if self.passed else -distance


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """What a version's run left: each part as it is, or empty with the reason in `faults`."""

    gates: tuple[Gate, ...] = ()
    reference: str = ""
    rows: int = 0
    metric: str = ""
    curves: tuple[Mapping[str, Any], ...] = ()
    importance: Mapping[str, float] = field(default_factory=dict)
    faults: tuple[str, ...] = ()


def versions(client: MlflowClient, name: str) -> list[Version]:
    """Every version that training registered, newest first.

    Raises:
        ServiceUnavailable: MLflow does not answer.
    """
    from mlflow.exceptions import MlflowException

    try:
        found = client.search_model_versions(f"name = '{name}'")
        champion = registry.aliased(client, name)
    except MlflowException as error:
        raise ServiceUnavailable(f"MLflow does not answer: {cause(error)}") from error
    ordered = sorted(found, key=lambda each: int(each.version), reverse=True)
    return [
        _version(each, champion=champion is not None and str(each.version) == champion.version)
        for each in ordered
        if DIGEST_TAG in each.tags
    ]


def pick(every: Sequence[Version], number: str, name: str) -> Version:
    """The version of that number. Raises MissingInput if there is none."""
    for version in every:
        if version.number == number:
            return version
    there = listing([version.number for version in every]) or "none"
    raise MissingInput(f"{name} has no version {quoted(number)}; it has {there}")


def evidence(read: Callable[[str], str]) -> Evidence:
    """The reports of a version's run.

    Args:
        read: gives a text artifact of the run, by path.
    """
    faults: list[str] = []

    def document(path: str, otherwise: Any) -> Any:
        try:
            found = json.loads(read(path))
        except (FlightlineError, ValueError) as error:
            faults.append(f"{path}: {cause(error)}")
            return otherwise
        if not isinstance(found, type(otherwise)):
            faults.append(f"{path}: it is of another layout")
            return otherwise
        return found

    report: dict[str, Any] = document("gates/report.json", {})
    return Evidence(
        gates=tuple(
            Gate(**{key: each.get(key) for key in ("name", "passed", "value", "threshold", "detail")})
            for each in report.get("gates", ())
        ),
        reference=str(report.get("reference", "")),
        rows=int(report.get("rows", 0)),
        metric=str(report.get("metric", "")),
        curves=tuple(document("model/curves.json", [])),
        importance=document("model/importance.json", {}),
        faults=tuple(faults),
    )


def _version(found: Any, *, champion: bool) -> Version:
    known = registry.versions._version(found)
    tags = known.tags
    manifest, fault = None, ""
    try:
        manifest = known.manifest()
    except FlightlineError as error:
        fault = str(error)[:500]
    return Version(
        number=known.version,
        champion=champion,
        gate=known.gate or "",
        judged_against=tags.get(registry.versions.JUDGED_AGAINST, ""),
        manifest=manifest,
        fault=fault,
        run_id=known.run_id,
        digest=known.digest,
        created=datetime.fromtimestamp(found.creation_timestamp / 1000, UTC) if found.creation_timestamp else None,
        since=datetime.fromisoformat(tags[SINCE]) if SINCE in tags else None,
        previous=tags.get(PREVIOUS, ""),
        answers=tuple(
            (key.removeprefix(f"{ANSWER}."), words[:300])
            for key, words in sorted(tags.items())
            if key.startswith(f"{ANSWER}.")
        ),
        monitored=tags.get(MONITORED, "")[:500],
        rejected=tags.get(REJECTED, "")[:500],
        dag_run=tags.get(DAG_RUN, ""),
    )
