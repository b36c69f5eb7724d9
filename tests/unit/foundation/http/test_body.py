from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.foundation.http.body import parse
from include.foundation.http.refusal import Refusal


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"[NaN]", b'"\\ud800"', b'{"records": 1e999}'])
def test_not_json(body: bytes) -> None:
    with pytest.raises(Refusal, match="is not JSON") as caught:
        parse(body)
    assert caught.value.status == 400


@pytest.mark.parametrize("depth", [33, 900, 100_000])
@pytest.mark.parametrize(("begin", "end"), [(b'{"a":', b"}"), (b"[", b"]"), (b"[", b"")])
def test_deep_nesting_is_refused_before_it_is_parsed(depth: int, begin: bytes, end: bytes) -> None:
    with pytest.raises(Refusal, match="more than 32 levels deep") as caught:
        parse(begin * depth + b'"x"' + end * depth)
    assert caught.value.status == 400


@given(st.recursive(st.none() | st.text('[]{}\\"a'), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)))
def test_depth_is_told_as_the_parsed_value_has_it(value: Any) -> None:
    def depth(part: Any) -> int:
        inner = part.values() if isinstance(part, dict) else part if isinstance(part, list) else None
        return 0 if inner is None else 1 + max(map(depth, inner), default=0)

    missing = 32 - depth(value)
    assert parse(b"[" * missing + orjson.dumps(value) + b"]" * missing) is not None
    with pytest.raises(Refusal, match="levels deep"):
        parse(b"[" * (missing + 1) + orjson.dumps(value) + b"]" * (missing + 1))


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b'{"inputs": [{"data": [NaN]}]}', "send null"),
        (b'{"inputs": [{"data": [1.5, -Infinity]}]}', "send null"),
    ],
)
def test_what_clients_send_that_json_has_no_word_for(body: bytes, says: str) -> None:
    with pytest.raises(Refusal, match=says) as caught:
        parse(body)
    assert caught.value.status == 400
