import pytest

from include.foundation.errors import InvalidInput
from include.stages.training.settings import Settings


def test_reads_the_pod_template():
    settings = Settings.from_env(
        {
            "FLIGHTLINE_IMAGE": "i@sha256:1",
            "FLIGHTLINE_DEVICE": "gpu",
            "FLIGHTLINE_THREADS": "4",
            "POD_NAME": "p-1",
            "FLIGHTLINE_ALLOW_DIRTY": "1",
        }
    )
    assert settings == Settings(
        image="i@sha256:1", worker="p-1", allow_dirty=True, machine={"num_threads": 4, "device": "gpu"}
    )


def test_a_dirty_tree_is_not_allowed_unless_said():
    assert not Settings.from_env({}).allow_dirty
    assert not Settings.from_env({"FLIGHTLINE_ALLOW_DIRTY": "0"}).allow_dirty


@pytest.mark.parametrize(
    "environ", [{"FLIGHTLINE_DEVICE": "tpu"}, {"FLIGHTLINE_THREADS": "0"}, {"FLIGHTLINE_THREADS": "-1"}]
)
def test_other_values_are_refused(environ):
    with pytest.raises(InvalidInput, match=next(iter(environ))):
        Settings.from_env(environ)
