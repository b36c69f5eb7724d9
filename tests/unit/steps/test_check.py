"""`check` runs a use case's own code on a landed file, and names the first thing that is wrong."""

import random
import re
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

import include.use_cases
from include.foundation.errors import BudgetExceeded, InvalidInput, LeakFound, MissingInput
from include.foundation.spec import loading, module
from include.steps import __main__ as command_line
from include.steps.check import check

GUIDE = (Path(__file__).parents[3] / "docs" / "add-a-use-case.md").read_text(encoding="utf-8")


@pytest.fixture
def rain(tmp_path, monkeypatch):
    """The guide's use case and a landed day of it; call it to change a file of its."""
    folder = tmp_path / "rain"
    folder.mkdir()
    for name, text in re.findall(r"```\w+ (\S+)\n(.*?)```", GUIDE, re.DOTALL):
        (folder / name).write_text(text, encoding="utf-8")
    (folder / "__init__.py").write_text('"""Rain."""\n', encoding="utf-8")
    monkeypatch.setattr(include.use_cases, "__path__", [*include.use_cases.__path__, str(tmp_path)])
    monkeypatch.setattr("include.steps.check.load", lambda name: loading.load.__wrapped__(name, tmp_path))

    def change(name, old, new):
        text = (folder / name).read_text(encoding="utf-8")
        assert old in text
        (folder / name).write_text(text.replace(old, new), encoding="utf-8")

    for name in [name for name in sys.modules if name.startswith("include.use_cases.rain")]:
        monkeypatch.delitem(sys.modules, name)
    yield change
    for name in [name for name in sys.modules if name.startswith("include.use_cases.rain")]:
        del sys.modules[name]


@pytest.fixture
def landed(rain, tmp_path):
    """A folder with one landed day, as the guide's contract wants it."""
    columns = [name for name in module("rain", "contract").Weather.to_schema().columns if name != "event_date"]
    for name in [name for name in sys.modules if name.startswith("include.use_cases.rain")]:
        del sys.modules[name]
    weather, lines = random.Random(0), [",".join(columns)]
    for hour in range(24):
        at = datetime(2013, 1, 1, hour, tzinfo=UTC)
        for origin in ("EWR", "JFK", "LGA"):
            measured = (40, 30, weather.randint(20, 99), 180, 5, "NA", weather.choice((0, 0, 0.1)), 1000, 10)
            lines.append(",".join(map(str, (origin, 2013, 1, 1, hour, *measured, f"{at:%Y-%m-%dT%H:%M:%SZ}"))))
    (tmp_path / "landed" / "weather").mkdir(parents=True)
    (tmp_path / "landed" / "weather" / "2013-01-01.csv").write_text("\n".join([*lines, ""]))
    return tmp_path / "landed"


def test_the_guide_s_use_case_is_sound(landed):
    told = [*check("rain", landed)]
    assert told[:-1] == [
        "use_case.yaml: 1 sources, binary, auc",
        "contract.py: Weather (16 columns)",
        "features.py: 1 views, 7 features",
        "weather: 72 rows landed, 0 quarantined; no row has a value of wind_gust: does it land under that name?",
        "gold: 72 rows, 63 with a label, no leak",
    ]
    assert told[-1].startswith("model.py: fitted on 63 rows, its export differs by ")


def test_without_landed_files_everything_but_the_rows_is_checked(rain):
    assert [*check("rain")][-1].startswith("model.py: fitted on 400 made-up rows,")


def test_a_model_that_no_labelled_row_was_tried_on_says_so(landed, rain):
    rain("features.py", 'whole = pl.col("hours") == 3', 'whole = pl.col("hours") == 4')
    gold, model = [*check("rain", landed)][-2:]
    assert gold == "gold: 72 rows, 0 with a label, no leak"
    assert "fitted on 400 made-up rows, as these have 0 different labels: see labels(), or land more days" in model


