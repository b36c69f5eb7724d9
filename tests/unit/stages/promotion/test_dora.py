import subprocess
from datetime import UTC, datetime, timedelta

import pytest

from include.foundation.errors import InvalidInput
from include.stages.promotion import dora

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def commits(run, *tasks, days_ago=1.0):
    """Commits of a run, a minute apart."""
    start = NOW - timedelta(days=days_ago)
    return [
        dora.Commit(sha=f"{run}{n}", at=start + timedelta(minutes=n), key=f"rain.promote/{run}/{task}/-1")
        for n, task in enumerate(tasks)
    ]


GOOD = ("prepare", "rollout.staging.commit", "rollout.production.canary_10.commit", "rollout.production.commit")
BAD = ("rollout.staging.commit", "rollout.production.canary_10.commit", "revert.restore")


def figures(*runs, **words):
    return dora.figures([each for run in runs for each in run], last_stage="production", now=NOW, **words)


def test_the_four_measures():
    found = figures(commits("a", *GOOD), commits("b", *GOOD), commits("c", *BAD))
    assert (found.changes, found.deploys, found.failed) == (3, 2, 1)
    assert (found.lead_seconds, found.restore_seconds) == (120, 120)
    assert str(found) == (
        "2 deploys in 90 days, lead time 2.0 min, change failure rate 33% (1 of 3), time to restore 2.0 min"
    )


def test_argo_cd_knows_when_a_commit_was_there():
    synced = {"a3": NOW, "c2": NOW}
    found = figures(commits("a", *GOOD), commits("c", *BAD, days_ago=0.5), synced=synced)
    assert found.lead_seconds == timedelta(days=1).total_seconds() - 60
    assert found.restore_seconds == timedelta(hours=12).total_seconds()


def test_what_is_no_change_does_not_count():
    person = dora.Commit(sha="p", at=NOW, key="")
    found = figures([person], commits("a", "prepare"), commits("old", *GOOD, days_ago=91))
    assert (found.changes, found.deploys, found.lead_seconds) == (0, 0, None)
    assert "none to tell of" in str(found)


def test_a_run_until_staging_is_a_change_and_no_deploy():
    found = figures(commits("a", "rollout.staging.commit"))
    assert (found.changes, found.deploys, found.failed) == (1, 0, 0)


def test_git_s_own_log_is_read(tmp_path):
    def git(*words):
        command = ["git", "-C", str(tmp_path), "-c", "user.name=t", "-c", "user.email=t@t", *words]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    git("init", "-q")
    git("commit", "-q", "--allow-empty", "-m", "by hand")
    git("commit", "-q", "--allow-empty", "-m", "Deploy\n\nFlightline-Key: rain.promote/r/rollout.production.commit/-1")
    found = dora.parse(git("log", dora.FORMAT))
    assert [each.key for each in found] == ["rain.promote/r/rollout.production.commit/-1", ""]
    assert dora.figures(found, last_stage="production", now=datetime.now(UTC)).deploys == 1
    with pytest.raises(InvalidInput, match="not a line of `git log`"):
        dora.parse("abc")
