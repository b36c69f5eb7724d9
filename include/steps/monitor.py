"""Watch the champion: hold what came since its training against what was ordinary, and say whether to train again."""

import json
import logging
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from include.foundation.artifact import Scorer, score, store
from include.foundation.errors import InvalidInput, MissingInput
from include.foundation.evidence.code import digest
from include.foundation.lake import Lake, tables
from include.foundation.lake.chunks import chunks
from include.foundation.lake.layout import DAY
from include.foundation.problem.bootstrap import Interval, paired_gain
from include.foundation.problem.labels import short
from include.foundation.problem.logged import numbers
from include.foundation.problem.protocol import Answers
from include.foundation.spec import module
from include.stages.monitoring.answered import asked
from include.stages.monitoring.kept import Kept, Seen, Window, whole
from include.stages.monitoring.live import Live, live
from include.stages.monitoring.observation import observe
from include.stages.monitoring.policy import Decision, decide
from include.stages.monitoring.reference import Reference
from include.stages.monitoring.report import markdown
from include.stages.monitoring.skew import Skew, skew, together
from include.stages.registry import ModelVersion, champion, tag, trained
from include.stages.registry.versions import MONITORED
from include.stages.training.runs import Training
from include.stages.training.sampling import Sample
from include.stages.training.settings import Settings
from include.steps.fit import fitted_by

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from sigopt import Connection

logger = logging.getLogger(__name__)
TOLD = 13  # windows that a report tells of: a quarter of weeks


def monitor(
    use_case: str, *, client: "MlflowClient", connection: "Connection", lake: Lake, settings: Settings
) -> dict[str, Any]:
    """Look at the whole windows since the champion's training that are new or changed, keep what was seen, and decide.

    What was seen is kept in the lake's table `monitoring.<use case>`, in the champion's MLflow run (a metric a window,
    a report), and as a tag of the version.

    Args:
        use_case: name.
        client: MLflow.
        connection: the tuning service.
        lake: the lake.
        settings: threads and device of the challenger's fit.

    Returns:
        `champion`; of the newest window `start`, `end`, `metric`, `value`, `answers`, `drifted`, `signals` and
        `skew` (the greatest share of a feature; None where nothing was compared); `train`, `reason`; plain JSON.

    Raises:
        MissingInput: there is no champion, or no whole window has come since its training.
        InvalidInput: the champion was trained by other code than that of here, or its windows are too few to tell what
            is ordinary.
    """
    version = champion(client, use_case)
    if version is None:
        raise MissingInput(f"{use_case} has no champion to watch: promote a version first")
    training = Training(run_id=version.run_id, client=client, connection=connection, lake=lake, settings=settings)
    watch = Watch(training=training, champion=version)
    observations = [each.observation for each in watch.seen]
    newest = observations[-1]
    said = decide(
        training.spec.monitoring.retraining,
        observations,
        today=newest.end + timedelta(days=1),
        trained=[each.manifest().window.end + timedelta(days=1) for each in trained(client, use_case)],
        challenge=watch.challenge,
    )
    decision = replace(said, reason=f"{said.reason}; {newest.skew}") if newest.skew.shares else said
    _keep(watch, decision)
    return {
        "champion": version.version,
        "start": newest.start.isoformat(),
        "end": newest.end.isoformat(),
        "metric": training.spec.metric.name,
        "value": newest.value,
        "answers": newest.answers,
        "drifted": list(newest.drifted),
        "signals": list(newest.signals),
        "skew": newest.skew.greatest,
        "train": decision.train,
        "reason": decision.reason,
    }


