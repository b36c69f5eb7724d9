"""Ask the champion's endpoint about the day after the last ingested one, and compare with what then happened.

The day's file has landed but is not ingested. Its movements are fed to the online table as a live feed would, each with
the moment from which it was known; an answer uses only what was known at the moment that is asked about, because that
is how the table is read. The outcome is looked at only after all answers are in.
"""

import time
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from datetime import time as clock
from typing import Any

import httpx
import numpy as np
import polars as pl

from include.foundation.history import table
from include.foundation.lake import Lake, tables
from include.foundation.problem import problem
from include.foundation.problem.protocol import Problem
from include.foundation.spec import UseCase, module
from include.stages.ingest import rows
from include.stages.ingest.plan import Plan
from include.stages.promotion import routing
from include.stages.quality import Contract, judge
from sandbox.demo.data import data
from sandbox.endpoints import Endpoints
from sandbox.supervisor.service import SandboxError

BATCH = 50
SHOWN = 6


@dataclass(frozen=True, kw_only=True)
class Answers:
    """What the endpoint answered about one day.

    Attributes:
        url: of the endpoint.
        day: the day.
        kind: of the use case.
        use_case: whose day it is.
        asked: a row a question: the requests' columns, `answer` (a number, or one for each class), and `label`, null
            where nobody ever knew it.
        classes: in the order of `answer`, where it has several.
        version: the version that answered.
        single_ms: milliseconds of single questions, sorted.
    """

    url: str
    day: date
    use_case: str
    kind: Problem
    asked: pl.DataFrame
    version: str
    single_ms: list[float]
    classes: tuple[str, ...] = ()

    def lines(self) -> list[str]:
        """For people: how good, how fast, and a few answers."""
        known, raw, metric = self.asked.drop_nulls("label"), data(self.use_case), self.kind.kind.metric().name
        labels = self.kind.encode(known["label"], self.classes).to_numpy().astype(np.float64)
        answers = np.array(known["answer"].to_list(), np.float64)
        quality = self.kind.measure(metric, labels, answers)(None)
        some = known if self.classes else known.sort("answer", descending=True)
        some = some.gather_every(max(1, known.height // SHOWN)).head(SHOWN)
        return [
            f"{self.day}: asked version {self.version} about {self.asked.height} {raw.ASKS}; "
            f"of {known.height} the label came, {metric} {quality:.4f}",
            f"  (one day is one day: its {metric} may lie far from holdout_{metric}, which is over many)",
            f"  one row a question: median {self.single_ms[len(self.single_ms) // 2]:.1f} ms, "
            f"slowest of {len(self.single_ms)} {self.single_ms[-1]:.1f} ms",
            *(f"  {raw.told(row)}" for row in some.iter_rows(named=True)),
        ]


def ask(at: Endpoints, spec: UseCase, day: date) -> Answers:
    """Feed the day's movements to the online table, then ask each of its questions.

    Raises:
        MissingInput: the day's files have not landed.
        SandboxError: the day or a later one is ingested; to feed it would take the later days' history away.
        httpx.HTTPError: the endpoint does not answer.
    """
    lake, features = Lake.from_env(at.trainer_env), module(spec.name, "features")
    kind = problem(spec.problem)
    silver = _silver(lake, spec, day)
    begin = datetime.combine(day, clock(), UTC)
    for name, frame in features.history(silver).items():
        table.publish(
            at.dsn("online"), use_case=spec.name, name=name, view=features.VIEWS[name], frame=frame, start=begin
        )
    requests = features.requests(silver).filter(pl.col("event_date") == day).sort("event_time", "id")
    records = to_records(spec, requests)
    url = endpoint(at, spec)
    with httpx.Client(base_url=f"{url}/v1/models/{spec.name}", timeout=30) as http:
        answers = [
            answer
            for n in range(0, len(records), BATCH)
            for answer in http.post("/predict", json={"records": records[n : n + BATCH]}).raise_for_status().json()
        ]
        single_ms = sorted(_milliseconds(http, record) for record in records[:BATCH])
    classes = tuple(answers[0]["probabilities"]) if kind.kind.output.per_class else ()
    # A single number, or one for each class: what is no such answer raises.
    numbers = [[*kind.numbers(answer).values()] for answer in answers]
    told = pl.Series(numbers if classes else [each for (each,) in numbers])
    asked = requests.with_columns(answer=told).join(
        features.labels(silver).select("id", "label"), on="id", how="left", maintain_order="left"
    )
    return Answers(
        url=url,
        day=day,
        use_case=spec.name,
        kind=kind,
        asked=asked,
        version=answers[0]["model"]["version"],
        single_ms=single_ms,
        classes=classes,
    )


def next_day(lake: Lake, spec: UseCase) -> date:
    """The first day that is not ingested yet."""
    present = tables.days(lake, spec.table("silver", spec.sources[0].name))
    return present[-1] + timedelta(days=1) if present else spec.schedule.start


def to_records(spec: UseCase, requests: pl.DataFrame) -> list[dict[str, Any]]:
    """Rows of `features.requests` as the endpoint takes them, [n]."""
    asked = module(spec.name, "features").Request
    rows = requests.select(list(asked.model_fields)).to_dicts()
    return [asked.model_validate(row).model_dump(mode="json") for row in rows]


def endpoint(at: Endpoints, spec: UseCase) -> str:
    """The last stage's endpoint."""
    stage = spec.promotion.stages[-1]
    return f"{at.url('gateway')}{routing.of(stage).path(spec, stage)}"


def _milliseconds(http: httpx.Client, record: dict[str, Any]) -> float:
    start = time.monotonic()
    http.post("/predict", json={"records": [record]}).raise_for_status()
    return (time.monotonic() - start) * 1000


def _silver(lake: Lake, spec: UseCase, day: date) -> dict[str, pl.DataFrame]:
    """Silver of the days before, as ingested, and of the day itself, judged but not published."""
    from include.stages.features.silver import Silver

    ingested = Silver.current(lake, spec)
    if ingested.days and ingested.days[-1] >= day:
        raise SandboxError(f"{spec.name} is ingested up to {ingested.days[-1]}; ask about a later day than {day}")
    before = ingested.read(day, day - timedelta(days=1))
    plan = Plan.of(lake, spec, [day])
    frames = {**before}
    for source in spec.files:
        contract = Contract.of(getattr(module(spec.name, "contract"), source.contract))
        parts = [
            judge(contract, frame, null_values=source.null_values).passed
            for frame in rows.landed(lake, source, plan.files[source.name], contract.landed)
        ]
        frames[source.name] = pl.concat([before[source.name], *parts], how="diagonal")
    return frames
