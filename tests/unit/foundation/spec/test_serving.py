import pytest
from pydantic import ValidationError

from include.foundation.spec.serving import Serving


@pytest.mark.parametrize("cpu", ["500m", "2", "0.5", "1.25", 1, 0.5])
def test_a_quantity_of_cpu_is_kept_as_it_was_said(cpu):
    assert Serving(cpu=cpu).cpu == str(cpu)


@pytest.mark.parametrize("cpu", ["", "0", "0.0", "0m", "-1", "half", "1e3", "1.", ".5", "0.0001", "500M", "1\n"])
def test_what_is_no_cpu_that_a_pod_can_have_is_refused(cpu):
    with pytest.raises(ValidationError, match="cpu"):
        Serving(cpu=cpu)


@pytest.mark.parametrize("memory", ["512Mi", "2Gi", "100M", "1Ti", "64000k"])
def test_memory_is_a_quantity(memory):
    assert Serving(memory=memory).memory == memory


@pytest.mark.parametrize("memory", ["", "512", "512MB", "512mi", "0Mi", "0.5Gi", "512 Mi", "512m", "1Gi\n"])
def test_memory_without_a_unit_or_in_another_ones_is_refused(memory):
    """`512` are bytes and `512m` thousandths of one: Kubernetes takes both, and no pod starts."""
    with pytest.raises(ValidationError, match="memory"):
        Serving(memory=memory)
