"""Who scores which days in which image, and what is said where there is nothing to score."""

from collections import defaultdict
from datetime import date
from types import SimpleNamespace

import pytest
from airflow.sdk.exceptions import AirflowFailException

from flightline import assets
from flightline.tasks import score
from include.foundation.errors import MissingInput
from include.foundation.spec import load

SPEC = load("flight_delays")
D = [date(2013, 1, 1), date(2013, 1, 2)]
HERE, IMAGE = "f" * 64, "flightline/trainer:c"


class Ti:
    def __init__(self):
        self.pushed = {}

    def xcom_push(self, key, value):
        self.pushed[key] = value


def choose(monkeypatch, *, run_type="asset_triggered", version=None, champion=True, gate="passed", code=HERE, days=D):
    """What is chosen, and what the task keeps, for January."""
    found = SimpleNamespace(
        version="3",
        digest="d",
        gate=gate,
        manifest=lambda: SimpleNamespace(image=IMAGE, feature_code=code),
    )
    hook = SimpleNamespace(get_conn=lambda: "client", version_url=lambda *words: "/".join(words))
    catalog = SimpleNamespace(table_exists=lambda name: True)
    monkeypatch.setattr(
        "flightline.hooks.lake.LakeHook", lambda: SimpleNamespace(lake=SimpleNamespace(catalog=lambda: catalog))
    )
    monkeypatch.setattr("flightline.hooks.mlflow.MlflowHook", lambda: hook)
    monkeypatch.setattr("include.stages.registry.champion", lambda *_: found if champion else None)
    monkeypatch.setattr("include.stages.registry.get", lambda *_: found)
    monkeypatch.setattr("include.foundation.evidence.code.feature_code", lambda _: HERE)
    monkeypatch.setattr("include.foundation.lake.tables.current_snapshot_id", lambda *_: 42)

    def pending(*_, version, digest, snapshot_id, start, end):
        assert (version, digest, snapshot_id) == ("3", "d", 42)
        assert (start, end) == (D[0], date(2013, 1, 31))
        if days is None:
            raise MissingInput("gold has no rows")
        return days

    monkeypatch.setattr("include.stages.scoring.pending.pending", pending)
    required = []
    monkeypatch.setattr("flightline.own_code.require", lambda *asked: required.append(asked))
    ti, params = Ti(), {"version": version, "start_date": None, "end_date": None}
    run = SimpleNamespace(run_type=run_type)
    chosen = score.choose.function(SPEC.name, params, "2013-01", dag_run=run, ti=ti)
    return chosen, ti.pushed, required


@pytest.mark.parametrize("version", [None, "3"])
def test_the_champion_or_the_form_s_version_scores_in_today_s_image_if_the_code_is_its_own(monkeypatch, version):
    chosen, kept, required = choose(monkeypatch, version=version)
    assert chosen == {
        **{"version": "3", "digest": "d", "image": "", "snapshot": "42", "scores": "42"},
        **{"start": "2013-01-01", "end": "2013-01-31"},
    }
    assert kept == {"mlflow_version": f"{SPEC.name}/3"}
    assert not required


def test_a_version_of_other_code_scores_in_its_own_image_which_must_hold_that_code(monkeypatch):
    chosen, _, required = choose(monkeypatch, code="0" * 64)
    assert chosen["image"] == IMAGE
    assert required == [(SPEC.name, {"image": IMAGE, "feature_code": "0" * 64})]
    assert choose(monkeypatch, code=None)[0]["image"] == "", "a first layout's manifest does not say whose code"


@pytest.mark.parametrize(
    ("known", "says"),
    [({"champion": False}, "there is no champion to score with"), ({"days": None}, "gold has no rows")],
)
def test_a_run_of_its_own_that_has_nothing_to_do_says_so_and_one_by_hand_fails(monkeypatch, known, says):
    chosen, kept, _ = choose(monkeypatch, **known)
    assert chosen is False
    assert says in kept["note"]
    with pytest.raises(AirflowFailException, match=says):
        choose(monkeypatch, run_type="manual", **known)


@pytest.mark.parametrize("run_type", ["asset_triggered", "manual"])
def test_what_is_up_to_date_is_not_scored_again(monkeypatch, run_type):
    chosen, kept, _ = choose(monkeypatch, run_type=run_type, days=[])
    assert chosen is False
    assert kept["note"] == "scores of 2013-01-01 to 2013-01-31 by version 3 were up to date"


@pytest.mark.parametrize("gate", ["failed", "judging", None])
def test_only_a_version_that_passed_scores(monkeypatch, gate):
    with pytest.raises(AirflowFailException, match=f"gate={gate}"):
        choose(monkeypatch, version="3", gate=gate)


def test_the_months_are_announced_with_their_rows():
    events, ti = defaultdict(lambda: SimpleNamespace(added=None, extra=None)), Ti()
    event = events[assets.scores(SPEC)]
    event.add_partitions = lambda keys: setattr(event, "added", keys)
    scored = {"version": "3", "start": "2013-01-30", "end": "2013-02-02", "days": 1, "rows": 900, "total": 3600}
    score.announce.function(SPEC.name, scored, outlet_events=events, ti=ti)
    assert event.added == ["2013-01", "2013-02"]
    assert event.extra == {"days": "2013-01-30 to 2013-02-02", "rows": 3600, "version": "3"}
    assert ti.pushed["note"] == "scores of 2013-01-30 to 2013-02-02 by version 3: 3,600 rows, 900 of them scored now"
