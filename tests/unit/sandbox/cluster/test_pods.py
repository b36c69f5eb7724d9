import pytest

from sandbox.cluster.pods import phase

RUNNING = {"state": {"running": {}}, "restartCount": 0}
WAITING = {"state": {"waiting": {}}, "restartCount": 0}
BACK_OFF = {"state": {"waiting": {}}, "restartCount": 2}
DONE = {"state": {"terminated": {"exitCode": 0}}, "restartCount": 0}
FAILED = {"state": {"terminated": {"exitCode": 1}}, "restartCount": 0}


@pytest.mark.parametrize(
    ("init", "main", "expected"),
    [
        ([], [WAITING], "Pending"),
        ([], [RUNNING, WAITING], "Running"),
        ([], [BACK_OFF], "Running"),
        ([], [DONE, WAITING], "Running"),
        ([RUNNING], [WAITING], "Pending"),
        ([DONE, RUNNING], [WAITING], "Pending"),
        ([DONE], [WAITING], "Pending"),
        ([DONE], [RUNNING], "Running"),
        ([FAILED], [WAITING], "Pending"),
    ],
)
def test_phase(init, main, expected):
    assert phase(init, main) == expected
