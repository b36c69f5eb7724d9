"""How much of the lake a watch reads, in a lake in a folder; that it sees right: tests/integration/test_training.py."""

from collections import Counter
from collections.abc import Sequence
from datetime import date, timedelta
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import polars as pl
import pytest

from include.foundation.lake import Lake, scan
from include.foundation.lake.commit import replace_days
from include.foundation.problem import problem
from include.foundation.problem.protocol import Answers
from include.foundation.spec import UseCase, load
from include.foundation.spec.monitoring import Monitoring
from include.foundation.spec.training import Challenger
from include.stages.monitoring.kept import Seen, Window
from include.stages.monitoring.live import Live
from include.stages.monitoring.observation import Observation
from include.stages.training.holdout import Holdout
from include.steps import fit, monitor
from include.steps.monitor import Watch

TRAINED = date(2024, 5, 10)
FIRST = TRAINED + timedelta(days=1)
ROWS = 20


@pytest.fixture
def spec() -> UseCase:
    return load("flight_delays").model_copy(update={"name": "shops", "monitoring": Monitoring(window_days=1)})


@pytest.fixture(autouse=True)
def model(monkeypatch: pytest.MonkeyPatch) -> None:
    """One feature, which is the answer."""
    features = ModuleType("features")
    features.FEATURES = {"x": pl.Float64}  # type: ignore[attr-defined]
    monkeypatch.setattr(monitor, "module", lambda *_: features)
    monkeypatch.setattr(Watch, "_scorer", SimpleNamespace(metadata=None))

    def answers(_: Watch, rows: pl.DataFrame) -> Answers:
        return rows["x"].to_numpy().copy()

    monkeypatch.setattr(Watch, "answers", answers)


def rows(days: Sequence[date], *, turned: bool = False) -> pl.DataFrame:
    """Rows of gold: labels follow the feature, mostly."""
    drawn = np.random.default_rng(0).random((len(days), ROWS))
    frame = pl.DataFrame({"event_date": np.repeat(days, ROWS).tolist(), "x": drawn.ravel()})
    number = pl.int_range(pl.len())
    return frame.with_columns(
        id=pl.format("{}-{}", "event_date", number),
        event_time=pl.col("event_date").cast(pl.Datetime("us", "UTC")),
        label=((pl.col("x") > 0.5) ^ (number % 5 == 0) ^ turned).cast(pl.Int8),
        label_known_at=pl.col("event_date").cast(pl.Datetime("us", "UTC")),
    )


def put(lake: Lake, spec: UseCase, days: Sequence[date], *, turned: bool = False) -> None:
    """Gold, and what was answered about it by another version on the same days."""
    gold = rows(days, turned=turned)
    replace_days(lake, spec.gold, gold, days, {})
    log = gold.select("id", "event_date", "label", asked_date="event_date", scored_at="event_time").with_columns(
        version=pl.lit("2"),
        model_digest=pl.lit("sha256:other"),
        stage=pl.lit("production"),
        features=pl.lit("{}"),
        answer=pl.concat_list(gold["x"]),
    )
    replace_days(lake, spec.predictions_table, log, days, {})


def watch(lake: Lake | None, spec: UseCase, *, version: str = "3") -> Watch:
    known = rows([TRAINED - timedelta(days=n) for n in range(6)])
    window = SimpleNamespace(end=TRAINED)
    training: Any = SimpleNamespace(
        lake=lake,
        spec=spec,
        problem=problem("binary"),
        part=None,
        frozen=SimpleNamespace(window=window, seed=0),
        data=SimpleNamespace(fit=known, holdout=Holdout.of(known), classes=()),
    )
    champion: Any = SimpleNamespace(version=version, digest="d")
    return Watch(training=training, champion=champion)


def days(number: int) -> list[date]:
    return [FIRST + timedelta(days=n) for n in range(number)]


def look(lake: Lake, spec: UseCase, **fields: Any) -> Watch:
    """As a run does."""
    found = watch(lake, spec, **fields)
    assert found.seen
    found.kept.replace(found.judged, found.seen_now, found.reference, until=found.whole[-1].end)
    return found


def test_a_window_is_judged_once_unless_its_rows_change(folder_lake: Lake, spec: UseCase) -> None:
    put(folder_lake, spec, days(4))
    first = look(folder_lake, spec)
    assert [each.start for each in first.judged] == days(4)
    again = look(folder_lake, spec)
    assert again.judged == []
    assert again.seen == first.seen

    put(folder_lake, spec, days(5)[4:])
    assert [each.start for each in look(folder_lake, spec).judged] == days(5)[3:]  # asked about the day beside, perhaps
    replace_days(folder_lake, spec.gold, rows(days(2)[1:], turned=True), days(2)[1:], {})
    changed = look(folder_lake, spec)
    assert [each.start for each in changed.judged] == days(2)[1:]
    assert [each.observation.signals for each in changed.seen] == [(), ("performance",), (), (), ()]
    assert look(folder_lake, spec).seen == changed.seen


