from datetime import date, timedelta

import polars as pl
import pytest

from include.foundation.errors import InvalidInput
from include.foundation.lake import chunks, tables
from include.foundation.lake.commit import replace_days
from include.foundation.problem import problem
from include.foundation.spec import load as load_spec
from include.foundation.spec import module
from include.foundation.spec.quality import Quality
from include.stages.training.dataset import KEYS, load, split
from include.stages.training.frozen import Frozen, fitting_code, spec_read

BINARY = problem("binary")


def test_cuts_by_days(gold, window):
    data = split(gold, window, BINARY)
    assert {name: part.height for name, part in data.parts.items()} == {
        "train": 1200,
        "validation": 400,
        "fit": 1600,
        "holdout": 400,
    }
    assert data.train["event_date"].max() < window.validation_start <= data.validation["event_date"].min()
    assert data.validation["event_date"].max() < window.holdout_start <= data.holdout.whole()["event_date"].min()
    assert data.train["label"].dtype == pl.Int8


def test_rows_without_label_are_dropped(gold, window):
    cut = gold.with_columns(label=pl.when(pl.col("id") == "00007").then(None).otherwise("label"))
    assert split(cut, window, BINARY).train.height == 1199


def test_labels_count_only_once_they_were_known(gold, window):
    """A label of 6 January that matured on the 8th trains the final model, not the trials; one of the 9th neither."""
    late = {"01100": timedelta(days=2), "01101": timedelta(days=4)}
    cut = gold.with_columns(
        label_known_at=pl.col("label_known_at")
        + pl.col("id").replace_strict(late, default=timedelta(0), return_dtype=pl.Duration("us"))
    )
    data = split(cut, window, BINARY)
    assert data.train.height == 1198
    assert data.fit.height == 1599
    assert "01100" in data.fit["id"]
    assert "01101" not in data.fit["id"]


def test_no_training_label_was_known_after_the_next_parts_first_request(gold, window):
    slow = gold.with_columns(label_known_at=pl.col("label_known_at") + timedelta(hours=9))
    data = split(slow, window, BINARY)
    assert data.train["label_known_at"].max() < gold.filter(event_date=window.validation_start)["event_time"].min()
    assert data.fit["label_known_at"].max() < gold.filter(event_date=window.holdout_start)["event_time"].min()
    assert data.train.height < 1200
    assert data.holdout.height == 400


@pytest.mark.parametrize("part", ["train", "validation", "holdout"])
def test_an_empty_part_is_named(gold, window, part):
    days = {"train": (1, 6), "validation": (7, 8), "holdout": (9, 10)}[part]
    without = gold.filter(~pl.col("event_date").is_between(*(date(2020, 1, day) for day in days)))
    with pytest.raises(InvalidInput, match=f"no labelled rows for {part}"):
        split(without, window, BINARY)


def test_labels_of_one_class_are_refused_before_anything_is_fitted(gold, window):
    calm = gold.with_columns(label=pl.col("label") & (pl.col("event_date") < window.holdout_start))
    with pytest.raises(InvalidInput, match=r"none of the 400 labels of holdout is 'positive' in .*2020-01-10"):
        split(calm, window, BINARY)


def test_labels_of_another_kind_are_refused(gold, window):
    minutes = gold.with_columns(label=pl.when(pl.col("id") == "00007").then(7.5).otherwise(pl.col("label")))
    with pytest.raises(InvalidInput, match=r"true and false, or 1 and 0; .* 7\.5 of '00007'"):
        split(minutes, window, BINARY)


@pytest.mark.parametrize("what", ["spec", "code"])
def test_an_image_of_another_version_reads_no_rows(window, what):
    spec = load_spec("flight_delays")
    digests = {"spec_digest": spec_read(spec), "code_digest": fitting_code(spec), f"{what}_digest": "0" * 64}
    plan = {"trials": 3, "seed": 5, "fixed": {}, "image": "i", "environment": "e", "rows": 9, "snapshot_id": 7}
    frozen = Frozen(use_case=spec.name, window=window, **digests, **plan)
    with pytest.raises(InvalidInput, match=f"the {what} of flight_delays here .* train anew"):
        load(None, spec, frozen)


def test_with_most_rows_in_the_spec_a_sample_learns_and_the_whole_holdout_judges(
    gold, window, folder_lake, monkeypatch
):
    """Batches of a day or two give the parts that the whole frame gives, of the sample of what the model may know."""
    late = pl.col("id").is_in(["00007", "01500"])
    columns = {name: pl.lit(None, dtype) for name, dtype in module("flight_delays", "features").FEATURES.items()}
    gold = gold.with_columns(label=pl.when(~late).then("label")).with_columns(
        **columns | {"carrier": pl.col("colour"), "origin": pl.lit("JFK"), "distance": pl.col("size").cast(pl.Int64)}
    )
    spec = load_spec("flight_delays")
    replace_days(folder_lake, spec.gold, gold.sample(fraction=1, shuffle=True, seed=3), gold["event_date"].unique(), {})
    plan = {"trials": 3, "seed": 5, "fixed": {}, "image": "i", "environment": "e", "rows": 2000}
    at = tables.current_snapshot_id(folder_lake, spec.gold)

    def loaded(most):
        asked = spec.model_copy(update={"training": spec.training.model_copy(update={"max_rows": most})})
        digests = {"spec_digest": spec_read(asked), "code_digest": fitting_code(asked)}
        frozen = Frozen(use_case=spec.name, window=window, snapshot_id=at, **digests, **plan)
        return load(folder_lake, asked, frozen)

    monkeypatch.setattr(chunks, "ROWS", 400)
    whole, all_of_them, some = loaded(None), loaded(5000), loaded(1000)
    assert whole.sampled is None is all_of_them.sampled
    for name in ("train", "validation", "fit"):
        assert getattr(all_of_them, name).equals(getattr(whole, name))
    for data in (all_of_them, some):
        assert data.holdout.whole().equals(whole.holdout.whole())
        assert (data.holdout.labels == whole.holdout.labels).all()
        assert [rows.columns for rows in data.holdout.batches(["carrier"])] == [[*KEYS, "carrier"]]
    assert (some.sampled.rows, some.sampled.of) == (1000, 1598)
    assert some.fit.height == 1000 == some.train.height + some.validation.height
    assert some.fit.equals(whole.fit.filter(pl.col("id").is_in(some.fit["id"].implode())))


def test_only_a_spec_that_says_so_has_another_digest():
    """What was trained stays found: the digest of a spec from before the word is the one of then."""
    spec = load_spec("flight_delays")
    before = spec.digest_of("problem", "training.metric", "training.parameters", "export")
    assert spec_read(spec) == before == spec_read(spec.model_copy(update={"quality": Quality()}))
    asked = [spec.training.model_copy(update={"max_rows": most}) for most in (1000, 2000)]
    assert len({before, *(spec_read(spec.model_copy(update={"training": each})) for each in asked)}) == 3
