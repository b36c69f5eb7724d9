"""The flights of 2013, and drifts with known truth, lived again under one retraining strategy or another.

    python -m sandbox.demo.replay [--only flights|drifts]

The code is the monitor's own (`include/stages/monitoring`), without Airflow. Flights: real rows, real features, the
tuned model of the demo with fixed parameters, trained on 90 days. Drifts: four columns and a label whose dependence on
them changes suddenly, over a quarter, or for a season and back, or not at all; seeded.
"""

import argparse
import io
import sys
from collections.abc import Callable, Iterator, Sequence
from datetime import date, timedelta

import numpy as np
import polars as pl

from include.foundation.lake.layout import DAY
from include.foundation.problem import problem
from include.foundation.problem.protocol import Answers
from include.foundation.spec import load, module
from include.foundation.spec.monitoring import Monitoring
from include.models.linear.logistic import LogisticRegression
from include.stages.features.gold import join_history, to_gold
from include.stages.monitoring.replay import ByPolicy, Every, OnSignal, Outcome, Past, Strategy, replay
from include.stages.quality import Contract, judge
from sandbox.demo.data.flight_delays import raw_files
from sandbox.demo.landing import USE_CASE

FIRST, LAST = date(2013, 1, 1), date(2013, 12, 30)
PARAMS = {"learning_rate": 0.08, "num_leaves": 31, "min_child_samples": 200, "colsample_bytree": 0.6, "reg_lambda": 4.0}
TRAINING_DAYS = 90
STRATEGIES: tuple[Strategy, ...] = (
    Every("never"),
    Every("weekly", 7),
    Every("monthly", 28),
    OnSignal("performance"),
    OnSignal("features"),
    OnSignal("answers"),
    ByPolicy(),
)
Series = Callable[[int], float]


def flights() -> Past:
    """What happened to the flights of 2013, from the raw files on.

    Raises:
        SandboxError: the package with the data is not installed.
    """
    spec = load(USE_CASE)
    gold = _gold()
    model = module(USE_CASE, "model")
    params = {**spec.training.fixed, **PARAMS, "num_threads": 1}

    def fit(rows: pl.DataFrame) -> Callable[[pl.DataFrame], Answers]:
        fitted = model.fit(rows, params, spec.training.seed)
        return lambda others: model.predict(fitted, others)

    return Past(
        rows=gold.filter(pl.col("label").is_not_null()).with_columns(pl.col("label").cast(pl.Int8)),
        features=[*module(USE_CASE, "features").FEATURES],
        fit=fit,
        kind=problem(spec.problem),
        metric=spec.training.metric,
        rules=spec.monitoring,
        start=date(2013, 4, 1),
        training_days=TRAINING_DAYS,
        seed=spec.training.seed,
    )


def _gold() -> pl.DataFrame:
    spec = load(USE_CASE)
    contracts, features = module(USE_CASE, "contract"), module(USE_CASE, "features")
    raw, silver = raw_files(), {}
    for source in spec.sources:
        rows = pl.read_csv(io.BytesIO(raw[source.name]), infer_schema=False)
        day = pl.lit(FIRST)
        if source.every != "snapshot":
            day = pl.date(*(pl.col(part).cast(pl.Int32) for part in ("year", "month", "day")))
        contract = Contract.of(getattr(contracts, source.contract))
        silver[source.name] = judge(contract, rows.with_columns(day.alias(DAY)), null_values=source.null_values).passed
    return to_gold(features, silver, join_history(features, silver, FIRST, LAST))


def drifting(change: Series, *, seed: int, rules: Monitoring) -> Past:
    """A year in which what the label depends on changes: `change` is the share of the new dependence on a day."""
    rng = np.random.default_rng(seed)
    days, rows = 365, 400
    x = rng.normal(size=(days, rows, 4))
    share = np.array([change(day) for day in range(days)])[:, None]
    logit = 1.5 * ((1 - share) * (x[..., 0] - x[..., 1]) + share * (x[..., 2] - x[..., 1]))
    label = rng.random((days, rows)) < 1 / (1 + np.exp(-logit))
    names = ("a", "b", "c", "d")
    frame = pl.DataFrame(
        {
            DAY: pl.date_range(FIRST, FIRST + timedelta(days=days - 1), eager=True).repeat_by(rows).explode(),
            **{name: x[..., place].ravel() for place, name in enumerate(names)},
            "label": label.ravel().astype(np.int8),
        }
    )
    family = LogisticRegression(features=dict.fromkeys(names, pl.Float64), baseline_by=())

    def fit(part: pl.DataFrame) -> Callable[[pl.DataFrame], Answers]:
        model = family.fit(part, {}, seed)
        return lambda others: family.predict(model, others)

    return Past(
        rows=frame, features=names, fit=fit, kind=problem("binary"), metric="auc", rules=rules,
        start=date(2013, 4, 1), training_days=TRAINING_DAYS, seed=seed,
    )  # fmt: skip


def months(start: date, last: date) -> list[tuple[date, date]]:
    """From `start` on, to the day before `last`."""
    found = [start]
    while (following := (found[-1].replace(day=1) + timedelta(days=32)).replace(day=1)) < last:
        found.append(following)
    return list(zip(found, [*found[1:], last], strict=True))


def table(title: str, outcomes: Sequence[Outcome], changed: date | None) -> str:
    """The outcomes, a line each."""
    delay = "first useful after" if changed else "first training after"
    lines = [title, f"  {'':16}{'mean':>7}{'regret':>8}{'trainings':>11}  {delay:20} by month"]
    for each in outcomes:
        since = changed or FIRST
        useful = [day for day in each.trained if day > since]
        after = f"{(useful[0] - since).days} days" if useful else "-"
        values = " ".join(f"{value:.3f}" for value in each.values)
        lines.append(f"  {each.name:16}{each.mean:7.4f}{each.regret:8.4f}{len(each.trained):11}  {after:20} {values}")
    return "\n".join(lines) + "\n"


DRIFTS: dict[str, tuple[Series, int | None]] = {
    "no drift": (lambda _: 0.0, None),
    "sudden, on day 150": (lambda day: float(day >= 150), 150),
    "gradual, day 150 to 240": (lambda day: min(max((day - 150) / 90, 0.0), 1.0), 150),
    "recurring, day 150 to 210": (lambda day: float(150 <= day < 210), 150),
}


def lived(past: Past) -> Iterator[Outcome]:
    """How each strategy did."""
    for strategy in STRATEGIES:
        sys.stderr.write(f"  {strategy.name} ...\n")
        yield replay(past, strategy, months(past.start, LAST))


def main(arguments: Sequence[str]) -> int:
    """Print a table for each series."""
    parser = argparse.ArgumentParser(prog="python -m sandbox.demo.replay", description=__doc__.partition("\n")[0])
    parser.add_argument("--only", choices=["flights", "drifts"])
    parser.add_argument("--seed", type=int, default=1, help="of the drifts")
    options = parser.parse_args(arguments)
    if options.only != "drifts":
        sys.stdout.write(table("flights of 2013, AUC", [*lived(flights())], None))
    if options.only != "flights":
        for name, (change, day) in DRIFTS.items():
            past = drifting(change, seed=options.seed, rules=load(USE_CASE).monitoring)
            changed = FIRST + timedelta(days=day) if day else None
            sys.stdout.write(table(f"{name}, AUC (seed {options.seed})", [*lived(past)], changed))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
