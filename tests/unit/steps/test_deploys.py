import subprocess

import pytest

from include.foundation.errors import InvalidInput
from include.steps.__main__ import main
from include.steps.deploys import deploys


@pytest.fixture
def repository(tmp_path):
    def git(*words):
        command = ["git", "-C", str(tmp_path), "-c", "user.name=t", "-c", "user.email=t@t", *words]
        subprocess.run(command, check=True, capture_output=True)

    git("init", "-q")
    for slug in ("flight-delays", "other"):
        (tmp_path / slug).mkdir()
        (tmp_path / slug / "x").write_text("x")
        git("add", ".")
        git("commit", "-qm", f"Deploy\n\nFlightline-Key: {slug}.promote/r/rollout.production.commit/-1")
    return str(tmp_path)


def test_only_the_use_case_s_commits_count(repository, capsys):
    assert deploys("flight_delays", repository, days=1).deploys == 1
    assert main(["deploys", "flight_delays", "--repository", repository]) == 0
    assert capsys.readouterr().out.startswith("1 deploy in 90 days, lead time 0 s, change failure rate 0% (0 of 1)")


def test_what_is_no_repository_is_named(tmp_path):
    with pytest.raises(InvalidInput, match=r"the history of .*nowhere cannot be read"):
        deploys("flight_delays", str(tmp_path / "nowhere"), days=1)
