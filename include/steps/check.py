"""Check a use case without Airflow, in seconds: its spec, its modules, and all of it on a few landed files.

What is checked is the code that the Dags run: contract and budget on landed rows, features and leak check, a fit and
its export. Nothing is read from or written to a lake.
"""

from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from include.foundation.artifact import Metadata, open_model
from include.foundation.artifact.writer import seal
from include.foundation.echo import listing
from include.foundation.errors import InvalidInput, MissingInput
from include.foundation.problem import problem
from include.foundation.spec import FeaturesModule, UseCase, blame, load, module
from include.foundation.spec.sources import Source
from include.foundation.spec.training import Parameter
from include.stages.features import leak
from include.stages.features.gold import join_history, to_gold
from include.stages.ingest import rows
from include.stages.ingest.contracts import contract_of
from include.stages.ingest.formats import Columns
from include.stages.ingest.judging import judge_all
from include.stages.ingest.landing import File
from include.stages.ingest.tally import Tally
from include.stages.quality import Contract
from include.stages.training.fitting import TOLERANCE, ExportDiffersError

ROWS = 400  # that a model is fitted on where there are no landed files


def check(name: str, landed: Path | None = None) -> Iterator[str]:
    """Check a use case step by step; each step that is sound is one line.

    Args:
        name: the use case.
        landed: a folder with `<source>/<day>.csv`, named as they land (of a topic `<day>.jsonl`, a message a line);
            None leaves rows, features and leaks out.

    Raises:
        PermanentError: the first thing that is wrong, by file and field or function.
        MissingInput: `landed` has no file of a source.
    """
    spec = load(name)
    yield f"use_case.yaml: {len(spec.sources)} sources, {spec.problem}, {spec.metric.name}"
    contracts = {source.name: contract_of(spec, source.contract) for source in spec.sources}
    landing = {each.name: each if isinstance(each, Source) else each.as_lines() for each in spec.sources}
    columns = {name: Columns.of(landing[name], contract.landed) for name, contract in contracts.items()}
    yield f"contract.py: {', '.join(f'{c.name} ({len(c.columns)} columns)' for c in contracts.values())}"
    features, model = module(name, "features"), module(name, "model")
    _agree(spec, features, model)
    yield f"features.py: {len(features.VIEWS)} views, {len(features.FEATURES)} features"
    train, rows_are = _made_up(spec, features), "made-up rows"
    if landed:
        silver: dict[str, pl.DataFrame] = {}
        for source, contract in contracts.items():
            tally, silver[source] = _judged(spec, landing[source], contract, columns[source], landed)
            counts = f"{source}: {tally.landed:,} rows landed, {tally.quarantined:,} quarantined"
            yield counts + _without_values(silver[source])
        gold = _gold(spec, features, silver)
        labelled = gold.drop_nulls("label")
        yield f"gold: {gold.height:,} rows, {labelled.height:,} with a label, no leak"
        if labelled["label"].n_unique() > 1:
            train, rows_are = labelled, "rows"
        else:
            rows_are += (
                f", as these have {labelled['label'].n_unique()} different labels: see labels(), or land more days"
            )
    with blame(model):
        deviation = _fit(spec, model, train)
    yield f"model.py: fitted on {train.height:,} {rows_are}, its export differs by {deviation:.1e}"


def _agree(spec: UseCase, features: FeaturesModule, model: Any) -> None:
    """See that the modules and the spec speak of the same columns. Raises InvalidInput if they do not."""
    if dict(model.FEATURES) != dict(features.FEATURES):
        raise InvalidInput(f"{spec.name}/model.py: its FEATURES are not those of features.py: import them from there")
    known = {*features.FEATURES, *features.Request.model_fields}
    if strange := [part.by for part in spec.gates.slices if part.by not in known]:
        raise InvalidInput(f"{spec.name}: gates.slices: {', '.join(strange)}: neither a feature nor a field of Request")
    if not (features.Request.model_config.get("json_schema_extra") or {}):
        raise InvalidInput(f"{spec.name}/features.py: Request needs an example (json_schema_extra), shown to callers")


