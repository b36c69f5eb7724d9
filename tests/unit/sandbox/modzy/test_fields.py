import pytest

from sandbox.modzy import fields
from sandbox.modzy.errors import ModzyError

INPUT = {"name": "input", "acceptedMediaTypes": "application/json", "maximumSize": 10, "description": ""}


@pytest.mark.parametrize(
    ("body", "shape", "fault"),
    [
        (None, fields.MODEL, "body must be an object"),
        ({"name": "a"}, fields.MODEL, "body lacks version"),
        ({"name": "a", "version": "1.0.0", "more": 1}, fields.MODEL, "body has unknown fields: more"),
        ({"registry": {"url": 1}}, fields.IMAGE, "body.registry.url must be of type str"),
        ({"inputs": []}, fields.DETAILS, "body.inputs must be a list, not empty"),
        ({"inputs": [INPUT, {**INPUT, "maximumSize": True}]}, fields.DETAILS, r"body.inputs\[1\].maximumSize must be"),
        ({"timeout": {"run": 1}}, fields.DETAILS, "body.timeout lacks status"),
    ],
)
def test_what_is_missing_unknown_or_of_another_type_is_refused_by_name(body, shape, fault):
    with pytest.raises(ModzyError, match=fault) as caught:
        fields.check(body, shape)
    assert caught.value.status == 400


def test_what_has_the_shape_is_taken():
    body = {"inputs": [INPUT], "status": "active", "statistics": []}
    assert fields.check(body, fields.DETAILS) is body
    assert fields.version("10.0.3") == "10.0.3"
    with pytest.raises(ModzyError, match="is not <major>"):
        fields.version("1.0")
