"""What is wrong with a use case's contract is said before a file is read."""

import pytest

from include.errors import InvalidInput
from include.ingest.plan import Plan
from include.ingest.publish import check
from include.spec import load

SPEC = load("flight_delays")
NO_FILES = Plan(use_case=SPEC.name, days=(), files={source.name: () for source in SPEC.sources})


def test_a_contract_that_is_not_there_is_told_from_those_that_are():
    sources = (SPEC.sources[0].model_copy(update={"contract": "Flight"}),)
    with pytest.raises(InvalidInput, match=r"contract.py has no 'Flight', .* it has .*'Flights', 'Weather', 'Planes'"):
        check(None, SPEC.model_copy(update={"sources": sources}), NO_FILES)
