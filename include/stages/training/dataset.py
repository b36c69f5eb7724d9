"""Frozen gold rows as frames, cut by days. A part uses only labels that were known when the next part begins."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta

import polars as pl

from include.foundation.errors import InvalidInput
from include.foundation.evidence.manifest import Sampled, Window
from include.foundation.lake import Lake
from include.foundation.lake.chunks import chunks
from include.foundation.problem import problem
from include.foundation.problem.labels import short
from include.foundation.problem.protocol import Problem
from include.foundation.spec import UseCase, module
from include.stages.training.frozen import Frozen, fitting_code, spec_read
from include.stages.training.holdout import Columns, Holdout
from include.stages.training.sampling import Sample

KEYS = ("id", "event_date", "event_time", "label", "label_known_at")


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """Labelled rows: feature columns, `label` as models are fitted on it, and what splitting and slicing need.

    Attributes:
        train: what trials fit on.
        validation: what trials are scored on.
        fit: what the final model is fitted on: train and validation, and labels of train that matured in between.
        holdout: what nobody but the gates and the report sees.
        classes: names of the classes where labels are places in it; else none.
        sampled: how many of how many rows `fit` has (train and validation are cut from it); None where it has all.
    """

    train: pl.DataFrame
    validation: pl.DataFrame
    fit: pl.DataFrame
    holdout: Holdout
    classes: tuple[str, ...] = ()
    sampled: Sampled | None = None

    @property
    def parts(self) -> dict[str, pl.DataFrame | Holdout]:
        """The parts by name."""
        return {"train": self.train, "validation": self.validation, "fit": self.fit, "holdout": self.holdout}


def load(lake: Lake, spec: UseCase, frozen: Frozen) -> Dataset:
    """Read and cut the frozen rows, ordered by time and id whatever the files' order.

    With `training.max_rows` in the spec some days are in memory at a time, and of the rows before the holdout a sample
    is kept.

    Raises:
        InvalidInput: the spec or the code here is not what was frozen, or a part has no rows.
    """
    from include.foundation.lake import tables

    for what, here, then in (
        ("spec", spec_read(spec), frozen.spec_digest),
        ("code", fitting_code(spec), frozen.code_digest),
    ):
        if here != then:
            raise InvalidInput(
                f"the {what} of {spec.name} here has digest {here[:12]}, the run was frozen with {then[:12]}: the "
                "pod's image is not of the same version. Build it from the Dags' commit, or train anew"
            )
    features = module(spec.name, "features").FEATURES
    every = [*dict.fromkeys([*KEYS, *features, *(part.by for part in spec.gates.slices)])]
    window, kind, at = frozen.window, problem(spec.problem), frozen.snapshot_id

    def read(start: date, end: date, columns: Columns = None) -> pl.DataFrame:
        names = every if columns is None else [*dict.fromkeys([*KEYS, *columns])]
        rows = tables.read(lake, spec.gold, start=start, end=end, snapshot_id=at, columns=names)
        return rows.sort("event_time", "id")

    if spec.training.max_rows is None:
        return split(read(window.start, window.end), window, kind)
    counts = tables.counts(lake, spec.gold, start=window.start, end=window.end, snapshot_id=at)

    def batches(start: date, end: date, columns: Columns = None) -> Iterator[pl.DataFrame]:
        for days in [*chunks(sorted(day for day in counts if start <= day <= end), counts)] or [[start]]:
            yield read(days[0], days[-1], columns)

    cut = Cut.of(batches(window.start, window.end, ()), window, kind)
    sample = Sample(spec.training.max_rows, frozen.seed)
    for rows in batches(window.start, window.holdout_start - timedelta(days=1)):
        sample.add(cut.before_holdout(rows))
    held = Holdout(lambda columns: map(cut.labelled, batches(window.holdout_start, window.end, columns)))
    return cut.dataset(sample.rows(), held, sample.sampled)


def split(frame: pl.DataFrame, window: Window, kind: Problem) -> Dataset:
    """Cut rows by `event_date`. Rows without a label are dropped.

    A label counts in train and validation only if it was known before the next part's first request: the model could
    not have been fitted on it otherwise. The holdout's labels are those of the snapshot.

    Raises:
        InvalidInput: a part has no rows or none of a class, or a label is not one of the problem kind.
    """
    cut = Cut.of([frame], window, kind)
    held = cut.labelled(frame).filter(pl.col("event_date") >= window.holdout_start)
    return cut.dataset(cut.before_holdout(frame), Holdout.of(held))


@dataclass(frozen=True, kw_only=True)
class Cut:
    """How rows are cut, learnt from all of them: which classes there are, and when each part's first request is."""

    window: Window
    kind: Problem
    classes: tuple[str, ...]
    first_of_validation: pl.Expr
    first_of_holdout: pl.Expr

    @classmethod
    def of(cls, batches: Iterable[pl.DataFrame], window: Window, kind: Problem) -> "Cut":
        """Look at the rows' `KEYS`.

        Raises:
            InvalidInput: a label is not one of the problem kind.
        """
        firsts: list[pl.DataFrame] = []
        labels: list[pl.Series] = []
        day, time = pl.col("event_date"), pl.col("event_time")
        for rows in batches:
            labelled = rows.filter(pl.col("label").is_not_null())
            kind.check_labels(labelled["label"], labelled["id"])
            if kind.classes(labelled["label"]):
                labels = [pl.concat([*labels, labelled["label"]]).unique()]
            firsts.append(
                rows.select(
                    validation=time.filter(day >= window.validation_start).min(),
                    holdout=time.filter(day >= window.holdout_start).min(),
                )
            )
        first = pl.concat(firsts).min()
        return cls(
            window=window,
            kind=kind,
            classes=kind.classes(labels[0]) if labels else (),
            first_of_validation=pl.lit(first["validation"][0], first["validation"].dtype),
            first_of_holdout=pl.lit(first["holdout"][0], first["holdout"].dtype),
        )

    def labelled(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Those with a label, encoded."""
        found = rows.filter(pl.col("label").is_not_null())
        return found.with_columns(label=self.kind.encode(found["label"], self.classes))

    def before_holdout(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Those that the final model may be fitted on."""
        known = pl.col("label_known_at") < self.first_of_holdout
        return self.labelled(rows).filter((pl.col("event_date") < self.window.holdout_start) & known)

    def dataset(self, fit: pl.DataFrame, holdout: Holdout, sampled: Sampled | None = None) -> Dataset:
        """The parts. Raises InvalidInput if one has no rows, or none of a class."""
        day, known = pl.col("event_date"), pl.col("label_known_at") < self.first_of_validation
        dataset = Dataset(
            train=fit.filter((day < self.window.validation_start) & known),
            validation=fit.filter(day >= self.window.validation_start),
            fit=fit,
            holdout=holdout,
            classes=self.classes,
            sampled=sampled,
        )
        for name, part in reversed(dataset.parts.items()):
            labels = part.labels if isinstance(part, Holdout) else part["label"].to_numpy()
            if not len(labels):
                raise InvalidInput(f"no labelled rows for {name} in {self.window.model_dump_json()}")
            counts = self.kind.counts(labels, self.classes)
            if missing := [short(found) for found, count in counts.items() if not count]:
                raise InvalidInput(
                    f"none of the {len(labels)} labels of {name} is {', '.join(missing)} in "
                    f"{self.window.model_dump_json()}"
                )
        return dataset
