from typing import get_args

from include.foundation.spec.sources import Format
from include.foundation.spec.topics import Topic
from include.stages.ingest.formats.registry import FORMATS, MESSAGES


def _named(kinds):
    return {get_args(kind.model_fields["type"].annotation)[0] for kind in get_args(kinds)}


def test_each_format_that_a_spec_may_name_can_be_read():
    (kinds, _) = get_args(Format)
    assert _named(kinds) == {*FORMATS}
    assert _named(Topic.model_fields["format"].annotation) == {*MESSAGES}
