"""What is wrong with a use case's contract is said before a file is read."""

import pytest

from include.foundation.errors import InvalidInput
from include.foundation.evidence import code
from include.foundation.spec import load
from include.foundation.spec.quality import Daily, Levels, Quality
from include.stages.ingest.plan import Plan
from include.stages.ingest.publish import check, code_of

SPEC = load("flight_delays")
NO_FILES = Plan(use_case=SPEC.name, days=(), files={source.name: () for source in SPEC.sources})


def test_a_contract_that_is_not_there_is_told_from_those_that_are():
    sources = (SPEC.sources[0].model_copy(update={"contract": "Flight"}),)
    with pytest.raises(InvalidInput, match=r"contract.py has no 'Flight', .* it has .*'Flights', 'Weather', 'Planes'"):
        check(None, SPEC.model_copy(update={"sources": sources}), NO_FILES)


@pytest.mark.parametrize(
    ("source", "column", "said"),
    [
        (
            "flights",
            "destt",
            r"flights: 'destt': Flights has no such column; it has year, .*, tailnum, .*, event_date$",
        ),
        ("weather", "temp", "weather: 'temp' is Float64: values are compared of texts and whole numbers"),
        ("weather", "event_date", "weather: 'event_date' is Date: values are compared of"),
    ],
)
def test_a_column_whose_values_cannot_be_compared_is_told_by_file_and_name(source, column, said):
    daily = Daily(new_values={source: {"origin": Levels(warn=0, stop=1), column: Levels(warn=0, stop=1)}})
    spec = SPEC.model_copy(update={"quality": Quality(daily=daily)})
    with pytest.raises(InvalidInput, match=f"flight_delays/use_case.yaml: quality.daily.new_values.{said}"):
        check(None, spec, NO_FILES)


def test_a_module_that_the_contract_imports_makes_other_code(monkeypatch, tmp_path):
    found = set()
    for file in ("stages/ingest/judging.py", "stages/quality/__init__.py", "use_cases/rain/contract.py"):
        path = tmp_path / "include" / file
        path.parent.mkdir(parents=True)
        path.write_text("from include.use_cases.rain.limits import MOST\n")
    neighbour = tmp_path / "include" / "use_cases" / "rain" / "limits.py"
    monkeypatch.setattr(code, "ROOT", tmp_path)
    for limit in (150, 60):
        neighbour.write_text(f"MOST = {limit}\n")
        code.digest.cache_clear()
        found.add(code_of("rain"))
    code.digest.cache_clear()
    assert len(found) == 2
