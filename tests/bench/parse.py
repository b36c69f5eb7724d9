"""Dag parse above `import airflow.sdk`, with one use case and with a hundred: ratios to that import, same process.

python tests/bench/parse.py
"""

import json
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
ROUNDS = 5
PROBE = """
import json, pathlib, runpy, time
start = time.perf_counter()
import airflow.sdk as sdk; sdk.DAG, sdk.task, sdk.Param, sdk.BaseOperator
times = {"import airflow.sdk": time.perf_counter() - start}
for path in sorted(pathlib.Path("dags").glob("*.py")):
    start = time.perf_counter()
    runpy.run_path(str(path))
    times[path.stem] = time.perf_counter() - start
print(json.dumps(times))
"""


def project(folder: Path, use_cases: int) -> None:
    """A copy of the project in `folder` with as many copies of the first use case."""
    for room in ("dags", "plugins", "include"):
        shutil.copytree(ROOT / room, folder / room, ignore=shutil.ignore_patterns("__pycache__", "use_cases"))
    source = ROOT / "include" / "use_cases"
    (folder / "include" / "use_cases").mkdir()
    shutil.copy(source / "__init__.py", folder / "include" / "use_cases")
    spec = (source / "flight_delays" / "use_case.yaml").read_text(encoding="utf-8")
    for number in range(use_cases):
        target = folder / "include" / "use_cases" / f"flight_delays_{number}"
        target.mkdir()
        (target / "use_case.yaml").write_text(
            spec.replace("name: flight_delays\n", f"name: {target.name}\n"), encoding="utf-8"
        )


def measure(folder: Path) -> dict[str, float]:
    """Median seconds of each part over `ROUNDS` fresh processes; the first, which compiles, is not counted."""
    env = {
        "PYTHONPATH": f"{folder}:{folder / 'plugins'}",
        "PATH": "/usr/bin:/bin",
        "AIRFLOW_HOME": str(folder / "home"),
    }
    rounds = [
        json.loads(
            subprocess.run(
                [sys.executable, "-c", PROBE], cwd=folder, env=env, capture_output=True, text=True, check=True
            ).stdout.splitlines()[-1]
        )
        for _ in range(ROUNDS + 1)
    ][1:]
    return {part: statistics.median(each[part] for each in rounds) for part in rounds[0]}


def main() -> None:
    """Print one row a Dag file."""
    print("\nDag parse above `import airflow.sdk` (medians of", ROUNDS, "processes)")
    for use_cases in (1, 100):
        with tempfile.TemporaryDirectory() as name:
            project(Path(name), use_cases)
            times = measure(Path(name))
        base = times.pop("import airflow.sdk")
        for part, seconds in times.items():
            print(
                f"  {use_cases:3d} use cases  {part:9s} {seconds / base:6.2f} x the import"
                f"  ({seconds * 1000 / use_cases:6.1f} ms a use case)"
            )


if __name__ == "__main__":
    main()
