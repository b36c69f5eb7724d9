"""The slot: members by the spec's word for them."""

from typing import get_args

import pytest

from include.engine import ENGINES, engine
from include.foundation.errors import InvalidInput
from include.foundation.spec.engine import Engine


def test_the_spec_knows_exactly_the_members():
    assert {*get_args(Engine.model_fields["name"].annotation)} == {*ENGINES}


@pytest.mark.parametrize("name", ENGINES)
def test_a_member_is_found_without_its_libraries(name):
    assert type(engine(name)).__name__.lower() == name


def test_an_engine_that_is_none_is_named_with_those_that_are():
    with pytest.raises(InvalidInput, match="no engine 'dask'; there are: polars, spark"):
        engine("dask")
