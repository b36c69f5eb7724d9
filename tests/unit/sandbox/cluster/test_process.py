import asyncio
import os
import signal
import sys

from sandbox.cluster import process as module
from sandbox.cluster.process import Order, Process


def order(code):
    return Order(command=[sys.executable, "-c", code], env={"PATH": "/usr/bin:/bin"})


def test_a_process_is_found_again_while_it_runs_and_after(tmp_path):
    async def run():
        directory = tmp_path / "c" / "0"
        started = await Process.start(directory, order("import time; time.sleep(.5); raise SystemExit(4)"))
        found = await Process.adopt(directory)
        assert found.running
        assert found.started == started.started
        records = await asyncio.gather(started.wait(), found.wait())
        late = await Process.adopt(directory)
        assert not late.running
        assert [record.code for record in (*records, await late.wait())] == [4, 4, 4]

    asyncio.run(run())


def test_terminate_and_kill(tmp_path):
    async def run():
        deaf = "import signal, time; signal.signal(15, signal.SIG_IGN); open('{}', 'w'); time.sleep(300)"
        process = await Process.start(tmp_path / "0", order(deaf.format(tmp_path / "up")))
        while not (tmp_path / "up").exists():
            await asyncio.sleep(0.01)
        process.terminate()
        waiting = asyncio.create_task(process.wait())
        await asyncio.sleep(0.2)
        assert not waiting.done()
        process.kill()
        assert (await waiting).code == 137
        process.kill()  # harmless

    asyncio.run(run())


def test_a_lost_shim_is_told(tmp_path):
    async def run():
        process = await Process.start(tmp_path / "0", order("import time; time.sleep(300)"))
        shim = int((tmp_path / "0" / "pid").read_text().split()[0])
        os.kill(shim, signal.SIGKILL)
        record = await process.wait()
        assert (record.code, record.reason) == (137, "ContainerStatusUnknown")
        assert record.started == process.started

    asyncio.run(run())


def test_the_pid_of_another_process_is_not_ours(tmp_path):
    (tmp_path / "pid").write_text(f"{os.getpid()} 1 0.0\n")
    found = asyncio.run(Process.adopt(tmp_path))
    assert not found.running
    found.kill()  # or this test would not go on


def test_an_attempt_that_never_began_is_given_up(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_START_SECONDS", 0.05)
    assert asyncio.run(Process.adopt(tmp_path)) is None
    assert (tmp_path / "pid").exists()  # so that its shim, should it come late, does not start
