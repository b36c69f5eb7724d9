"""The parent of one container: starts it, writes its log, enforces its memory limit, leaves its exit status in a file.

It runs apart from the cluster in its own session, so neither the container nor its exit status is lost when the cluster
is killed. It imports nothing of this package, so that it starts in a few milliseconds. Its argument is the directory
for `pid`, `log` and `exit`; the order comes as JSON on stdin: `argv`, `env`, `cwd`, `memory` (bytes or null).

Signals: SIGTERM is passed on to the container's main process, SIGUSR1 kills all of its processes at once.
When the main process ends, what is left of its descendants is killed, as with a PID namespace.
"""

import ctypes
import json
import os
import select
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36
_PAGE = os.sysconf("SC_PAGE_SIZE")
_MEMORY_POLL_SECONDS, _REAP_SECONDS = 0.25, 5.0
_LONGEST_LINE = 16 * 1024
_LARGEST_LOG = 10 * 1024 * 1024


def descendants(pid: int) -> Iterator[int]:
    """Pids below `pid`, parents before their children. None escapes: the shim is the subreaper of its subtree."""
    try:
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                yield int(child)
                yield from descendants(int(child))
    except (FileNotFoundError, ProcessLookupError):
        return


def kill_all() -> None:
    """Kill every descendant, also those that are born meanwhile; returns when only zombies are left."""
    while living := [pid for pid in descendants(os.getpid()) if _state(pid) not in "ZX"]:
        for pid in living:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        time.sleep(0.002)


def _state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0]
    except (FileNotFoundError, ProcessLookupError):
        return "X"


def memory(pids: list[int]) -> int:
    """Bytes that the processes hold and no page cache can give back, shared pages counted once."""
    total = 0
    for pid in pids:
        try:
            rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
        except OSError:
            continue
        for line in rollup.splitlines():
            if line.startswith(("Pss_Anon:", "Pss_Shmem:")):
                total += int(line.split()[1]) * 1024
    return total


def resident(pids: list[int]) -> int:
    """Bytes in RAM, shared pages counted once per process: an upper bound of `memory` that is cheap to read."""
    total = 0
    for pid in pids:
        try:
            total += int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE
        except OSError:
            continue
    return total


class Log:
    """The container's output, a line each as `<time> <F or P> <text>`; P marks a line that goes on in the next one."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = path.open("ab", buffering=0)
        self._rest = b""

    def feed(self, data: bytes) -> None:
        """Take output; a line is written when it is complete or too long."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        stamp = self._stamp()
        out = bytearray()
        for line in lines:
            start = 0
            while len(line) - start > _LONGEST_LINE:
                out += b"%s P %s\n" % (stamp, line[start : start + _LONGEST_LINE])
                start += _LONGEST_LINE
            out += b"%s F %s\n" % (stamp, line[start:])
        if len(self._rest) >= _LONGEST_LINE:
            out += b"%s P %s\n" % (stamp, self._rest)
            self._rest = b""
        self._write(bytes(out))

    def close(self) -> None:
        """Write what is left of an unfinished line."""
        if self._rest:
            self._write(b"%s P %s\n" % (self._stamp(), self._rest))
        self._file.close()

    @staticmethod
    def _stamp() -> bytes:
        seconds, nanoseconds = divmod(time.time_ns(), 10**9)
        return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(seconds))}.{nanoseconds:09d}Z".encode()

    def _write(self, data: bytes) -> None:
        try:
            if self._file.tell() + len(data) > _LARGEST_LOG:
                self._file.close()
                self._path.replace(self._path.with_suffix(".old"))
                self._file = self._path.open("ab", buffering=0)
            self._file.write(data)
        except OSError:
            return  # a full disk loses log lines, not the container


def _start(order: dict[str, Any], output: int, failure: int) -> NoReturn:
    """Become the container (in the forked child)."""
    try:
        os.setsid()
        for number in (signal.SIGPIPE, signal.SIGXFSZ):  # Python ignores them, and exec would keep that
            signal.signal(number, signal.SIG_DFL)
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        null = os.open(os.devnull, os.O_RDONLY)
        for source, target in ((null, 0), (output, 1), (output, 2)):
            os.dup2(source, target)
        os.chdir(order["cwd"])
        os.execvpe(order["argv"][0], order["argv"], order["env"])  # noqa: S606  what a pod runs is its owner's choice
    except OSError as error:
        os.write(failure, f"{order['argv'][0]}: {error}".encode())
    os._exit(127)


def run(directory: Path, order: dict[str, Any]) -> dict[str, Any]:
    """Run the container to its end and return the exit record."""
    log, limit = Log(directory / "log"), order["memory"]
    output, output_end = os.pipe()
    failure, failure_end = os.pipe()
    started = time.time()
    child = os.fork()
    if child == 0:
        _start(order, output_end, failure_end)
    os.close(output_end)
    os.close(failure_end)

    def forward(_number: int, _frame: FrameType | None) -> None:
        os.kill(child, signal.SIGTERM)  # not yet reaped, so the pid is still ours

    signal.signal(signal.SIGTERM, forward)
    signal.signal(signal.SIGUSR1, lambda _number, _frame: kill_all())
    message = os.read(failure, 4096).decode()  # ends when exec closes the other end
    (directory / "pid").write_text(f"{os.getpid()} {child} {started}\n")
    oom, ended = False, os.pidfd_open(child)
    poll = select.poll()
    poll.register(output, select.POLLIN)
    poll.register(ended, select.POLLIN)
    while True:
        ready = [number for number, _ in poll.poll(1000 * (_MEMORY_POLL_SECONDS if limit else _REAP_SECONDS))]
        if output in ready:
            data = os.read(output, 1 << 16)
            if data:
                log.feed(data)
            else:
                poll.unregister(output)
        if ended in ready:
            break
        if limit and not oom:
            pids = list(descendants(os.getpid()))
            if resident(pids) > limit and memory(pids) > limit:
                oom = True
                kill_all()
        _reap(child)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    kill_all()
    os.set_blocking(output, False)
    try:
        while data := os.read(output, 1 << 16):
            log.feed(data)
    except BlockingIOError:
        pass
    log.close()
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    _reap(0)
    record = {
        "code": code if code >= 0 else 128 - code,
        "signal": max(0, -code),
        "started": started,
        "finished": time.time(),
    }
    if message:
        return record | {"code": 128, "reason": "StartError", "message": f"failed to create containerd task: {message}"}
    if oom:
        return record | {"code": 137, "reason": "OOMKilled"}
    return record


def _reap(child: int) -> None:
    """Reap adopted orphans, but leave the main process `child` for its exit status."""
    while True:
        try:
            ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:
            return
        if ended is None or ended.si_pid == child:
            return
        os.waitpid(ended.si_pid, 0)


def main() -> None:
    """Read the order, claim the attempt, run it, leave the record."""
    directory, order = Path(sys.argv[1]), json.load(sys.stdin)
    try:
        # Whoever creates this file decides: the cluster does so to give up an attempt that never began.
        os.close(os.open(directory / "pid", os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    except FileExistsError:
        return
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1)
    record = run(directory, order)
    part = directory / "exit.part"
    part.write_text(json.dumps(record))
    part.replace(directory / "exit")


if __name__ == "__main__":
    main()
