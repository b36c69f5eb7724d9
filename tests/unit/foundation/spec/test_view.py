from dataclasses import FrozenInstanceError, fields
from datetime import timedelta

import pytest

from include.foundation.spec import View


def test_two_views_without_values_share_none():
    one, two = (View(keys=("shop",), max_age=timedelta(1)) for _ in range(2))
    assert one == two
    assert one.values == {}
    assert one.values is not two.values


def test_a_view_does_not_change_and_its_parts_are_named():
    view = View(keys=("shop",), max_age=timedelta(1))
    for field in fields(View):
        with pytest.raises(FrozenInstanceError):
            setattr(view, field.name, None)
    with pytest.raises(TypeError, match="positional"):
        View(("shop",), timedelta(1))


@pytest.mark.parametrize("missing", ["keys", "max_age"])
def test_how_old_a_fact_may_be_has_no_default(missing):
    said = {"keys": ("shop",), "max_age": timedelta(1)}
    del said[missing]
    with pytest.raises(TypeError, match=missing):
        View(**said)
