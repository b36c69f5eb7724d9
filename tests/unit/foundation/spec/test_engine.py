"""The section `engine`."""

import pytest
from pydantic import ValidationError

from include.foundation.spec import load
from include.foundation.spec.engine import Engine
from include.foundation.spec.use_case import UseCase

SAID = load("flight_delays").model_dump()


def test_polars_is_the_default_and_spark_a_choice():
    assert load("flight_delays").engine == Engine(name="polars")
    assert UseCase.model_validate({**SAID, "engine": "spark"}).engine == Engine(name="spark", backend="pods")
    assert UseCase.model_validate({**SAID, "engine": {"name": "spark", "backend": "there"}}).engine.backend == "there"


def test_another_engine_is_refused():
    with pytest.raises(ValidationError, match=r"engine.name\n.*'polars' or 'spark'"):
        UseCase.model_validate({**SAID, "engine": "dask"})


def test_spark_takes_whole_days():
    sources = [{**source, "every": "hour"} if source["name"] == "weather" else source for source in SAID["sources"]]
    UseCase.model_validate({**SAID, "sources": sources})
    with pytest.raises(ValidationError, match="engine: spark reads whole days, and weather lands hourly"):
        UseCase.model_validate({**SAID, "sources": sources, "engine": "spark"})
