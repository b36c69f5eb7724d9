from typing import get_args

from include.foundation.spec.sources import Format
from include.stages.ingest.formats.registry import FORMATS


def test_each_format_that_a_spec_may_name_can_be_read():
    (kinds, _) = get_args(Format)
    assert {get_args(kind.model_fields["type"].annotation)[0] for kind in get_args(kinds)} == {*FORMATS}
