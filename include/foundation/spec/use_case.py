"""The spec of one use case, whole: `use_case.yaml` as frozen, validated objects. Thresholds are data, not code."""

import hashlib
import json
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag, model_validator

from include.foundation.echo import listing
from include.foundation.errors import InvalidInput
from include.foundation.problem.kinds import KINDS, Metric, kind
from include.foundation.spec.engine import Engine
from include.foundation.spec.export import Export
from include.foundation.spec.features import Features
from include.foundation.spec.gates import Gates
from include.foundation.spec.monitoring import Monitoring
from include.foundation.spec.part import Line, Name, Part, distinct
from include.foundation.spec.promotion import Promotion
from include.foundation.spec.quality import Quality
from include.foundation.spec.schedule import Schedule
from include.foundation.spec.serving import Serving
from include.foundation.spec.sources import Source
from include.foundation.spec.topics import Topic
from include.foundation.spec.training import Training


def _kind(said: Any) -> str:
    """The kind of a source; files where nothing is said."""
    return str(said.get("kind", "file") if isinstance(said, dict) else said.kind)


DASHBOARD_UID = 40  # characters, at most: Grafana's limit
PREDICTIONS = "predictions"  # the source that is derived
AnySource = Annotated[Annotated[Source, Tag("file")] | Annotated[Topic, Tag("topic")], Discriminator(_kind)]


