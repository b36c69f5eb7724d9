"""What passes the contract of the log: messages as serving writes them."""

from typing import Any

import polars as pl
import pytest

from include.foundation.spec import UseCase, load
from include.stages.ingest.contracts import contract_of
from include.stages.ingest.predictions import contract
from include.stages.quality import Verdict, judge

SPEC = load("flight_delays")
GOOD = {
    "request_id": "r-1",
    "row": "0",
    "use_case": "flight_delays",
    "version": "3",
    "model_digest": f"sha256:{'a' * 64}",
    "stage": "production",
    "scored_at": "2024-05-01T12:00:00.000001Z",
    "record": '{"carrier": "UA"}',
    "features": '{"hour": 5.0, "carrier": null}',
    "answer": "0.25",
    "event_date": "2024-05-01",
}


def judged(*rows: dict[str, Any], spec: UseCase = SPEC) -> Verdict:
    frame = pl.DataFrame(rows, schema=dict.fromkeys(GOOD, pl.String)).with_columns(
        pl.col("event_date").str.to_date(), source_uri=pl.lit("t/0"), source_position=pl.int_range(pl.len())
    )
    return judge(contract(spec), frame, null_values=())


def test_what_serving_writes_passes() -> None:
    rows = [{**GOOD, "row": str(n), "answer": answer} for n, answer in enumerate(["0.25", "1", "1e-07", "0.0"])]
    verdict = judged(*rows, {**GOOD, "row": "9", "record": None})
    assert verdict.failed.is_empty(), verdict.counts
    assert contract_of(SPEC, "predictions").columns == tuple(GOOD)


@pytest.mark.parametrize(
    "change",
    [
        {"use_case": "another"},
        {"request_id": None},
        {"request_id": "x" * 129},
        {"row": "-1"},
        {"model_digest": "a" * 64},
        {"scored_at": "noon"},
        {"record": "text"},
        {"features": None},
        {"answer": None},
        {"answer": "[0.25]"},
        {"answer": "yes"},
    ],
)
def test_what_no_serving_writes_does_not(change: dict[str, Any]) -> None:
    assert judged({**GOOD, **change}).failed.height == 1


def test_classes_are_answered_by_a_list() -> None:
    said = SPEC.model_dump(mode="json")
    training, gates = {**said["training"], "metric": "log_loss"}, {"floor": 1.0}
    spec = UseCase.model_validate({**said, "problem": "multiclass", "training": training, "gates": gates})
    assert judged({**GOOD, "answer": "[0.5, 0.25, 0.25]"}, spec=spec).failed.is_empty()
    assert judged(GOOD, spec=spec).failed.height == 1


def test_a_message_twice_is_one_row_and_a_request_twice_is_two() -> None:
    again = {**GOOD, "scored_at": "2024-05-01T12:00:01Z", "answer": "0.75"}
    verdict = judged(GOOD, GOOD, again)
    assert (verdict.passed.height, verdict.failed.height) == (2, 1)
