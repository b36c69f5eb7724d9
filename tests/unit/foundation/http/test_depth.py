import pytest

from include.foundation.http.depth import is_deep


@pytest.mark.parametrize(("begin", "end"), [(b'{"a":', b"}"), (b"[", b"]"), (b"[", b"")])
def test_more_than_32_levels_are_deep(begin: bytes, end: bytes) -> None:
    assert not is_deep(begin * 32 + b"1" + end * 32)
    assert is_deep(begin * 33 + b"1" + end * 33)
    assert is_deep(begin * 500_000)


def test_neither_width_nor_brackets_in_strings_are_depth() -> None:
    assert not is_deep(b"[" + b"[],{}," * 1000 + b'"' + b"[{" * 100 + b'"]')
