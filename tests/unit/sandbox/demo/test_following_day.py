from datetime import UTC, date, datetime

import polars as pl

from include.foundation.problem import problem
from sandbox.demo.following_day import Answers


def test_it_is_said_that_one_day_is_one_day():
    day = date(2013, 5, 1)
    asked = pl.DataFrame(
        {
            **{"carrier": "UA", "flight": 1, "origin": "EWR", "dest": "IAH", "answer": [0.1, 0.9], "label": [0, 1]},
            "sched_dep": [datetime(2013, 5, 1, 12, tzinfo=UTC)] * 2,
        }
    )
    answers = Answers(
        **{"url": "http://e", "day": day, "use_case": "flight_delays", "kind": problem("binary")},
        **{"asked": asked, "version": "1", "single_ms": [1.0, 2.0]},
    )
    first, second, *_ = answers.lines()
    assert first.startswith("2013-05-01: asked version 1 about 2 flights at their scheduled departure; of 2")
    assert second == "  (one day is one day: its auc may lie far from holdout_auc, which is over many)"
