import pytest
from pydantic import ValidationError

from include.foundation.jobs import Job, Resources

JOB = Job(name="fit", arguments=("-m", "include.steps", "fit", "--run-id", "r1"), image="flightline/trainer:1")


def changed(**fields):
    return Job.model_validate(JOB.model_dump() | fields)


@pytest.mark.parametrize(
    "fields",
    [{"arguments": ("-m", "x")}, {"image": "flightline/trainer:2"}, {"reads": {"champion": "3"}}, {"rerun": "run 1"}],
)
def test_what_decides_the_result_makes_another_job(fields):
    assert changed(**fields).key != JOB.key


def test_how_it_runs_does_not():
    assert changed(environment={"A": "b"}, resources={"cpu": "2", "gpus": 1}, name="again").key == JOB.key


def test_the_key_fits_into_a_label():
    assert JOB.key.startswith(JOB.label)
    assert len(JOB.label) == 63


@pytest.mark.parametrize("name", ["", "Fit", "a_b", "-a", "a" * 43])
def test_a_name_is_a_dns_label(name):
    with pytest.raises(ValidationError, match="name"):
        changed(name=name)


@pytest.mark.parametrize("fields", [{"cpu": "half"}, {"memory": "512MB"}, {"gpus": -1}, {"ram": "1Gi"}])
def test_resources_are_quantities(fields):
    with pytest.raises(ValidationError):
        Resources(**fields)
