"""The parent of one container: starts it, writes its log, enforces its memory limit, leaves its exit status in a file.

It runs apart from the cluster in its own session, so neither the container nor its exit status is lost when the cluster
is killed. `shim.py DIRECTORY MEMORY WORKDIR COMMAND…` writes `pid`, `log` and `exit` into the directory; MEMORY is in
bytes, 0 for no limit; the container's environment comes on stdin as NAME=value, each ended by a zero byte.

Signals: SIGTERM is passed on to the container's main process, SIGUSR1 kills all of its processes at once.
When the main process ends, what is left of its descendants is killed, as with a PID namespace.
"""

# Every container starts one of these: json, pathlib and typing would cost it 30 ms more.
# ruff: noqa: PTH105, PTH112, PTH123, PTH208

import ctypes
import os
import select
import signal
import sys
import time
from collections.abc import Iterator
from types import FrameType

_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36
_PAGE = os.sysconf("SC_PAGE_SIZE")
_MEMORY_POLL_SECONDS, _REAP_SECONDS = 0.25, 5.0
_CHUNK = 64 * 1024
_LONGEST_LINE = 16 * 1024
_LARGEST_LOG = 10 * 1024 * 1024


def descendants(pid: int) -> Iterator[int]:
    """Pids below `pid`, parents before their children. None escapes: the shim is the subreaper of its subtree."""
    try:
        for task in os.listdir(f"/proc/{pid}/task"):
            for child in _read(f"/proc/{pid}/task/{task}/children").split():
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


def _read(path: str) -> str:
    with open(path) as file:
        return file.read()


def _state(pid: int) -> str:
    try:
        return _read(f"/proc/{pid}/stat").rpartition(") ")[2][0]
    except (FileNotFoundError, ProcessLookupError):
        return "X"


def memory(pids: list[int]) -> int:
    """Bytes that the processes hold and no page cache can give back, shared pages counted once."""
    total = 0
    for pid in pids:
        try:
            rollup = _read(f"/proc/{pid}/smaps_rollup")
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
            total += int(_read(f"/proc/{pid}/statm").split()[1]) * _PAGE
        except OSError:
            continue
    return total


class Log:
    """The container's output, a line each as `<time> <F or P> <text>`; P marks a line that goes on in the next one."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._file = open(path, "ab", buffering=0)  # noqa: SIM115
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
                os.replace(self._path, self._path + ".old")
                self._file = open(self._path, "ab", buffering=0)  # noqa: SIM115
            self._file.write(data)
        except OSError:
            return  # a full disk loses log lines, not the container


def _start(workdir: str, command: list[str], env: dict[bytes, bytes], output: int, failure: int) -> None:
    """Become the container (in the forked child)."""
    try:
        os.setsid()
        for number in (signal.SIGPIPE, signal.SIGXFSZ):  # Python ignores them, and exec would keep that
            signal.signal(number, signal.SIG_DFL)
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        null = os.open(os.devnull, os.O_RDONLY)
        for source, target in ((null, 0), (output, 1), (output, 2)):
            os.dup2(source, target)
        os.chdir(workdir)
        os.execvpe(command[0], command, env)  # noqa: S606  what a pod runs is its owner's choice
    except OSError as error:
        os.write(failure, f"{command[0]}: {error}".encode())
    os._exit(127)


class Container:
    """The container's main process, while it runs."""

    def __init__(self, log: Log, workdir: str, command: list[str], env: dict[bytes, bytes]) -> None:
        """Fork it, and return when it has become its command or has failed to."""
        self._log = log
        self._output, output = os.pipe()
        failure, failure_end = os.pipe()
        self.started = time.time()
        self.pid = os.fork()
        if self.pid == 0:
            _start(workdir, command, env, output, failure_end)
        os.close(output)
        os.close(failure_end)
        signal.signal(signal.SIGTERM, self._forward)
        signal.signal(signal.SIGUSR1, lambda _number, _frame: kill_all())
        self._failure = os.read(failure, 4096).decode()  # ends when exec closes the other end

    def _forward(self, _number: int, _frame: FrameType | None) -> None:
        os.kill(self.pid, signal.SIGTERM)  # reaped only once this is ignored, so the pid is still its own

    def run(self, limit: int) -> str:
        """Write its log until it ends; returns its exit record: code, signal, start, end, reason; then a message."""
        oom = self._watch(limit)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        kill_all()
        os.set_blocking(self._output, False)
        try:
            while data := os.read(self._output, _CHUNK):
                self._log.feed(data)
        except BlockingIOError:
            pass
        self._log.close()
        code = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        _reap(0)
        number, reason = max(0, -code), ""
        if self._failure:
            code, reason = 128, "StartError"
        elif oom:
            code, reason = 137, "OOMKilled"
        elif number:
            code = 128 + number
        return f"{code} {number} {self.started} {time.time()} {reason}\n{self._failure}"

    def _watch(self, limit: int) -> bool:
        """Return when the main process has ended, and whether that was for its memory."""
        ended, oom = os.pidfd_open(self.pid), False
        poll = select.poll()
        poll.register(self._output, select.POLLIN)
        poll.register(ended, select.POLLIN)
        while True:
            ready = [number for number, _ in poll.poll(1000 * (_MEMORY_POLL_SECONDS if limit else _REAP_SECONDS))]
            if self._output in ready:
                data = os.read(self._output, _CHUNK)
                if data:
                    self._log.feed(data)
                else:
                    poll.unregister(self._output)
            if ended in ready:
                return oom
            if limit and not oom:
                pids = list(descendants(os.getpid()))
                if resident(pids) > limit and memory(pids) > limit:
                    oom = True
                    kill_all()
            _reap(self.pid)


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


def _leave(record: str, directory: str) -> bool:
    """Write the exit record; returns whether the disk had room for it."""
    try:
        with open(f"{directory}/exit.part", "w") as file:
            file.write(record)
        os.replace(f"{directory}/exit.part", f"{directory}/exit")
    except OSError:
        return not os.path.isdir(directory)  # without its directory nobody waits for the record
    return True


def main() -> None:
    """Claim the attempt, run it, leave its record."""
    directory, limit, workdir, *command = sys.argv[1:]
    env = dict(entry.split(b"=", 1) for entry in sys.stdin.buffer.read().split(b"\0") if entry)
    try:
        # Whoever creates this file decides: the cluster does so to give up an attempt that never began.
        os.close(os.open(f"{directory}/pid", os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    except FileExistsError:
        return
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1)
    container = Container(Log(f"{directory}/log"), workdir, command, env)
    with open(f"{directory}/pid", "w") as file:
        file.write(f"{os.getpid()} {container.pid} {container.started}\n")
    record = container.run(int(limit))
    while not _leave(record, directory):
        time.sleep(1)


if __name__ == "__main__":
    main()
