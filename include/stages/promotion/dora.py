"""How deploying goes, by DORA's four key measures (https://dora.dev/guides/dora-metrics-four-keys). Pure.

They are read from the GitOps repository's history and, where it is known, Argo CD's. A change is one promotion: the
commits of one run. It is deployed when its version serves the last stage alone; it failed if its commits were taken
back. Lead time counts from the first commit that changed a stage, right after a person's approval, to the last sync;
time to restore from that same commit to the sync of the one that took it back.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median

from include.foundation.errors import InvalidInput

FORMAT = "--format=%H%x1f%cI%x1f%(trailers:key=Flightline-Key,valueonly,separator=%x20)"  # for `parse`


@dataclass(frozen=True, kw_only=True)
class Commit:
    """One commit of the GitOps repository.

    Attributes:
        sha: its full name.
        at: when it was made.
        key: `<dag>/<run>/<task>/<map index>` of who made it; empty for a person's.
    """

    sha: str
    at: datetime
    key: str


@dataclass(frozen=True, kw_only=True)
class Figures:
    """The four measures; durations in seconds are medians, None where there is nothing to measure.

    Attributes:
        days: that were looked at.
        changes: promotions that changed a stage.
        deploys: of these, how many versions came to serve the last stage.
        failed: of these, how many were taken back.
        lead_seconds: from the first commit to the last stage's sync.
        restore_seconds: from the first change of a stage to the sync of the way back.
    """

    days: int
    changes: int
    deploys: int
    failed: int
    lead_seconds: float | None
    restore_seconds: float | None

    def __str__(self) -> str:
        """One sentence."""
        rate = f"{self.failed / self.changes:.0%}" if self.changes else "none to tell of"
        deploys = f"{self.deploys} deploy{'s' if self.deploys != 1 else ''} in {self.days} days"
        return (
            f"{deploys}, lead time {_words(self.lead_seconds)}, change failure rate {rate} "
            f"({self.failed} of {self.changes}), time to restore {_words(self.restore_seconds)}"
        )


def parse(log: str) -> list[Commit]:
    """Read `git log` with `FORMAT`.

    Raises:
        InvalidInput: it is of another format.
    """
    found = []
    for line in filter(None, log.splitlines()):
        try:
            sha, at, key = line.split("\x1f")
            found.append(Commit(sha=sha, at=datetime.fromisoformat(at), key=key.strip()))
        except ValueError as error:
            raise InvalidInput(f"not a line of `git log` with the format of {__name__}: {line[:200]!r}") from error
    return found


def figures(
    commits: Iterable[Commit],
    *,
    last_stage: str,
    now: datetime,
    days: int = 90,
    synced: Mapping[str, datetime] | None = None,
) -> Figures:
    """The measures of one use case.

    Args:
        commits: that changed its folder.
        last_stage: production's name.
        now: the end of the days.
        days: how many to look back.
        synced: commit -> when Argo CD had synced it; a commit's own time where it does not say.
    """
    known, runs = synced or {}, defaultdict[str, list[tuple[str, Commit]]](list)
    for commit in sorted(commits, key=lambda commit: commit.at):
        run, _, task = commit.key.removesuffix("/-1").rpartition("/")
        if run and now - timedelta(days=days) <= commit.at <= now:
            runs[run].append((task, commit))
    changes = deploys = failed = 0
    leads, restores = [], []
    for made in runs.values():
        moves = [commit for task, commit in made if task.startswith("rollout.")]
        if not moves:
            continue
        changes += 1
        alone = [commit for task, commit in made if task == f"rollout.{last_stage}.commit"]
        if back := [commit for task, commit in made if task == "revert.restore"]:
            failed += 1
            restores.append((known.get(back[-1].sha, back[-1].at) - moves[0].at).total_seconds())
        elif alone:
            deploys += 1
            leads.append((known.get(alone[-1].sha, alone[-1].at) - moves[0].at).total_seconds())
    return Figures(
        days=days,
        changes=changes,
        deploys=deploys,
        failed=failed,
        lead_seconds=median(leads) if leads else None,
        restore_seconds=median(restores) if restores else None,
    )


def _words(seconds: float | None) -> str:
    if seconds is None:
        return "unknown"
    for unit, size in (("days", 86_400), ("hours", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.0f} s"
