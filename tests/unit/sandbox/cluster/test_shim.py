"""The shim as the cluster starts it: a process of its own."""

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
import time

import psutil
import pytest

from sandbox.cluster import shim
from sandbox.cluster.process import Order, Process

LINE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z ([FP]) (.*)")


def order(code, **more):
    return Order(**{"command": [sys.executable, "-u", "-c", code], "env": {"PATH": os.environ["PATH"]}, **more})


def start(directory, order):
    words = [str(directory), str(order.memory), order.workdir, *order.command]
    process = subprocess.Popen([sys.executable, "-I", "-S", shim.__file__, *words], stdin=subprocess.PIPE)
    process.stdin.write(b"".join(f"{name}={value}\0".encode() for name, value in order.env.items()))
    process.stdin.close()
    return process


def finish(directory, process, seconds=60):
    assert process.wait(seconds) == 0
    return asyncio.run(read(directory))


async def read(directory):
    return await (await Process.adopt(directory)).wait()


def run(directory, order):
    return finish(directory, start(directory, order))


def output(directory):
    return [LINE.fullmatch(line).groups() for line in (directory / "log").read_text().splitlines()]


def until(check):
    deadline = time.monotonic() + 60
    while not check():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_output_and_exit_code(tmp_path):
    code = """
import os, sys
print("out")
print("err", file=sys.stderr)
print(sorted(os.environ))
print(os.getcwd(), end="")
sys.exit(9)
"""
    record = run(tmp_path, order(code))
    assert (record.code, record.signal) == (9, 0)
    assert record.started <= record.finished
    lines = output(tmp_path)
    assert lines[:2] == [("F", "out"), ("F", "err")]
    assert set(json.loads(lines[2][1].replace("'", '"'))) <= {"PATH", "LC_CTYPE"}
    assert lines[3] == ("P", "/")  # it ended without a newline


def test_long_lines_are_cut_and_marked(tmp_path):
    run(tmp_path, order("print('x' * 40000)\nprint('y')"))
    lines = output(tmp_path)
    tags = [tag for tag, _ in lines]
    assert len(tags) > 2
    assert tags == ["P"] * (len(tags) - 2) + ["F", "F"]
    assert "".join(text for _, text in lines) == "x" * 40000 + "y"


@pytest.mark.parametrize("change", [{"command": ["no-such-program"]}, {"workdir": "/no/such/folder"}])
def test_what_cannot_start_says_why(tmp_path, change):
    record = run(tmp_path, order("", **change))
    assert (record.code, record.reason) == (128, "StartError")
    assert "No such file or directory" in record.message


def test_signals_reach_the_container_or_kill_all_of_it(tmp_path):
    code = """
import signal, subprocess, sys
signal.signal(signal.SIGTERM, lambda *_: print("asked"))
subprocess.Popen(["setsid", "sleep", "303"])
print("up")
while True: signal.pause()
"""
    process = start(tmp_path, order(code))
    until(lambda: ("F", "up") in output(tmp_path) if (tmp_path / "log").exists() else False)
    until(lambda: len(psutil.Process(process.pid).children(recursive=True)) == 2)
    tree = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(signal.SIGTERM)
    until(lambda: ("F", "asked") in output(tmp_path))
    process.send_signal(signal.SIGUSR1)
    record = finish(tmp_path, process)
    assert (record.code, record.signal) == (137, 9)
    assert not any(child.is_running() for child in tree)


def test_nothing_is_left_when_the_main_process_ends(tmp_path):
    code = "import subprocess; print(subprocess.Popen(['setsid', '-f', 'sh', '-c', 'sleep 304 & sleep 304']).wait())"
    assert run(tmp_path, order(code)).code == 0
    assert not [item for item in psutil.process_iter(["cmdline"]) if "304" in (item.info["cmdline"] or ())]


def test_the_container_dies_with_its_shim(tmp_path):
    process = start(tmp_path, order("import time; print('up'); time.sleep(305)"))
    until(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text())
    child = psutil.Process(int((tmp_path / "pid").read_text().split()[1]))
    process.kill()
    process.wait()
    until(lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE)


@pytest.mark.parametrize(("own", "reason"), [(False, ""), (True, "OOMKilled")])
def test_memory_is_counted_over_all_processes_and_shared_pages_once(tmp_path, own, reason):
    code = """
import os, sys, time
hoard = bytearray(os.urandom(60 << 20))
for _ in range(3):
    if os.fork() == 0:
        if OWN:
            hoard = bytearray(os.urandom(60 << 20))
            time.sleep(300)
        time.sleep(1)
        os._exit(0)
for _ in range(3):
    os.wait()
"""
    assert run(tmp_path, order(code.replace("OWN", str(own)), memory=150 << 20)).reason == reason


def test_an_attempt_that_was_given_up_does_not_start(tmp_path):
    (tmp_path / "pid").touch()
    process = start(tmp_path, order("open('made', 'w')", workdir=str(tmp_path)))
    assert process.wait(60) == 0
    assert [path.name for path in tmp_path.iterdir()] == ["pid"]


def test_a_full_log_is_rotated(tmp_path, monkeypatch):
    monkeypatch.setattr(shim, "_LARGEST_LOG", 1000)
    log = shim.Log(str(tmp_path / "log"))
    for number in range(40):
        log.feed(f"{number}\n".encode())
    log.close()
    kept = [line.split()[-1] for name in ("log.old", "log") for line in (tmp_path / name).read_text().splitlines()]
    assert kept == [str(number) for number in range(40 - len(kept), 40)]
    assert all((tmp_path / name).stat().st_size <= 1000 for name in ("log.old", "log"))


def test_orphans_are_reaped_while_the_container_runs(tmp_path):
    code = "import subprocess, time; subprocess.run(['sh', '-c', 'sleep 3 &']); time.sleep(60)"
    process = start(tmp_path, order(code, memory=1 << 30))
    until(lambda: len(psutil.Process(process.pid).children()) == 2)
    until(lambda: len(psutil.Process(process.pid).children()) == 1)
    process.send_signal(signal.SIGUSR1)
    finish(tmp_path, process)


def test_a_full_disk_delays_the_exit_record_but_does_not_lose_it(tmp_path):
    (tmp_path / "exit.part").mkdir()  # cannot be written, as on a full disk
    process = start(tmp_path, order("raise SystemExit(6)"))
    until(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text())
    child = int((tmp_path / "pid").read_text().split()[1])
    until(lambda: not psutil.pid_exists(child))
    assert process.poll() is None
    (tmp_path / "exit.part").rmdir()
    assert finish(tmp_path, process).code == 6