def _judged(
    spec: UseCase, source: Source, contract: Contract, columns: Columns, landed: Path
) -> tuple[Tally, pl.DataFrame]:
    """Count of a source's landed rows, and those that pass."""
    files = sorted((landed / source.name).glob(f"*{source.suffix}"))
    if not files:
        raise MissingInput(f"no *{source.suffix} in {landed / source.name}: put a day's file there, named as it lands")
    tally, passed = Tally(source.name), list[pl.DataFrame]()

    def begin() -> None:
        tally.clear()
        passed.clear()

    def take(_: pl.DataFrame, verdict: Any) -> None:
        tally.add(verdict)
        passed.append(verdict.passed)

    def read() -> Iterator[pl.DataFrame]:
        for file in files:
            yield from rows.parsed(iter([file.read_bytes()]), source, _file(file), columns)

    judge_all(contract, source, read, begin=begin, take=take)
    tally.enforce(spec.quality.quarantine_budget)
    return tally, pl.concat(passed)


def _without_values(passed: pl.DataFrame) -> str:
    """What is said of columns that no row has a value of; a misspelt name of an optional key looks like that."""
    empty = [column.name for column in passed if passed.height and column.null_count() == passed.height]
    return f"; no row has a value of {listing(empty)}: does it land under that name?" if empty else ""


def _file(path: Path) -> File:
    try:
        day = date.fromisoformat(path.name[:10])
    except ValueError as error:
        raise InvalidInput(f"{path}: its name must begin with its day, such as 2013-01-31") from error
    return File(day=day, uri=str(path), size=path.stat().st_size, etag="", landed_at=datetime.now(UTC))


def _gold(spec: UseCase, features: FeaturesModule, silver: Mapping[str, pl.DataFrame]) -> pl.DataFrame:
    days = [day for source in spec.sources if source.every != "snapshot" for day in silver[source.name]["event_date"]]
    with blame(features):
        joined = join_history(features, silver, min(days), max(days))
        gold = to_gold(features, silver, joined)
        leak.check(features, spec, silver=silver, joined=joined, gold=gold)
    problem(spec.problem).check_labels(gold["label"], gold["id"])
    return gold


def _made_up(spec: UseCase, features: FeaturesModule) -> pl.DataFrame:
    """Rows of all features with values of their types, and labels."""
    places = pl.int_range(ROWS, eager=True)
    values = {
        name: ("v" + (places % 5).cast(pl.String)) if dtype == pl.String else (places % 7).cast(dtype)
        for name, dtype in features.FEATURES.items()
    }
    return pl.DataFrame(values).with_columns(label=places % (3 if spec.problem == "multiclass" else 2))


def _fit(spec: UseCase, model: Any, train: pl.DataFrame) -> float:
    """Fit with the spec's parameters, export, and compare the answers; the baseline must answer too."""
    kind = problem(spec.problem)
    classes = kind.classes(train["label"])
    train = train.with_columns(label=kind.encode(train["label"], classes))
    params = {**spec.training.fixed, **{each.name: _least(each) for each in spec.training.parameters}}
    fitted = model.fit(train, {**params, "num_threads": 1, "device": "cpu"}, spec.training.seed, train)
    metadata = Metadata(
        use_case=spec.name,
        features=tuple(fitted.features),
        categories=fitted.categories,
        created_from={},
        problem=spec.problem,
        classes=classes,
    )
    scorer = open_model(seal(model.export(fitted), metadata))
    answers, reference = scorer.score(model.encode(train, fitted.categories)), model.predict(fitted, train)
    for values in (reference, model.baseline(train, train)):
        kind.check_answers(values, rows=train.height, classes=classes)
    deviation = float(np.abs(answers - reference).max()) / kind.scale(reference)
    if not deviation <= TOLERANCE:
        raise ExportDiffersError(f"export and fitted model differ by {deviation:.2e}, allowed {TOLERANCE}")
    return deviation


def _least(parameter: Parameter) -> Any:
    if parameter.categorical_values:
        return parameter.categorical_values[0]
    least = (parameter.bounds or {})["min"]
    return int(least) if parameter.type == "int" else least
