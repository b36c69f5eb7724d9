import io

import pytest

from include.foundation.errors import InvalidInput
from include.stages.ingest.formats.blocks import Blocks


def test_blocks_are_whole_lines_and_no_longer_than_allowed() -> None:
    data = b"".join(b"%d\n" % number for number in range(10_000))
    blocks = Blocks(io.BytesIO(data), most=100, name="f")
    found = []
    while block := blocks.peek():
        assert block.endswith(b"\n")
        assert len(block) <= 100
        found.append(block)
        blocks.skip(block, block.count(b"\n"))
    assert b"".join(found) == data
    assert blocks.line == 10_001


def test_lines_and_blocks_can_be_taken_in_turn() -> None:
    blocks = Blocks(io.BytesIO(b"\xef\xbb\xbfa\nb\nc\nd\n"), most=6, name="f")
    assert blocks.next_line() == b"a\n"
    assert blocks.line == 2
    block = blocks.peek()
    assert block.startswith(b"b\n")
    blocks.skip(block, block.count(b"\n"))
    rest = b"".join(iter(blocks.next_line, b""))
    assert block + rest == b"b\nc\nd\n"
    assert blocks.peek() == b""


@pytest.mark.parametrize("take", [Blocks.peek, Blocks.next_line])
def test_a_line_without_end_is_told_from_one_that_is_too_long(take) -> None:
    with pytest.raises(InvalidInput, match="f: line 1: longer than 8 bytes"):
        take(Blocks(io.BytesIO(b"123456789\n"), most=8, name="f"))
    with pytest.raises(InvalidInput, match="f: line 1: the last line does not end"):
        take(Blocks(io.BytesIO(b"1234567"), most=8, name="f"))
