"""Container logs: files that the shim writes, read and followed as `pods/log` does."""

import asyncio
import os
from collections import deque
from collections.abc import AsyncIterator, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import BinaryIO

from sandbox.cluster.timestamps import parse

_POLL_SECONDS = 0.1
_BATCH = 500


@dataclass(frozen=True, kw_only=True)
class Window:
    """Which part of a log is asked for; times in seconds since the epoch."""

    follow: bool = False
    timestamps: bool = False
    tail: int | None = None
    since: float | None = None
    limit: int | None = None

    def shown(self, lines: Iterable[bytes], *, continued: bool = False) -> Iterator[bytes]:
        """Lines of the file as they are sent: without tag, unless asked without time, and not the older ones.

        `continued` says whether the first of them goes on with a line that was begun before.
        """
        for line in lines:
            stamp, tag, text = line.rstrip(b"\n").split(b" ", 2)
            # The shim writes nanoseconds, datetime reads microseconds.
            if self.since is not None and parse(stamp.decode()[:26] + "Z") < self.since:
                continue
            yield (stamp + b" " if self.timestamps and not continued else b"") + text + (b"\n" if tag == b"F" else b"")
            continued = tag == b"P"


async def read(directory: Path, window: Window) -> AsyncIterator[bytes]:
    """Yield the log of one attempt in pieces; with `follow` until the container has ended."""
    left, continued = window.limit, False
    async for lines in _batches(directory, window):
        piece = b"".join(window.shown(lines, continued=continued))
        continued = lines[-1].split(b" ", 2)[1] == b"P"
        if left is not None:
            piece = piece[:left]
            left -= len(piece)
        if piece:
            yield piece
        if left == 0:
            return


async def _batches(directory: Path, window: Window) -> AsyncIterator[list[bytes]]:
    old, path = directory / "log.old", directory / "log"
    try:
        file = path.open("rb")
    except FileNotFoundError:
        return
    try:
        begin: Iterable[bytes] = _whole(old) if old.exists() else ()
        if window.tail is not None:
            begin = deque(chain(begin, _complete(file)), maxlen=window.tail)
        while True:
            ended = not window.follow or (directory / "exit").exists() or not directory.exists()
            lines = chain(begin, _complete(file))
            while batch := list(islice(lines, _BATCH)):
                yield batch
            begin = ()
            if _replaced(file, path):
                file.close()
                file = path.open("rb")
            elif ended:
                return
            else:
                await asyncio.sleep(_POLL_SECONDS)
    finally:
        file.close()


def _whole(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        yield from file


def _complete(file: BinaryIO) -> Iterator[bytes]:
    """Complete lines from where the file stands; an unfinished one is left for the next time."""
    while line := file.readline():
        if not line.endswith(b"\n"):
            file.seek(-len(line), os.SEEK_CUR)
            return
        yield line


def _replaced(file: BinaryIO, path: Path) -> bool:
    """Whether the shim has begun a new file."""
    try:
        return path.stat().st_ino != os.fstat(file.fileno()).st_ino
    except FileNotFoundError:
        return False