class UseCase(Part):
    """The whole spec (`use_case.yaml`)."""

    name: Annotated[Name, Field(max_length=52, description="`<name>-v<version>` is a Service: 63 characters")]
    title: Line
    description: str
    owner: Line
    problem: str = Field("binary", json_schema_extra={"enum": list(KINDS)}, description="what a model answers")
    schedule: Schedule
    sources: tuple[AnySource, ...]
    engine: Engine = Engine()
    quality: Quality = Quality()
    features: Features = Features()
    training: Training
    export: Export = Export()
    gates: Gates
    serving: Serving = Serving()
    promotion: Promotion = Promotion()
    monitoring: Monitoring = Monitoring()

    @model_validator(mode="after")
    def _lands_daily(self) -> "UseCase":
        distinct("sources", [source.name for source in self.sources])
        if PREDICTIONS in (source.name for source in self.sources):
            raise ValueError(f"sources: {PREDICTIONS} is the prediction log; call yours another")
        if not any(source.every != "snapshot" for source in self.sources):
            raise ValueError("sources: at least one must land every day or hour; its days are the days of features")
        if self.engine.name == "spark" and (hourly := [each.name for each in self.files if each.every == "hour"]):
            raise ValueError(f"engine: spark reads whole days, and {hourly[0]} lands hourly: leave it to polars")
        return self

    @model_validator(mode="after")
    def _looks_for_new_values_where_days_are_compared(self) -> "UseCase":
        compared = [source.name for source in self.files if source.every != "snapshot"]
        if strange := sorted({*self.quality.daily.new_values} - {*compared}):
            raise ValueError(
                f"quality.daily.new_values: {listing(strange)}: days are compared of files that land every day or hour:"
                f" {listing(compared) or 'no source does'}"
            )
        return self

    @model_validator(mode="before")
    @classmethod
    def _judges_by_the_problems_first_metric(cls, said: Any) -> Any:
        """Without a metric of its own: written out, so that it is the same spec."""
        if not isinstance(said, dict) or not isinstance(said.get("training"), dict):
            return said
        found = KINDS.get(str(said.get("problem", cls.model_fields["problem"].default)))
        return {**said, "training": {"metric": found.metric().name if found else "", **said["training"]}}

    @model_validator(mode="before")
    @classmethod
    def _watches_windows_that_the_holdout_holds(cls, said: Any) -> Any:
        """Without a length of its own: a third of the holdout, a week at most, for three tell how windows differ."""
        if not isinstance(said, dict) or not isinstance(said.get("training"), dict):
            return said
        watch, holdout = said.get("monitoring", {}), said["training"].get("holdout_days")
        if not isinstance(watch, dict) or not isinstance(holdout, int):
            return said
        longest = Monitoring.model_fields["window_days"].default
        return {**said, "monitoring": {"window_days": min(longest, max(1, holdout // 3)), **watch}}

    @model_validator(mode="after")
    def _metric_is_one_of_the_problem(self) -> "UseCase":
        try:
            metric = self.metric
        except InvalidInput as error:
            raise ValueError(f"{'training.metric' if self.problem in KINDS else 'problem'}: {error}") from error
        margins = [self.gates.champion_margin, self.gates.baseline_margin, *(part.margin for part in self.gates.slices)]
        if not metric.low <= self.gates.floor <= metric.high or max(margins) > metric.high - metric.low:
            raise ValueError(
                f"gates: {metric.name} is from {metric.low:g} to {metric.high:g}; floor {self.gates.floor:g} or a "
                f"margin of {max(margins):g} is beyond"
            )
        if self.export.margin > metric.high - metric.low:
            raise ValueError(f"export: {metric.name} is from {metric.low:g} to {metric.high:g}; that margin is beyond")
        return self

    @property
    def metric(self) -> Metric:
        """What tuning optimizes and gates judge."""
        return kind(self.problem).metric(self.training.metric)

    @property
    def slug(self) -> str:
        """The name as Kubernetes, Argo CD and URLs want it."""
        return self.name.replace("_", "-")

    @property
    def digest(self) -> str:
        """SHA-256 of the canonical spec, hex."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()

    def digest_of(self, *names: str) -> str:
        """SHA-256 of what the spec says of some sections (`features`) or fields (`training.seed`), hex.

        The same meaning gives the same digest: however it is written, in whatever order it is named, and whether a
        default is written out or not.

        Raises:
            KeyError: the spec has no such section or field.
        """
        whole, said = self.model_dump(mode="json"), {}
        for name in names:
            value: Any = whole
            for key in name.split("."):
                if not isinstance(value, dict) or key not in value:
                    raise KeyError(f"a spec has no {name}")
                value = value[key]
            said[name] = value
        return hashlib.sha256(json.dumps(said, sort_keys=True, allow_nan=False).encode()).hexdigest()

    @property
    def files(self) -> tuple[Source, ...]:
        """The sources that land as files."""
        return tuple(source for source in self.sources if isinstance(source, Source))

    @property
    def topics(self) -> tuple[Topic, ...]:
        """The sources that are topics."""
        return tuple(source for source in self.sources if isinstance(source, Topic))

    @property
    def predictions(self) -> Topic | None:
        """The prediction log: a topic that serving writes and no spec names; None where nothing is logged.

        It is no source of the features, so it is not among `sources`.
        """
        if not self.serving.prediction_log:
            return None
        topic = f"{PREDICTIONS}.{self.name}"
        return Topic(
            name=PREDICTIONS,
            kind="topic",
            topic=topic,
            contract=PREDICTIONS,
            event_time="scored_at",
            nested="text",
            null_values=(),
        )

    @property
    def ingested(self) -> tuple[AnySource, ...]:
        """Whatever is ingested: the sources, and the prediction log."""
        return (*self.sources, *((self.predictions,) if self.predictions else ()))

    def source(self, name: str) -> Source:
        """The source of that name that lands as files. Raises KeyError if there is none."""
        return {source.name: source for source in self.files}[name]

    def application(self, stage: str) -> str:
        """Name of the Argo CD Application of a stage."""
        return f"{self.slug}-{stage.replace('_', '-')}"

    @property
    def dashboard(self) -> str:
        """The uid of the use case's dashboard in Grafana. A long one is cut, and ends with a digest of the whole."""
        uid = f"flightline-{self.slug}"
        mark = hashlib.sha256(uid.encode()).hexdigest()[:8]
        return uid if len(uid) <= DASHBOARD_UID else f"{uid[: DASHBOARD_UID - 9]}-{mark}"

    def table(self, layer: Literal["bronze", "silver", "quarantine"], source: str) -> str:
        """Iceberg identifier of a source's table in a layer."""
        return f"{layer}.{self.name}__{source}"

    @property
    def monitoring_table(self) -> str:
        """Iceberg identifier of what monitoring saw."""
        return f"monitoring.{self.name}"

    @property
    def live_table(self) -> str:
        """Iceberg identifier of how versions did on what they were asked."""
        return f"{self.monitoring_table}__live"

    @property
    def scores(self) -> str:
        """Iceberg identifier of what a version says of gold."""
        return f"scores.{self.name}"

    @property
    def predictions_table(self) -> str:
        """Iceberg identifier of the prediction log, joined with labels."""
        return f"predictions.{self.name}"

    @property
    def gold(self) -> str:
        """Iceberg identifier of the feature table."""
        return f"gold.{self.name}"
