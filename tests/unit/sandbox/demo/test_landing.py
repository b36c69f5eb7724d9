from datetime import date

import pytest

from include.foundation.lake import Lake
from sandbox.demo import landing
from sandbox.supervisor.service import SandboxError

LAKE = Lake(catalog_properties={}, landing="s3://landing", models="s3://models")


@pytest.mark.parametrize(
    ("start", "end"),
    [
        (date(2012, 12, 31), date(2013, 1, 1)),
        (date(2013, 12, 1), date(2014, 1, 1)),
        (date(2013, 2, 2), date(2013, 2, 1)),
    ],
)
def test_other_days_than_the_data_have_are_refused(start: date, end: date) -> None:
    with pytest.raises(SandboxError, match="choose days from 2013-01-01 to 2013-12-31"):
        next(landing.days_of(LAKE, "flight_delays", start, end))


def test_the_command_line_says_what_is_wrong(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Lake, "from_env", classmethod(lambda cls: LAKE))
    assert landing.main(["--from", "2014-01-01", "--to", "2014-01-02"]) == 2
    assert "the data are of 2013" in capsys.readouterr().err


def test_a_use_case_without_data_is_refused(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Lake, "from_env", classmethod(lambda cls: LAKE))
    assert landing.main(["--use-case", "rain", "--from", "2013-01-01", "--to", "2013-01-02"]) == 2
    assert "no demo data of 'rain'; there are of: digits, flight_delays" in capsys.readouterr().err
