import asyncio

import pytest

from sandbox.cluster import logs
from sandbox.cluster.logs import Window
from sandbox.cluster.timestamps import parse

TEXT = """\
2026-01-01T00:00:00.000000001Z F one
2026-01-01T00:00:10.000000001Z P tw
2026-01-01T00:00:10.000000002Z F o
2026-01-01T00:00:20.000000001Z F three
"""


def read(directory, **window):
    async def run():
        return b"".join([piece async for piece in logs.read(directory, Window(**window))]).decode()

    return asyncio.run(run())


@pytest.fixture
def directory(tmp_path):
    (tmp_path / "log").write_text(TEXT)
    return tmp_path


def test_windows(directory):
    assert read(directory) == "one\ntwo\nthree\n"
    assert read(directory, tail=1) == "three\n"
    assert read(directory, tail=0) == ""
    assert read(directory, limit=5) == "one\nt"
    assert read(directory, since=parse("2026-01-01T00:00:15Z")) == "three\n"
    stamped = read(directory, timestamps=True).splitlines()
    assert stamped[1] == "2026-01-01T00:00:10.000000001Z two"  # one time a line, however it was cut


def test_no_log_is_empty(tmp_path):
    assert read(tmp_path) == ""


def test_the_rotated_part_comes_first(directory):
    (directory / "log.old").write_text("2025-12-31T00:00:00.000000000Z F zero\n")
    assert read(directory) == "zero\none\ntwo\nthree\n"
    assert read(directory, tail=4) == "one\ntwo\nthree\n"


def test_following_sees_what_is_added_and_rotated_and_ends_with_the_container(directory):
    async def run():
        seen = []

        async def follow():
            async for piece in logs.read(directory, Window(follow=True, tail=0)):
                seen.append(piece)

        task = asyncio.create_task(follow())
        await asyncio.sleep(0.05)
        with (directory / "log").open("a") as file:
            file.write("2026-01-01T00:00:30.000000000Z F fo")
            file.flush()
            await asyncio.sleep(0.25)
            assert seen == []  # the line is not complete
            file.write("ur\n")
        await asyncio.sleep(0.25)
        assert seen == [b"four\n"]
        (directory / "log").rename(directory / "log.old")
        (directory / "log").write_text("2026-01-01T00:00:40.000000000Z F five\n")
        (directory / "exit").touch()
        await asyncio.wait_for(task, 5)
        assert seen == [b"four\n", b"five\n"]

    asyncio.run(run())


def test_a_long_line_that_is_followed_has_one_time(directory):
    async def run():
        seen = []

        async def follow():
            async for piece in logs.read(directory, Window(follow=True, tail=0, timestamps=True)):
                seen.append(piece)

        task = asyncio.create_task(follow())
        for line in ("2026-01-01T00:00:30Z P lo", "2026-01-01T00:00:31Z P n", "2026-01-01T00:00:32Z F g"):
            await asyncio.sleep(0.25)
            with (directory / "log").open("a") as file:
                file.write(f"{line}\n")
        (directory / "exit").touch()
        await asyncio.wait_for(task, 5)
        assert seen == [b"2026-01-01T00:00:30Z lo", b"n", b"g\n"]

    asyncio.run(run())
