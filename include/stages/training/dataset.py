"""Frozen gold rows as frames, cut by days. A part uses only labels that were known when the next part begins."""

from dataclasses import dataclass
from datetime import date

import polars as pl

from include.foundation.errors import InvalidInput
from include.foundation.evidence.manifest import Window
from include.foundation.lake import Lake
from include.foundation.spec import UseCase, module
from include.stages.training.frozen import Frozen, fitting_code


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """Labelled rows: feature columns, `label` (0/1, Int8), and what splitting and slicing need.

    Attributes:
        train: what trials fit on.
        validation: what trials are scored on.
        fit: what the final model is fitted on: train and validation, and labels of train that matured in between.
        holdout: what nobody but the gates and the report sees.
    """

    train: pl.DataFrame
    validation: pl.DataFrame
    fit: pl.DataFrame
    holdout: pl.DataFrame


def load(lake: Lake, spec: UseCase, frozen: Frozen) -> Dataset:
    """Read and cut the frozen rows, ordered by time and id whatever the files' order.

    Raises:
        InvalidInput: the spec or the code here is not what was frozen, or a part has no rows.
    """
    from include.foundation.lake import tables

    for what, here, then in (
        ("spec", spec.digest, frozen.spec_digest),
        ("code", fitting_code(spec.name), frozen.code_digest),
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
    return split(frame.sort("event_time", "id"), frozen.window)


def split(frame: pl.DataFrame, window: Window) -> Dataset:
    """Cut rows by `event_date`. Rows without a label are dropped.

    A label counts in train and validation only if it was known before the next part's first request: the model could
    not have been fitted on it otherwise. The holdout's labels are those of the snapshot.

    Raises:
        InvalidInput: a part has no rows or one class only, or a label is neither 0 nor 1.
    """
    day = pl.col("event_date")
    labelled = frame.filter(pl.col("label").is_not_null())
    if other := labelled.filter(~pl.col("label").cast(pl.Float64).is_in([0.0, 1.0]))["id"].head(1).to_list():
        raise InvalidInput(f"labels are true and false, or 1 and 0; that of {other[0]} is neither")
    labelled = labelled.with_columns(pl.col("label").cast(pl.Int8))

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
    )
    for name, part in reversed(vars(dataset).items()):
        if part.is_empty():
            raise InvalidInput(f"no labelled rows for {name} in {window.model_dump_json()}")
        if len(found := part["label"].unique()) == 1:
            raise InvalidInput(f"all {part.height} labels of {name} are {found[0]} in {window.model_dump_json()}")
    return dataset
