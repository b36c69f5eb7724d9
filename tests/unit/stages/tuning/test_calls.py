import pytest
from sigopt.exception import ApiException, ConnectionException

from include.foundation.errors import PermanentError, RetryableError, ServiceUnavailable
from include.stages.tuning import calls
from include.stages.tuning.calls import RefusedError, patiently


@pytest.fixture(autouse=True)
def slept(monkeypatch):
    """The pauses, which take no time: a clock of their own goes on by them."""
    pauses = []
    monkeypatch.setattr(calls.time, "sleep", pauses.append)
    monkeypatch.setattr(calls.time, "monotonic", lambda: sum(pauses))
    return pauses


def answering(*answers):
    """A call that gives one answer after the other."""
    left = iter(answers)

    def call():
        answer = next(left)
        if isinstance(answer, Exception):
            raise answer
        return answer

    return call


def refused(status):
    return ApiException({"message": "so it is"}, status)


@pytest.mark.parametrize("fault", [ConnectionException("no route"), refused(502), refused(503)])
def test_a_service_that_restarts_is_waited_for(fault, slept):
    assert patiently(answering(fault, fault, "there")) == "there"
    assert len(slept) == 2


def test_pauses_grow_and_end_with_patience(slept):
    with pytest.raises(ServiceUnavailable, match=r"did not answer for 60 s: .*no route"):
        patiently(answering(*[ConnectionException("no route")] * 99), seconds=60)
    assert 5 < len(slept) < 40
    assert max(slept) <= 10
    assert sum(slept) <= 60


@pytest.mark.parametrize("status", [400, 404, 409, 425])
def test_a_refusal_is_final_and_says_why(status, slept):
    with pytest.raises(RefusedError, match=rf"refused \(HTTP {status}\): so it is") as told:
        patiently(answering(refused(status), "never asked"))
    assert told.value.status == status
    assert isinstance(told.value, PermanentError)
    assert slept == []


def test_a_fault_of_the_service_is_not_asked_for_again_by_itself(slept):
    with pytest.raises(ServiceUnavailable, match="has a fault") as told:
        patiently(answering(refused(500), "never asked"))
    assert isinstance(told.value, RetryableError)
    assert slept == []