@pytest.mark.parametrize(
    ("file", "old", "new", "error", "said"),
    [
        ("use_case.yaml", "2013-12-30", "2013-13-30", InvalidInput, r"rain/use_case.yaml: schedule.end: '2013-13-30'"),
        ("use_case.yaml", "num_leaves", "num_leafs", InvalidInput, r"no parameter num_leafs \(did you mean num_leaves"),
        (
            "use_case.yaml",
            "n_estimators: 100",
            "linear_tree: true",
            InvalidInput,
            "linear_tree=True cannot be exported",
        ),
        ("use_case.yaml", "contract: Weather", "contract: Wheather", InvalidInput, "contract.py has no 'Wheather'"),
        (
            "use_case.yaml",
            "contract: Weather}",
            "contract: Weather, columns: {Temp: tmp}}",
            InvalidInput,
            "source weather: `columns` names tmp, which the contract does not have",
        ),
        ("model.py", '"raining")', '"rains")', InvalidInput, "the baseline is by rains, which is no feature"),
        (
            "model.py",
            "features=FEATURES",
            'problem="regression", features=FEATURES',
            InvalidInput,
            "it answers a regression problem; say problem='binary' in model.py, as in the spec",
        ),
        (
            "use_case.yaml",
            "gates:",
            "quality: {daily: {new_values: {weather: {city: {warn: 0, stop: 1}}}}}\ngates:",
            InvalidInput,
            r"rain/use_case.yaml: quality.daily.new_values.weather: 'city': Weather has no such column; it has origin,",
        ),
        (
            "use_case.yaml",
            "  floor: 0.7",
            "  slices: [{by: city, margin: 0}]\n  floor: 0.7",
            InvalidInput,
            "slices: city",
        ),
        (
            "contract.py",
            "import polars",
            "import polarize",
            InvalidInput,
            r"rain/contract.py, line \d+: ModuleNotFound",
        ),
        (
            "contract.py",
            "class Weather(pa.DataFrameModel)",
            "class Weather",
            InvalidInput,
            "Weather must be a class of",
        ),
        ("contract.py", '["EWR", "JFK", "LGA"]', '("EWR",)', InvalidInput, "column 'origin': isin of one text is read"),
        ("contract.py", "    visib: float\n", "    visibility: float\n", InvalidInput, "visib"),
        ("contract.py", '"max_value": 12}', '"max_value": 0.01}', BudgetExceeded, "weather: .* fail the contract"),
        (
            "features.py",
            "def mask(silver",
            "def masked(silver",
            InvalidInput,
            r"it needs a function mask\(silver, at\)",
        ),
        ("features.py", 'pl.col("time_hour").diff()', 'pl.col("hour_of").diff()', InvalidInput, "ColumnNotFoundError"),
        ("features.py", "= 3\n", "= 1 / 0\n", InvalidInput, r"rain/features.py, line \d+, in labels\(\): ZeroDivision"),
        ("features.py", 'known_at="time_hour"', 'known_at=pl.col("time_hour").min()', InvalidInput, "view observation"),
        ("features.py", 'pl.col("time_hour") <= at', "pl.lit(True)", LeakFound, "shows .* labels of later"),
        ("model.py", "encode, fit, predict", "encode, fitted, predict", InvalidInput, "it needs a function fit"),
    ],
)
def test_a_mistake_is_named(landed, rain, file, old, new, error, said):
    rain(file, old, new)
    with pytest.raises(error, match=said):
        [*check("rain", landed)]


def test_a_missing_file_and_an_odd_name_are_told(rain, landed):
    (landed / "weather" / "2013-01-01.csv").rename(landed / "weather" / "first.csv")
    with pytest.raises(InvalidInput, match=r"first.csv: its name must begin with its day"):
        [*check("rain", landed)]
    (landed / "weather" / "first.csv").unlink()
    with pytest.raises(MissingInput, match=r"no \*.csv in .*weather: put a day's file there"):
        [*check("rain", landed)]


def test_the_command_says_what_it_checked_and_fails_with_a_line(rain, landed, capsys, caplog):
    assert command_line.main(["check", "rain", "--landed", str(landed)]) == 0
    assert capsys.readouterr().out.endswith("rain is sound\n")
    assert "gold: 72 rows" in caplog.text
    assert command_line.main(["check", "rainy"]) == command_line.PERMANENT
    assert "no use case 'rainy'" in capsys.readouterr().err
