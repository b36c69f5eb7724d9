"""The table of the loop, and what it counts as not come about."""

from unittest.mock import create_autospec

import pytest

from include.foundation.spec import load
from sandbox.airflow.api import AirflowApi
from sandbox.demo.loop import Story, _took_back
from sandbox.demo.show import Show
from sandbox.demo.watch import Watch


def test_story_is_a_table_and_keeps_what_is_missing():
    story = Story()
    story.tell("monitor", "age")
    story.expect("2", "a champion")
    story.expect(None, "a rejected version")
    assert str(story).splitlines()[-1] == "| monitor | 0 | age |"
    assert story.missing == ["a rejected version"]


@pytest.mark.parametrize(
    ("tasks", "seconds"),
    [
        ([("rollout.production.shadow_50.observe", "failed", 10), ("revert.restore", "success", 14)], 4.0),
        ([("rollout.production.shadow_50.observe", "failed", 10), ("revert.restore", "failed", 14)], None),
        ([("rollout.production.shadow_50.observe", "success", 10), ("revert.restore", "success", 14)], None),
    ],
)
def test_time_to_take_back_counts_only_a_revert_that_worked(tasks, seconds):
    api = create_autospec(AirflowApi, instance=True)
    api.tasks.return_value = [
        {"task_id": name, "state": state, "end_date": f"2026-01-01T00:00:{second}Z"} for name, state, second in tasks
    ]
    assert _took_back(Watch(api, load("flight_delays"), Show()), {"dag_run_id": "r"}) == seconds
