import polars as pl
import pytest

from include.stages.training.sampling import Sample, places


def rows(count=5000):
    return pl.DataFrame({"id": [f"{n:05}" for n in range(count)], "event_time": range(count)})


def drawn(frame, *, most=1000, seed=1, batch=5000):
    sample = Sample(most, seed)
    for part in frame.iter_slices(batch):
        sample.add(part)
    return sample.rows(), sample.sampled


def test_the_same_rows_whatever_their_order_and_batches():
    once, told = drawn(rows())
    assert once.height == 1000
    assert (told.rows, told.of) == (1000, 5000)
    assert once["event_time"].is_sorted()
    for other in (drawn(rows(), batch=37), drawn(rows().reverse(), batch=700)):
        assert other[0].equals(once)
        assert other[1] == told


def test_another_seed_draws_others_and_a_larger_sample_holds_the_smaller():
    once = set(drawn(rows())[0]["id"])
    assert 100 < len(once & set(drawn(rows(), seed=2)[0]["id"])) < 320  # 200 by chance
    assert once < set(drawn(rows(), most=2000)[0]["id"])


def test_no_more_than_twice_the_sample_is_held():
    sample = Sample(100, 1)
    for part in rows(20_000).iter_slices(50):
        sample.add(part)
        assert sum(held.height for held in sample._held) <= 200


@pytest.mark.parametrize("most", [None, 5000, 9999])
def test_where_all_fit_all_are_kept_and_nothing_was_sampled(most):
    found, told = drawn(rows().reverse(), most=most, batch=999)
    assert found.equals(rows())
    assert told is None


def test_a_rows_place_is_that_of_the_rule_and_of_every_version():
    assert places(pl.Series(["a"]), 7).to_list() == [0x7FAFE99D66FF9EAA]  # printf '7 a' | sha256sum
    assert abs(places(rows()["id"], 1).cast(pl.Float64).mean() / 2**63 - 1) < 0.03
