"""A stream of text cut at line ends, a bounded number of bytes at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from include.foundation.errors import InvalidInput
from include.stages.ingest.formats.format import NoRows

if TYPE_CHECKING:
    from typing import BinaryIO

BYTE_ORDER_MARK = b"\xef\xbb\xbf"
# What other kinds of file begin with. https://en.wikipedia.org/wiki/List_of_file_signatures
SIGNATURES = {
    b"\x1f\x8b": "it is gzip: say `compression: gzip` in the spec, and let its name end in .gz",
    b"\xff\xfe": "it is UTF-16, which is not valid UTF-8",
    b"\xfe\xff": "it is UTF-16, which is not valid UTF-8",
    b"PK\x03\x04": "it is a ZIP archive (an Excel workbook is one)",
    b"PAR1": "it is Parquet: say `format: {type: parquet}` in the spec, and let its name end in .parquet",
    b"BZh": "it is bzip2",
    b"(\xb5/\xfd": "it is Zstandard",
}


class Blocks:
    """The lines of a stream.

    Args:
        stream: the bytes.
        most: bytes that a line, and so a block, may have.
        name: what messages call the file.

    Raises:
        NoRows: it is empty.
        InvalidInput: it is another kind of file.
    """

    def __init__(self, stream: BinaryIO, *, most: int, name: str) -> None:
        self._stream, self._most, self._name = stream, most, name
        self._buffer, self._at = b"", 0
        self.line = 1  # where the next block or line begins
        self._fill()
        if not self._buffer:
            raise NoRows(f"{name}: line 1: the file is empty")
        for signature, what in SIGNATURES.items():
            if self._buffer.startswith(signature):
                raise InvalidInput(f"{name}: line 1: {what}")
        if b"\r" in self._buffer and b"\n" not in self._buffer:
            raise InvalidInput(f"{name}: line 1: lines end in CR alone; save the file with LF or CRLF line ends")
        if self._buffer.startswith(BYTE_ORDER_MARK):
            self._at = len(BYTE_ORDER_MARK)

    def peek(self) -> bytes:
        """The next whole lines, as many as may be at once, left where they are; nothing at the end."""
        end = self._buffer.rfind(b"\n", self._at) + 1
        if not end or len(self._buffer) - self._at < self._most:
            self._fill()
            end = self._buffer.rfind(b"\n", self._at) + 1
        if not end and self._at < len(self._buffer):
            self._refuse()
        block = self._buffer[self._at : end] if end else b""
        if (nul := block.find(b"\0")) >= 0:
            line = self.line + block.count(b"\n", 0, nul)
            raise InvalidInput(f"{self._name}: line {line}: a NUL byte, which no text has")
        return block

    def skip(self, block: bytes, lines: int) -> None:
        """Go past a block that was peeked at, with its number of lines."""
        self._at += len(block)
        self.line += lines

    def next_line(self) -> bytes:
        """The next line with its end; nothing at the end."""
        end = self._buffer.find(b"\n", self._at) + 1
        if not end:
            self._fill()
            end = self._buffer.find(b"\n", self._at) + 1
        if not end:
            if self._at < len(self._buffer):
                self._refuse()
            return b""
        found = self._buffer[self._at : end]
        if b"\0" in found:
            raise InvalidInput(f"{self._name}: line {self.line}: a NUL byte, which no text has")
        self._at = end
        self.line += 1
        return found

    def _fill(self) -> None:
        """Read on until there are `most` bytes, or no more."""
        parts = [self._buffer[self._at :]]
        size = len(parts[0])
        while size < self._most and (more := self._stream.read(self._most - size)):
            parts.append(more)
            size += len(more)
        self._buffer, self._at = b"".join(parts), 0

    def _refuse(self) -> None:
        if len(self._buffer) - self._at >= self._most:
            raise InvalidInput(
                f"{self._name}: line {self.line}: longer than {self._most:,} bytes; if the file is right, raise"
                " `max_row_bytes` in the spec"
            )
        raise InvalidInput(f"{self._name}: line {self.line}: the last line does not end; the file is truncated")


def decoded(data: bytes, *, name: str, line: int) -> str:
    """Bytes as text.

    Raises:
        InvalidInput: they are not valid UTF-8.
    """
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        at = line + data.count(b"\n", 0, error.start)
        raise InvalidInput(f"{name}: line {at}: byte 0x{data[error.start]:02x} is not valid UTF-8") from error
