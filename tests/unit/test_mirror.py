"""Unit tests mirror the source: where a module's tests are is known from its name."""

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ENDPOINTS = "tests/integration/test_serving.py"
DAGS = "tests/integration/test_dags.py"  # each Dag, in a sandbox
TUNING_API = "tests/integration/tuning/test_api.py"
INGEST = "tests/integration/test_ingest.py"
WAREHOUSE = "tests/integration/test_warehouse.py"
PAGES = "tests/unit/flightline/ui/test_pages.py"
FAMILIES = "tests/unit/models/test_families.py"

# Modules without a file of their own, and the tests that hold them. Take one out when it gets its file; add none for
# want of time.
ELSEWHERE = {
    # Seen at work with the service or the program that it is part of.
    "include/services/serving/__main__.py": ENDPOINTS,
    "include/services/serving/assembly.py": ENDPOINTS,
    "include/services/serving/description.py": ENDPOINTS,
    "include/services/serving/metrics.py": "tests/unit/services/serving/test_readiness.py",
    "include/services/serving/service.py": ENDPOINTS,
    "include/services/tuning/acquisition.py": "tests/unit/services/tuning/test_optimizer.py",
    "include/services/tuning/api.py": TUNING_API,
    "include/services/tuning/app.py": TUNING_API,
    "include/services/tuning/documents.py": TUNING_API,
    "include/services/tuning/records.py": TUNING_API,
    "include/services/tuning/refusal.py": TUNING_API,
    "include/services/tuning/schemas.py": TUNING_API,
    "include/services/tuning/store.py": TUNING_API,
    "include/stages/features/build.py": "tests/integration/test_features.py",
    "include/stages/features/online.py": "tests/integration/test_features.py",
    "include/engine/protocol.py": "tests/integration/test_engine.py",
    "include/stages/ingest/contracts.py": INGEST,
    "include/stages/ingest/history.py": INGEST,
    "include/stages/ingest/hourly.py": INGEST,
    "include/stages/ingest/reconcile.py": INGEST,
    "include/stages/ingest/rows.py": INGEST,
    "include/stages/ingest/run.py": INGEST,
    "include/stages/ingest/source_rows.py": INGEST,
    "include/stages/promotion/sample.py": "tests/integration/test_versions.py",
    "include/stages/registry/versions.py": "tests/integration/test_registry.py",
    "include/stages/training/runs.py": "tests/integration/test_training.py",
    "include/stages/tuning/experiment.py": "tests/integration/tuning/test_experiment.py",
    "include/stages/tuning/loop.py": "tests/integration/tuning/test_loop.py",
    "include/steps/child.py": "tests/unit/steps/test_sagemaker.py",
    "include/steps/sample.py": "tests/integration/test_versions.py",
    "include/steps/bundle.py": "tests/integration/test_marketplace.py",
    "include/steps/fit.py": "tests/integration/test_training.py",
    "include/steps/gate.py": "tests/integration/test_training.py",
    "include/steps/prepare.py": "tests/integration/test_training.py",
    "include/steps/register.py": "tests/integration/test_training.py",
    "include/steps/trial.py": "tests/integration/test_training.py",
    "include/warehouse/__main__.py": WAREHOUSE,
    "include/warehouse/duck.py": WAREHOUSE,
    "include/warehouse/worker.py": WAREHOUSE,
    "plugins/flightline/assets.py": DAGS,
    "plugins/flightline/backends/keyed_pod.py": "tests/unit/flightline/backends/test_pods.py",
    "plugins/flightline/backends/protocol.py": "tests/unit/flightline/backends/test_backend.py",
    "plugins/flightline/hooks/lake.py": DAGS,
    "plugins/flightline/hooks/mlflow.py": DAGS,
    "plugins/flightline/hooks/online.py": DAGS,
    "plugins/flightline/hooks/sigopt.py": DAGS,
    "plugins/flightline/hooks/workspaces.py": "tests/integration/test_workspaces.py",
    "plugins/flightline/links/pages.py": DAGS,
    "plugins/flightline/rollout.py": "tests/unit/flightline/tasks/test_promote.py",
    "plugins/flightline/ui/access.py": PAGES,
    "plugins/flightline/ui/airflow_api.py": "tests/unit/flightline/ui/test_models.py",
    "plugins/flightline/tasks/maintain.py": DAGS,
    # One test holds several modules to one agreement.
    "include/models/boosting/export.py": FAMILIES,
    "include/models/linear/logistic.py": FAMILIES,
    "include/use_cases/digits/model.py": "tests/model/test_digits.py",
    "include/use_cases/flight_delays/model.py": "tests/model/test_flight_delays.py",
    "include/use_cases/flight_delays/traffic.py": "tests/unit/use_cases/flight_delays/test_features.py",
}


def mirrored(module: str) -> Path:
    """Where the unit tests of a module are."""
    path = Path(module).relative_to(module.partition("/")[0])
    return ROOT / "tests" / "unit" / path.parent / f"test_{path.stem.strip('_')}.py"


def modules() -> list[str]:
    found = [path for top in ("include", "plugins/flightline") for path in (ROOT / top).rglob("*.py")]
    return sorted(path.relative_to(ROOT).as_posix() for path in found if path.name != "__init__.py")


@pytest.mark.parametrize("module", [each for each in modules() if each not in ELSEWHERE])
def test_a_module_has_its_tests_where_its_name_says(module):
    assert mirrored(module).is_file(), f"write {mirrored(module).relative_to(ROOT)} for {module}"


def test_an_exception_is_a_module_and_its_tests_are_there():
    assert {*ELSEWHERE} <= {*modules()}
    assert [test for test in ELSEWHERE.values() if not (ROOT / test).is_file()] == []
