"""A step as a child of the process that knows the system: its last words are told even when it is killed."""

import signal
import subprocess
import sys
from collections import deque
from collections.abc import Mapping
from typing import Any

KEPT_LINES = 20


def run(command: list[str], variables: Mapping[str, str]) -> tuple[int, str]:
    """Run the step, its output passed on. SIGTERM, by which systems stop a job, is passed on too.

    Returns:
        The exit code as a shell tells it, and the step's last lines; none of a step that was stopped, for a stopped
        job has not failed.
    """
    asked: list[int] = []
    last: deque[str] = deque(maxlen=KEPT_LINES)
    with subprocess.Popen(
        command, env=variables, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
    ) as step:

        def stop(number: int, _frame: Any) -> None:
            asked.append(number)
            step.send_signal(number)

        before = signal.signal(signal.SIGTERM, stop)
        try:
            for line in step.stdout or ():
                sys.stdout.write(line)
                sys.stdout.flush()
                last.append(line.rstrip())
            code = step.wait()
        finally:
            signal.signal(signal.SIGTERM, before)
    return (128 - code if code < 0 else code), "" if asked else "\n".join(last) or "it said nothing"