def test_a_holdout_in_batches_makes_the_same_ordinary(spec: UseCase) -> None:
    whole, batched, asked = watch(None, spec), watch(None, spec), []
    rows = batched.training.data.fit

    def batches(columns: Sequence[str] | None) -> Any:
        asked.append(columns)
        return rows.iter_slices(7)

    batched.training.data.holdout = Holdout(batches)
    assert batched.reference == whole.reference
    assert sorted(asked) == [["event_date"], ["event_date", "label"], ["x"], ["x"]]


def test_another_version_or_rule_judges_for_itself(folder_lake: Lake, spec: UseCase) -> None:
    put(folder_lake, spec, days(4))
    look(folder_lake, spec)
    assert len(look(folder_lake, spec, version="4").judged) == 4
    other = spec.model_copy(update={"monitoring": Monitoring(window_days=2)})
    assert [(each.start, each.end) for each in look(folder_lake, other, version="4").judged] == [
        (days(4)[0], days(4)[1]),
        (days(4)[2], days(4)[3]),
    ]
    assert len(look(folder_lake, other, version="4").seen) == 2


def test_a_day_more_costs_the_same_after_ten_times_as_many(
    folder_lake: Lake, spec: UseCase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(monitor, "TOLD", 3)
    read: Counter[str] = Counter()
    real = scan._read

    def counted(table: Any, files: Sequence[Any], *more: Any) -> pl.DataFrame:
        frame = real(table, files, *more)
        read.update({f"{'.'.join(table.name())} files": len(files), f"{'.'.join(table.name())} rows": frame.height})
        return frame

    def cost(behind: int) -> tuple[dict[str, int], int]:
        """Of day n + 1, after n days that were looked at."""
        use_case = spec.model_copy(update={"name": f"shops_{behind}"})
        put(folder_lake, use_case, days(behind))
        earlier = watch(folder_lake, use_case)
        seen = [Seen(each, observation(each), [asked(each)]) for each in earlier.whole]
        earlier.kept.replace(earlier.whole, seen, earlier.reference, until=earlier.whole[-1].end)
        put(folder_lake, use_case, days(behind + 1)[behind:])
        read.clear()
        with monkeypatch.context() as patched:
            patched.setattr(scan, "_read", counted)
            found = look(folder_lake, use_case)
        return {name.replace(use_case.name, "-"): count for name, count in read.items()}, len(found.judged)

    short, long = cost(4), cost(40)
    assert short == long
    assert long[1] == 2
    assert long[0]["gold.- rows"] == 2 * ROWS


def observation(window: Window) -> Observation:
    return Observation(
        start=window.start, end=window.end, rows=ROWS, labelled=ROWS, value=0.7, drifted=(), answers=0.1, signals=()
    )


def asked(window: Window) -> Live:
    return Live(
        start=window.start, end=window.end, version="2", stage="production", rows=ROWS, labelled=ROWS, value=0.7
    )


class Part:
    """A model module that keeps what it was given."""

    def __init__(self) -> None:
        self.given: dict[str, Any] = {}

    def fit(self, known: pl.DataFrame, params: dict[str, Any], seed: int) -> None:
        self.given = params

    def predict(self, _: None, frame: pl.DataFrame) -> Answers:
        return frame["x"].to_numpy()


@pytest.mark.parametrize("winner", ["model", "deep"])
def test_a_challenger_is_fitted_by_the_module_that_fitted_the_champion_and_with_its_parameters(
    folder_lake: Lake, spec: UseCase, monkeypatch: pytest.MonkeyPatch, winner: str
) -> None:
    put(folder_lake, spec, [TRAINED - timedelta(days=n) for n in range(3)])
    put(folder_lake, spec, days(4))
    challengers = spec.training.model_copy(update={"models": (Challenger(name="deep"),)})
    one = challenged(folder_lake, spec.model_copy(update={"training": challengers}), {"model": winner, "rate": 1})
    parts = {"model": Part(), "deep": Part()}
    monkeypatch.setattr(fit, "module", lambda _, name: parts[name])
    assert np.isfinite(one.challenge().value)
    assert parts[winner].given == {"rate": 1, "num_threads": 1}
    assert not parts[{"model": "deep", "deep": "model"}[winner]].given


def test_a_challenger_that_never_saw_a_class_says_nothing(
    folder_lake: Lake, spec: UseCase, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(folder_lake, spec, days(4))
    gold = rows(days(4)).with_columns(label=pl.when(pl.col("event_date") < days(4)[2]).then(1).otherwise("label"))
    replace_days(folder_lake, spec.gold, gold.with_columns(pl.col("label").cast(pl.Int8)), days(4), {})
    part = Part()
    monkeypatch.setattr(fit, "module", lambda *_: part)
    one = challenged(folder_lake, spec.model_copy(update={"monitoring": Monitoring(window_days=1, compare_days=2)}), {})
    assert np.isnan(one.challenge().value)
    assert not part.given


def challenged(lake: Lake, spec: UseCase, parameters: dict[str, Any]) -> Watch:
    """A watch whose champion was fitted with these parameters."""
    one = watch(lake, spec)
    one.training.settings = SimpleNamespace(machine={"num_threads": 1})  # type: ignore[misc, assignment]
    one.champion.manifest = lambda: SimpleNamespace(parameters=parameters)  # type: ignore[method-assign, assignment, return-value]
    return one
