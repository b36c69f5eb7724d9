import numpy as np
import pytest

from include.foundation.spec.promotion import Criteria
from include.stages.promotion.agreement import ALL, Agreement
from include.stages.promotion.criteria import distance, judge
from include.stages.promotion.observation import Seen

CRITERIA = Criteria(min_requests=100)
MEMORY = 512 * 2**20
SOUND = {
    "requests": 200,
    "errors": 0,
    "rows": 200,
    "p99": 0.05,
    "scores": (50.0, 100.0, 50.0),
    "memory": 2e8,
    "restarts": 0,
}


def did(**changes):
    return Seen(**{**SOUND, "silent": 0, **changes})


def judged(stable=SOUND, **candidate):
    return judge(CRITERIA, stable=stable and did(**stable), candidate=did(**candidate), memory=MEMORY)


def test_the_same_is_not_worse():
    assert judged() == judge(CRITERIA, stable=did(), candidate=did(), memory=MEMORY)
    assert (judged().worse, judged().enough) == ((), True)


@pytest.mark.parametrize(
    ("candidate", "told"),
    [
        ({"errors": 3}, r"3 of 200 requests failed, allowed is a share of 0\.0100"),
        ({"rows": 210}, "10 of 210 answers are no numbers"),
        ({"p99": 0.2}, r"its p99 is 200\.0 ms, allowed are 100\.0 ms"),
        ({"scores": (0.0, 0.0, 200.0)}, r"distributed 0\.75 from the stable version's"),
        ({"restarts": 1, "requests": 0}, "its containers were restarted 1 times, allowed are 0"),
        ({"memory": 500 * 2**20, "requests": 0}, "a replica takes 500 MiB, allowed are 95% of 512 MiB"),
    ],
)
def test_each_way_to_be_worse_is_told(candidate, told):
    import re

    (found,) = judged(**candidate).worse
    assert re.search(told, found)


@pytest.mark.parametrize(
    "candidate",
    [{"errors": 2}, {"rows": 202}, {"p99": 0.099}, {"scores": (40.0, 100.0, 60.0)}, {"memory": 480 * 2**20}],
)
def test_a_little_is_allowed(candidate):
    assert judged(**candidate).worse == ()


def test_a_stable_version_that_fails_and_is_slow_allows_more():
    bad = SOUND | {"errors": 20, "p99": 0.3}
    assert judged(bad, errors=20, p99=0.5).worse == ()
    assert len(judged(bad, errors=30, p99=0.7).worse) == 2


@pytest.mark.parametrize(("stable", "candidate"), [(99, 200), (200, 99), (0, 0)])
def test_too_few_requests_are_not_enough_and_never_worse(stable, candidate):
    found = judged(SOUND | {"requests": stable}, requests=candidate, p99=9.0, rows=9, scores=(0.0, 0.0, 9.0))
    assert found.enough is False
    assert found.worse == ()


@pytest.mark.parametrize(("sent", "answered", "worse"), [(450, 3, True), (450, 226, False), (99, 0, False)])
def test_a_candidate_that_leaves_requests_unanswered_is_worse(sent, answered, worse):
    found = judge(CRITERIA, stable=did(requests=900), candidate=did(requests=answered), memory=MEMORY, sent=sent)
    assert found.worse == ((f"it answered {answered} of about {sent} requests that it was sent",) if worse else ())


def test_a_candidate_whose_replica_is_silent_does_not_pass_and_is_worse_in_the_end():
    silent = did(silent=1)
    known = {"candidate": silent, "memory": MEMORY}
    for stable in (did(), None):
        waiting = judge(CRITERIA, stable=stable, **known)
        assert (waiting.worse, waiting.enough) == ((), False), "it may be starting"
        assert judge(CRITERIA, stable=stable, **known, last=True).worse == (
            "1 of its replicas do not tell their metrics",
        )
    both = judge(CRITERIA, stable=silent, **known, last=True)
    assert (both.worse, both.enough) == ((), False), "the cluster's fault"
    stable = judge(CRITERIA, stable=silent, candidate=did(), memory=MEMORY, last=True)
    assert (stable.worse, stable.enough) == ((), True), "the others of it tell enough"


def test_a_silent_replica_does_not_hide_how_slow_the_others_are():
    (found,) = judged(silent=1, p99=0.2).worse
    assert found.startswith("its p99 is 200.0 ms")


def test_alone_the_candidate_is_held_against_what_is_absolute():
    found = judge(CRITERIA, stable=None, candidate=did(errors=3, p99=9.0), memory=MEMORY)
    assert found.enough
    assert len(found.worse) == 1
    assert "3 of 200" in found.worse[0]


def test_disagreement_in_one_slice_is_worse_though_over_all_it_is_not():
    agreement = Agreement(counts={ALL: 200, "carrier UA": 20}, differences={ALL: 0.05, "carrier UA": 0.5})
    found = judge(CRITERIA, stable=did(), candidate=did(), memory=MEMORY, agreement=agreement)
    assert found.worse == (
        "for carrier UA its answers differ from the stable version's by 0.500 on average, allowed are 0.100 (20 rows)",
    )


def test_chance_alone_is_not_a_difference():
    """Two samples of one distribution, 500 times, at the least size: no alarm; a shift of a half is one."""
    rng = np.random.default_rng(3)
    alarms = missed = 0
    for _ in range(500):
        one, two = (np.histogram(rng.beta(2, 5, 50), bins=20, range=(0, 1))[0].tolist() for _ in range(2))
        far, chance = distance(one, two)
        alarms += far > 0.2 + chance
        shifted = np.histogram(1 - rng.beta(2, 5, 300), bins=20, range=(0, 1))[0].tolist()
        far, chance = distance(np.histogram(rng.beta(2, 5, 300), bins=20, range=(0, 1))[0].tolist(), shifted)
        missed += far <= 0.2 + chance
    assert (alarms, missed) == (0, 0)


def test_distance_of_nothing():
    assert distance((), ()) == (0.0, 1.0)
    assert distance((0, 0), (1, 2)) == (0.0, 1.0)
    assert distance((1, 0), (0, 1))[0] == 1.0
