"""What may be promoted, against which champion, and what a revert takes back. Pure: facts in, errors and names out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from include.foundation.echo import cut
from include.foundation.errors import GateFailed, InvalidInput
from include.stages.promotion.served import Served

NONE = "none"  # as the registry says that there was no champion


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A version that somebody wants to promote.

    Attributes:
        name: of the registered model.
        version: digits.
        gate: what its gates said; None if they did not.
        judged_against: the champion that it was judged against, `none`, or None if that is not known.
        rejected: in which way it was worse when it was brought on before; None if it was not.
        by_person: whether a person named it; else a training run did, by the asset.
    """

    name: str
    version: str
    gate: str | None
    judged_against: str | None
    by_person: bool
    rejected: str | None = None


def check(candidate: Candidate, *, champion: str | None, last_champion: str | None, served: Sequence[Served]) -> None:
    """Whether the candidate may be promoted now.

    Args:
        candidate: the version.
        champion: the version with the alias today; None if no version has it.
        last_champion: the version that had it last, as the registry remembers; None if none ever had it.
        served: what Git deploys, a stage each, in the order of the spec: the last one is production.

    Raises:
        GateFailed: its gates did not pass, or were held against another champion than today's.
        InvalidInput: registry and Git contradict each other, or a stage's folder holds what no promotion put there.
    """
    name = f"{candidate.name} version {candidate.version}"
    if candidate.gate != "passed":
        raise GateFailed(f"{name} has gate={candidate.gate}: only a version that passed is promoted")
    for stage in served:
        check_folder(stage)
    production = served[-1].version
    known = champion or production or last_champion
    if champion is None and known not in (None, candidate.version):
        raise InvalidInput(
            f"no version of {candidate.name} has the alias `champion`, but version {known} "
            f"{'serves in ' + served[-1].stage if production else 'had it'}: promote version {known} to give it back"
        )
    if candidate.by_person:  # who may go back to any version that passed
        return
    if candidate.rejected:
        raise GateFailed(f"{name} was rejected, {cut(candidate.rejected, 300)}: promote it by hand if it is good")
    if champion is not None and production not in (None, champion):
        raise InvalidInput(
            f"the champion of {candidate.name} is version {champion}, but {served[-1].stage} serves version "
            f"{production}: promote one of the two by hand first"
        )
    now = champion or NONE
    if now not in (candidate.version, candidate.judged_against):
        judged = candidate.judged_against
        against = f"champion {judged}" if judged else "an unknown champion, by an older release"
        raise GateFailed(
            f"{name} was judged against {against}, but the champion is {now} now: "
            "run its gate again or promote it by hand"
        )


def check_folder(stage: Served) -> None:
    """Raise InvalidInput if Git holds more for a stage than promotions put there: a sync would apply it too."""
    if stage.foreign:
        shown = ", ".join(stage.foreign[:5]) + (f" and {len(stage.foreign) - 5} more" if len(stage.foreign) > 5 else "")
        raise InvalidInput(
            f"the GitOps repository has {shown}, which no promotion put there and a sync would apply: take it out of "
            f"the folder of {stage.stage}, then start again"
        )


@dataclass(frozen=True, kw_only=True)
class Move:
    """One step of a rollout: a commit to the GitOps repository and the sync of it, by the ids of their tasks."""

    application: str
    commit: str
    sync: str


def to_take_back(moves: Sequence[Move], states: Mapping[str, str | None]) -> list[str] | None:
    """Applications to sync again after a failure, the newest move first; None if nothing was committed.

    A commit that failed may have arrived, with only its answer lost. Restoring what did not is harmless. Only what was
    synced is synced again: another stage may have no Application yet.

    Args:
        moves: in the order of the rollout.
        states: task id -> Airflow's state.
    """
    tried = ("success", "failed")
    if not any(states.get(move.commit) in tried for move in moves):
        return None
    synced = [move.application for move in reversed(moves) if states.get(move.sync) in tried]
    return list(dict.fromkeys(synced))
