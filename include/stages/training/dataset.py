"""Frozen gold rows as frames, cut by days. A part uses only labels that were known when the next part begins."""

from dataclasses import dataclass
from datetime import date

import polars as pl

from include.foundation.errors import InvalidInput
from include.foundation.evidence.manifest import Window
from include.foundation.lake import Lake
from include.foundation.problem import problem
from include.foundation.problem.labels import short
from include.foundation.problem.protocol import Problem
from include.foundation.spec import UseCase, module
from include.stages.training.frozen import Frozen, fitting_code, spec_read


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """Labelled rows: feature columns, `label` as models are fitted on it, and what splitting and slicing need.

    Attributes:
        train: what trials fit on.
        validation: what trials are scored on.
        fit: what the final model is fitted on: train and validation, and labels of train that matured in between.
        holdout: what nobody but the gates and the report sees.
        classes: names of the classes where labels are places in it; else none.
    """

    train: pl.DataFrame
    validation: pl.DataFrame
    fit: pl.DataFrame
    holdout: pl.DataFrame
    classes: tuple[str, ...] = ()

    @property
    def parts(self) -> dict[str, pl.DataFrame]:
        """The parts by name."""
        return {"train": self.train, "validation": self.validation, "fit": self.fit, "holdout": self.holdout}


def load(lake: Lake, spec: UseCase, frozen: Frozen) -> Dataset:
    """Read and cut the frozen rows, ordered by time and id whatever the files' order.

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
    columns = dict.fromkeys(
        [
            *("id", "event_date", "event_time", "label", "label_known_at"),
            *module(spec.name, "features").FEATURES,
            *(part.by for part in spec.gates.slices),
        ]
    )
    frame = tables.read(
        lake,
        spec.gold,
        start=frozen.window.start,
        end=frozen.window.end,
        snapshot_id=frozen.snapshot_id,
        columns=list(columns),
    )
    return split(frame.sort("event_time", "id"), frozen.window, problem(spec.problem))


def split(frame: pl.DataFrame, window: Window, kind: Problem) -> Dataset:
    """Cut rows by `event_date`. Rows without a label are dropped.

    A label counts in train and validation only if it was known before the next part's first request: the model could
    not have been fitted on it otherwise. The holdout's labels are those of the snapshot.

    Raises:
        InvalidInput: a part has no rows or none of a class, or a label is not one of the problem kind.
    """
    day = pl.col("event_date")
    labelled = frame.filter(pl.col("label").is_not_null())
    kind.check_labels(labelled["label"], labelled["id"])
    classes = kind.classes(labelled["label"])
    labelled = labelled.with_columns(label=kind.encode(labelled["label"], classes))

    def known_by(start: date) -> pl.Expr:
        first = frame.filter(day >= start)["event_time"].min()
        return pl.col("label_known_at") < pl.lit(first, frame["event_time"].dtype)

    before_validation = (day < window.validation_start) & known_by(window.validation_start)
    before_holdout = (day < window.holdout_start) & known_by(window.holdout_start)
    dataset = Dataset(
        train=labelled.filter(before_validation),
        validation=labelled.filter(before_holdout & (day >= window.validation_start)),
        fit=labelled.filter(before_holdout),
        holdout=labelled.filter(day >= window.holdout_start),
        classes=classes,
    )
    for name, part in reversed(dataset.parts.items()):
        if part.is_empty():
            raise InvalidInput(f"no labelled rows for {name} in {window.model_dump_json()}")
        counts = kind.counts(part["label"].to_numpy(), classes)
        if missing := [short(found) for found, count in counts.items() if not count]:
            raise InvalidInput(
                f"none of the {part.height} labels of {name} is {', '.join(missing)} in {window.model_dump_json()}"
            )
    return dataset