class Watch:
    """The champion's rows and answers, from its training on; a window of them is in memory at a time."""

    def __init__(self, *, training: Training, champion: ModelVersion) -> None:
        self.training, self.champion = training, champion
        self.rules = training.spec.monitoring
        self.since = training.frozen.window.end + timedelta(days=1)

    @cached_property
    def reference(self) -> Reference:
        """What was ordinary in the champion's training window and on its holdout."""
        data, spec = self.training.data, self.training.spec

        def columns(names: Sequence[str]) -> pl.DataFrame:
            return pl.concat([data.fit.select(names), data.holdout.whole(names)])

        return Reference.of(
            columns,
            data.holdout.whole([DAY, "label"]),
            data.holdout.each(self.answers, self.features),
            features=self.features,
            kind=self.training.problem,
            metric=spec.metric.name,
            rules=self.rules,
        )

    @cached_property
    def kept(self) -> Kept:
        """What was seen earlier, by the same code and rules."""
        spec, version = self.training.spec, self.champion
        rules = spec.digest_of("monitoring", "problem", "training.metric", "promotion.stages")
        by = f"{version.version} {version.digest} {digest(__name__)} {rules}"
        return Kept.now(self.training.lake, spec, version=version.version, by=by)

    @cached_property
    def whole(self) -> list[Window]:
        """The windows since the training that are over. Raises MissingInput where there is none."""
        last = tables.days(self.training.lake, self.training.spec.gold)[-1]
        if found := whole(self.since, last, self.rules.window_days):
            return found
        raise MissingInput(
            f"{self.training.spec.gold} ends on {last}: since {self.since} there is no whole window of "
            f"{self.rules.window_days} days to look at"
        )

    @cached_property
    def judged(self) -> list[Window]:
        """Of these, those that are new or whose rows have changed since they were judged."""
        return self.kept.to_judge(self.whole)

    @cached_property
    def seen_now(self) -> list[Seen]:
        """What those show; a window without rows is none."""
        logger.info("windows: %d, of these to judge: %d", len(self.whole), len(self.judged))
        return [seen for window in self.judged if (seen := self._look(window))]

    @cached_property
    def seen(self) -> list[Seen]:
        """What is told of, oldest first: the newest windows, and those older ones that were judged now."""
        newest = self.whole[-max(TOLD, self.rules.retraining.windows) :]
        found = [*self.kept.read([each for each in newest if each not in self.judged]), *self.seen_now]
        if not found:
            raise MissingInput(f"{self.training.spec.gold} has no rows from {newest[0].start} to {newest[-1].end}")
        return sorted(found, key=lambda each: each.window)

    def _look(self, window: Window) -> Seen | None:
        rows = self._gold(window.start, window.end)
        if rows.is_empty():
            return None
        log = self._log(window.start, window.end)
        observed = observe(
            self.reference, rows, self.answered(rows, log), kind=self.training.problem, rules=self.rules
        ).model_copy(update={"skew": self.skew(rows, window.start, window.end)})
        return Seen(window, observed, self._live(log, observed.start, observed.end))

    def challenge(self) -> Interval:
        """What a model of the newest window, without its newest days, gains on these days over the champion.

        NaN, which is no gain, where no label of these days has matured, or none of a class of those before them.
        """
        spec, kind = self.training.spec, self.training.problem
        end = self.seen[-1].observation.end
        begin = max(end - timedelta(days=self.rules.compare_days - 1), self.since)
        judged = self._gold(begin, end).filter(pl.col("label").is_not_null())
        known = self._known(begin, judged)
        counts = kind.counts(known["label"].cast(pl.Float64).to_numpy(), self.training.data.classes)
        if judged.is_empty() or known.is_empty() or 0 in counts.values():
            return Interval(value=np.nan, low=np.nan, high=np.nan)
        part, parameters = fitted_by(spec, self.champion.manifest().parameters)
        model = part.fit(known, {**parameters, **self.training.settings.machine}, self._seed)
        return paired_gain(
            kind,
            spec.metric.name,
            judged["label"].cast(pl.Float64).to_numpy(),
            np.asarray(part.predict(model, judged), np.float64),
            self.answers(judged),
            resamples=spec.gates.resamples,
            confidence=self.rules.retraining.confidence,
            seed=self._seed,
            groups=judged[DAY].to_numpy(),
        )

    def _known(self, begin: date, judged: pl.DataFrame) -> pl.DataFrame:
        """Rows before `begin` whose label was known when `judged` begins; a sample where the spec says so."""
        spec, first = self.training.spec, judged["event_time"].min()
        start, end = begin - timedelta(days=spec.training.window_days), begin - timedelta(days=1)
        counts = tables.counts(self.training.lake, spec.gold, start=start, end=end)
        sample = Sample(spec.training.max_rows, self._seed)
        for days in [*chunks(sorted(counts), counts)] or [[start]]:
            known = pl.col("label").is_not_null() & (pl.col("label_known_at") < first)
            sample.add(self._gold(days[0], days[-1]).filter(known))
        return sample.rows()

    def answers(self, rows: pl.DataFrame) -> Answers:
        """The champion's answers for rows of gold, as its model file gives them."""
        return score(self.training.part, self._scorer, rows).astype(np.float64)

    def answered(self, rows: pl.DataFrame, log: pl.DataFrame | None) -> Answers:
        """What the champion really answered in production about rows of gold; where it was not asked, what it would."""
        answers = self.answers(rows)
        if log is None:
            return answers
        asked = log.filter(self._own, stage=self.training.spec.promotion.stages[-1].name)
        last = asked.sort("scored_at").unique("id", keep="last").select("id", "answer")
        there = rows.select("id").with_row_index("place").join(last, on="id")
        real = numbers(there["answer"], self.training.data.classes)
        if real is not None:
            answers[there["place"].to_numpy()] = real
        return answers

    def skew(self, rows: pl.DataFrame, begin: date, end: date) -> Skew:
        """How the features that the champion's answers were made of differ from those of a window's rows of gold."""
        spec, names = self.training.spec, ["id", "model_digest", "features"]
        parts = []
        for log in asked(self.training.lake, spec, begin, end, names):
            own = log.filter(self._own, pl.col("id").is_in(rows["id"].implode()))
            lake = own.select("id").join(rows.select("id", *self.features), on="id", how="left", maintain_order="left")
            logged = [json.loads(text) for text in own["features"]]
            parts.append(skew(logged, lake, part=self.training.part, metadata=self._scorer.metadata))
        return together(parts)

    def _log(self, begin: date, end: date) -> pl.DataFrame | None:
        """What versions really answered about some days, without what it was made of; None where nothing was logged."""
        names = ["asked_date", "id", "version", "model_digest", "stage", "scored_at", "answer", "label"]
        parts = [*asked(self.training.lake, self.training.spec, begin, end, names)]
        return pl.concat(parts) if parts else None

    def _live(self, log: pl.DataFrame | None, start: date, end: date) -> list[Live]:
        if log is None:
            return []
        kind, classes = self.training.problem, self.training.data.classes
        log = log.with_columns(kind.encode(log["label"], classes))
        metric = self.training.spec.metric.name
        return live(log, start=start, end=end, kind=kind, metric=metric, classes=classes)

    @cached_property
    def _own(self) -> pl.Expr:
        """Rows of the log that the champion answered and gold has."""
        return pl.col("id").is_not_null() & (pl.col("model_digest") == f"sha256:{self.champion.digest}")

    @cached_property
    def features(self) -> list[str]:
        """The model's columns."""
        return [*module(self.training.spec.name, "features").FEATURES]

    def _gold(self, start: date, end: date | None) -> pl.DataFrame:
        spec, kind, classes = self.training.spec, self.training.problem, self.training.data.classes
        columns = [*("id", DAY, "event_time", "label", "label_known_at"), *self.features]
        rows = tables.read(self.training.lake, spec.gold, start=start, end=end, columns=list(dict.fromkeys(columns)))
        labels = rows["label"].drop_nulls()
        kind.check_labels(rows["label"], rows["id"])
        if new := sorted({*kind.classes(labels)} - {*classes}):
            raise InvalidInput(
                f"{spec.gold} has labels that the champion does not know: {', '.join(map(short, new[:5]))}; train anew"
            )
        return rows.with_columns(kind.encode(rows["label"], classes)).sort("event_time", "id")

    @cached_property
    def _scorer(self) -> Scorer:
        lake = self.training.lake
        return store.scorer(lake.objects(), self.champion.file(lake.models), self.champion.digest)

    @property
    def _seed(self) -> int:
        return self.training.frozen.seed


def _keep(watch: Watch, decision: Decision) -> None:
    client, spec, version, reference = watch.training.client, watch.training.spec, watch.champion, watch.reference
    watch.kept.replace(watch.judged, watch.seen_now, reference, until=watch.whole[-1].end)
    seen = [each.observation for each in watch.seen]
    metrics = {
        f"monitoring.{reference.metric}": [each.value for each in seen],
        "monitoring.skew": [each.skew.greatest for each in seen],
    }
    for name, values in metrics.items():
        logged = {each.step: each.value for each in client.get_metric_history(version.run_id, name)}
        for number, value in zip((each.window.number for each in watch.seen), values, strict=True):
            if value is not None and value != logged.get(number):  # an older window may have changed
                client.log_metric(version.run_id, name, value, step=number)
    newest, lives = seen[-1], [each for one in watch.seen for each in one.lives]
    left_out = len(watch.whole) - len(seen)
    text = markdown(f"{spec.name} version {version.version}", reference, seen, decision, lives, left_out=left_out)
    client.log_text(version.run_id, text, f"monitoring/{newest.end}.md")
    tag(client, spec.name, version.version, {MONITORED: f"{newest.end}: {', '.join(newest.signals) or 'ordinary'}"})
