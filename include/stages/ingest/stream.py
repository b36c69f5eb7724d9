"""A landed object as a stream of bytes, decompressed."""

from __future__ import annotations

import gzip
import io
import zlib
from typing import TYPE_CHECKING, BinaryIO, cast

from include.foundation.echo import cause
from include.foundation.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Iterator

    from include.foundation.spec.sources import Source


class _Chunks(io.RawIOBase):
    """Chunks as a stream."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks, self._rest = chunks, memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        if not self._rest:
            self._rest = memoryview(next(self._chunks, b""))
        size = min(len(buffer), len(self._rest))
        buffer[:size] = self._rest[:size]
        self._rest = self._rest[size:]
        return size


class _Gunzipped(io.RawIOBase):
    """A gzip stream, whose faults name the file."""

    def __init__(self, stream: BinaryIO, name: str) -> None:
        self._file, self._name = gzip.GzipFile(fileobj=stream), name

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        try:
            return self._file.readinto(buffer)
        except EOFError as error:
            raise InvalidInput(f"{self._name}: the gzip stream does not end; the file is truncated") from error
        except (OSError, zlib.error) as error:
            raise InvalidInput(f"{self._name}: not gzip, or damaged: {cause(error)}") from error


def opened(chunks: Iterator[bytes], *, source: Source, name: str) -> BinaryIO:
    """A stream of the content. Reading raises InvalidInput where it is not compressed as the spec says."""
    stream = cast("BinaryIO", io.BufferedReader(_Chunks(chunks), 1 << 16))
    if source.compression == "gzip":
        return cast("BinaryIO", io.BufferedReader(_Gunzipped(stream, name), 1 << 16))
    return stream
