"""What a person asks of a sandbox, answered by supervisors of small processes of the test's own."""

import os
import subprocess
import sys
from pathlib import Path

from sandbox.home import Home, Lock
from sandbox.service import REPO

# As `up`, which looks after a few things between taking the lock and starting the supervisor.
STARTING = """
import sys, time
from pathlib import Path
from sandbox.home import Home, Lock
from sandbox.supervisor import Supervisor
home = Home(Path(sys.argv[1]))
lock = Lock(home).take()
print("held", flush=True)
time.sleep(1)
Supervisor(home, {}).run()
"""


def sandbox(home: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = (sys.executable, "-m", "sandbox", *words)
    env = {**os.environ, "FLIGHTLINE_HOME": str(home)}
    return subprocess.run(command, cwd=REPO, env=env, check=False, capture_output=True, text=True, timeout=20)


def test_down_ends_a_supervisor_that_is_only_just_starting(tmp_path) -> None:
    process = subprocess.Popen((sys.executable, "-c", STARTING, str(tmp_path)), stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout.readline() == "held\n"
        done = sandbox(tmp_path, "down")
        assert (done.returncode, done.stdout) == (0, f"down; the data stay in {tmp_path}\n")
        assert process.wait(5) == 0
        assert not Lock(Home(tmp_path)).held()
    finally:
        process.kill()
        process.communicate()
