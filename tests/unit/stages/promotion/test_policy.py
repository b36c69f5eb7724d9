import pytest

from include.foundation.errors import GateFailed, InvalidInput
from include.stages.promotion import policy
from include.stages.promotion.policy import Candidate, Move, to_take_back
from include.stages.promotion.served import Served


def check(version="3", *, gate="passed", judged="2", person=False, champion="2", last=None, production="2", foreign=()):
    candidate = Candidate(name="rain", version=version, gate=gate, judged_against=judged, by_person=person)
    served = (Served(stage="staging", version="3"), Served(stage="production", version=production, foreign=foreign))
    policy.check(candidate, champion=champion, last_champion=last or champion, served=served)


def test_what_was_judged_against_todays_champion_may_go():
    check()
    check(judged="none", champion=None, production=None)
    check("2", judged="1")  # the champion itself: a run that is cleared


@pytest.mark.parametrize("gate", ["failed", "judging", None])
@pytest.mark.parametrize("person", [True, False])
def test_what_did_not_pass_may_not(gate, person):
    with pytest.raises(GateFailed, match=f"rain version 3 has gate={gate}: only a version that passed is promoted"):
        check(gate=gate, person=person)


@pytest.mark.parametrize(("judged", "words"), [("1", "champion 1"), ("none", "champion none"), (None, "an unknown")])
def test_another_champion_than_todays_is_no_comparison(judged, words):
    with pytest.raises(GateFailed, match=f"judged against {words}.* but the champion is 2 now"):
        check(judged=judged)
    check(judged=judged, person=True)


@pytest.mark.parametrize("person", [True, False])
def test_a_champion_that_is_gone_is_not_a_first_time(person):
    with pytest.raises(InvalidInput, match="but version 2 serves in production: promote version 2 to give it back"):
        check(judged="none", champion=None, production="2", person=person)
    with pytest.raises(InvalidInput, match="but version 1 had it: promote version 1 to give it back"):
        check(judged="none", champion=None, last="1", production=None, person=person)


def test_a_lost_champion_is_given_back_by_promoting_it():
    check("2", judged="1", champion=None, production="2", person=True)
    check("1", judged="none", champion=None, last="1", production=None, person=True)


def test_registry_and_git_must_agree_unless_a_person_decides():
    with pytest.raises(InvalidInput, match="the champion of rain is version 2, but production serves version 1"):
        check(production="1")
    check(production="1", person=True)


@pytest.mark.parametrize("person", [True, False])
def test_a_file_that_no_promotion_made_is_refused_by_name(person):
    with pytest.raises(InvalidInput, match=r"has rain/production/extra\.yaml, which no promotion put there"):
        check(foreign=("rain/production/extra.yaml",), person=person)
    with pytest.raises(InvalidInput, match="f0, f1, f2, f3, f4 and 995 more, which"):
        check(foreign=tuple(f"f{number}" for number in range(1000)))


STAGING = Move(application="rain-staging", commit="staging.commit", sync="staging.sync")
CANARY = Move(application="rain-production", commit="canary.commit", sync="canary.sync")
PRODUCTION = Move(application="rain-production", commit="production.commit", sync="production.sync")


@pytest.mark.parametrize("state", ["upstream_failed", "skipped", None])
def test_nothing_committed_is_nothing_to_take_back(state):
    assert to_take_back([STAGING, PRODUCTION], {"staging.commit": state, "production.commit": state}) is None


def test_a_commit_that_failed_is_taken_back_too():
    """Its push may have arrived. Only what was synced is synced again."""
    first = {"staging.commit": "failed", "staging.sync": "upstream_failed"}
    assert to_take_back([STAGING, PRODUCTION], first) == []
    done = {"staging.commit": "success", "staging.sync": "success"}
    second = done | {"production.commit": "failed", "production.sync": "upstream_failed"}
    assert to_take_back([STAGING, PRODUCTION], second) == ["rain-staging"]
    third = done | {"production.commit": "success", "production.sync": "failed"}
    assert to_take_back([STAGING, PRODUCTION], third) == ["rain-production", "rain-staging"]


def test_an_application_of_two_moves_is_synced_once():
    states = dict.fromkeys((id for move in (STAGING, CANARY, PRODUCTION) for id in (move.commit, move.sync)), "success")
    assert to_take_back([STAGING, CANARY, PRODUCTION], states) == ["rain-production", "rain-staging"]
