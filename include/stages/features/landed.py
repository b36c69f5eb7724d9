"""What rows see of days that landed late, where the spec asks for it (`features.late_hours`).

A fact says itself when it became known in the world. Of a file that lands days late nobody here knew it by then: the
rows of the days in between were answered without it. The order in which days landed tells these, at whatever speed
history is loaded: a row sees no day that landed later than the row's own day, by more than so many hours. A label of
such a day is known when the newest day that had landed before it is over.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from types import SimpleNamespace
from typing import cast

import polars as pl

from include.foundation.history.join import EVENT_TIME
from include.foundation.lake import Lake, tables
from include.foundation.lake.layout import DAY
from include.foundation.spec import FeaturesModule, UseCase
from include.stages.features.gold import join_history, to_gold

LANDED = "ingested_at"  # bronze's column
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
Parts = frozenset[tuple[str, date]]  # days of sources


@dataclass(frozen=True)
class Landings:
    """When days landed.

    Attributes:
        sources: source -> day -> when the newest file of it landed.
        whole: day -> when the last of the sources that land daily or hourly had landed.
        late: by how much a day must land after another to count as late.
    """

    sources: Mapping[str, Mapping[date, datetime]]
    whole: Mapping[date, datetime]
    late: timedelta

    @classmethod
    def of(cls, lake: Lake, spec: UseCase, late: timedelta) -> "Landings":
        """As bronze says it; of topics, which do not land by day, nothing is late."""
        sources = {
            source.name: {
                day: EPOCH + timedelta(microseconds=moment)
                for day, moment in tables.greatest(lake, spec.table("bronze", source.name), LANDED).items()
            }
            for source in spec.files
        }
        whole: dict[date, datetime] = {}
        for source in spec.files:
            if source.every != "snapshot":
                for day, moment in sources[source.name].items():
                    whole[day] = max(moment, whole.get(day, moment))
        return cls(sources, whole, late)

    def within(self, silver: Mapping[str, pl.DataFrame]) -> "Landings":
        """Of the days that these frames have, and when all others were whole."""
        here = {name: {*frame[DAY].unique()} for name, frame in silver.items()}
        sources = {
            name: {day: moment for day, moment in landed.items() if day in here[name]}
            for name, landed in self.sources.items()
        }
        return Landings(sources, self.whole, self.late)

    def unseen(self, day: date) -> Parts:
        """What the rows of a day do not see: earlier days that landed later."""
        if (own := self.whole.get(day)) is None:
            return frozenset()
        return frozenset(
            (source, each)
            for source, landed in self.sources.items()
            for each, moment in landed.items()
            if each < day and moment > own + self.late
        )

    def overtaken(self) -> dict[tuple[str, date], datetime]:
        """The days that landed late -> the end of the newest day that had landed before."""
        found = {}
        for source, landed in self.sources.items():
            for day, moment in landed.items():
                before = [each for each, own in self.whole.items() if each > day and moment > own + self.late]
                if before:
                    found[source, day] = datetime.combine(max(before) + timedelta(days=1), time(), UTC)
        return found


def as_landed(
    features: FeaturesModule, silver: Mapping[str, pl.DataFrame], gold: pl.DataFrame, landings: Landings
) -> pl.DataFrame:
    """Gold as it would have been made of what had landed.

    Args:
        features: the use case's module of that name.
        silver: source -> the rows that gold was computed from.
        gold: rows that see every day.
        landings: when days landed.

    Raises:
        InvalidInput: as `to_gold`.
    """
    landings = landings.within(silver)
    if not (overtaken := landings.overtaken()):
        return gold
    labels = _labels(features, silver, overtaken)
    requests = features.requests(silver)
    groups: dict[Parts, list[date]] = {}
    for day in gold[DAY].unique():
        groups.setdefault(landings.unseen(day), []).append(day)
    parts = [gold.clear()]
    for unseen, days in groups.items():
        asked = requests.filter(pl.col(DAY).is_in(days))
        own = {**vars(features), "requests": lambda _, asked=asked: asked, "labels": lambda _: labels}
        module, known = cast("FeaturesModule", SimpleNamespace(**own)), _without(silver, unseen)
        parts.append(to_gold(module, known, join_history(module, known, min(days), max(days))))
    return pl.concat(parts).sort(EVENT_TIME, "id")


def _labels(
    features: FeaturesModule, silver: Mapping[str, pl.DataFrame], overtaken: Mapping[tuple[str, date], datetime]
) -> pl.DataFrame:
    """Labels, known no sooner than the late days that make them."""
    labels = features.labels(silver)
    for (source, day), until in overtaken.items():
        there = features.labels(_without(silver, [(source, day)])).drop_nulls("label")["id"]
        late = ~pl.col("id").is_in(there.implode()) & (pl.col("label_known_at") < until)
        labels = labels.with_columns(label_known_at=pl.when(late).then(until).otherwise("label_known_at"))
    return labels


def _without(silver: Mapping[str, pl.DataFrame], unseen: Iterable[tuple[str, date]]) -> dict[str, pl.DataFrame]:
    days: dict[str, list[date]] = {}
    for source, day in unseen:
        days.setdefault(source, []).append(day)
    return {name: frame.filter(~pl.col(DAY).is_in(days.get(name, []))) for name, frame in silver.items()}
