"""`make airgap`: the whole demo on a machine that can reach nobody, and every packet that tries to leave is seen.

The demo runs in a network namespace whose default route and name server are the other end of a veth pair. There, in a
namespace of its own that forwards nothing, this program listens. Needs root and `ip` (Debian: iproute2).
"""

import argparse
import os
import select
import shutil
import socket
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sandbox.supervisor.service import REPO, SandboxError

OUTSIDE, INSIDE = "192.0.2.1", "192.0.2.2"  # TEST-NET-1 (RFC 5737): no machine of anybody's
_IPV4 = 0x0800
_UDP, _TCP = 17, 6


def describe(frame: bytes) -> str | None:
    """What an Ethernet frame from inside tries to reach; None for what is no IPv4 (the kernel's own ARP)."""
    if int.from_bytes(frame[12:14], "big") != _IPV4 or frame[26:30] != socket.inet_aton(INSIDE):
        return None
    header, protocol = 14 + (frame[14] & 15) * 4, frame[23]
    target = socket.inet_ntoa(frame[30:34])
    if protocol not in (_UDP, _TCP):
        return f"{target} (IP protocol {protocol})"
    port = int.from_bytes(frame[header + 2 : header + 4], "big")
    if protocol == _UDP and port == socket.getservbyname("domain"):
        return f"the name server, for {_question(frame[header + 8 :])}"
    return f"{target}:{port} ({'UDP' if protocol == _UDP else 'TCP'})"


def _question(message: bytes) -> str:
    """The name that a DNS query asks for (RFC 1035, 4.1.2)."""
    labels, at = [], 12
    while at < len(message) and message[at]:
        labels.append(message[at + 1 : at + 1 + message[at]].decode("ascii", "replace"))
        at += 1 + message[at]
    return ".".join(labels) or "?"


def listen(device: str) -> None:
    """Write what arrives at the device, a line each, until standard input ends and all that had arrived is written."""
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3)) as everything:
        everything.bind((device, 0))
        sys.stdout.write("listening\n")
        sys.stdout.flush()
        while everything in select.select([everything, sys.stdin], [], [])[0]:
            if said := describe(everything.recv(65536)):
                sys.stdout.write(f"{said}\n")
                sys.stdout.flush()


@contextmanager
def namespaces() -> Iterator[tuple[str, str]]:
    """Names of two connected network namespaces, inside and outside; they are gone afterwards.

    Raises:
        SandboxError: this machine cannot make them; says why.
    """
    if os.geteuid() or not shutil.which("ip"):
        raise SandboxError("this needs root, and `ip` (Debian: iproute2): run `make airgap` as root where both are")
    inside, outside = f"flt-in-{os.getpid()}", f"flt-out-{os.getpid()}"
    resolver = Path("/etc/netns") / inside

    def ip(*words: str) -> None:
        done = subprocess.run(("ip", *words), check=False, capture_output=True, text=True)
        if done.returncode:
            raise SandboxError(f"this machine makes no network namespaces: ip {' '.join(words)}: {done.stderr.strip()}")

    try:
        for name in (inside, outside):
            ip("netns", "add", name)
            ip("-n", name, "link", "set", "lo", "up")
        ip("-n", inside, "link", "add", "way-out", "type", "veth", "peer", "name", "way-in", "netns", outside)
        for name, device, address in ((inside, "way-out", INSIDE), (outside, "way-in", OUTSIDE)):
            ip("netns", "exec", name, "sysctl", "-qw", f"net.ipv6.conf.{device}.disable_ipv6=1")
            ip("-n", name, "addr", "add", f"{address}/30", "dev", device)
            ip("-n", name, "link", "set", device, "up")
        ip("-n", inside, "route", "add", "default", "via", OUTSIDE)
        resolver.mkdir(parents=True)
        (resolver / "resolv.conf").write_text(f"nameserver {OUTSIDE}\noptions timeout:1 attempts:1\n")
        yield inside, outside
    finally:
        for name in (inside, outside):
            subprocess.run(("ip", "netns", "del", name), check=False, capture_output=True)
        shutil.rmtree(resolver, ignore_errors=True)


def run(command: list[str], env: dict[str, str]) -> tuple[int, Counter[str]]:
    """Run a command inside; its exit code, and what tried to leave how often."""
    with namespaces() as (inside, outside):
        words = ("ip", "netns", "exec", outside, sys.executable, "-m", "sandbox.demo.airgap", "--listen", "way-in")
        ear = subprocess.Popen(words, cwd=REPO, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        try:
            if not ear.stdout or ear.stdout.readline() != "listening\n":
                raise SandboxError("nobody could listen at the way out")
            done = subprocess.run(("ip", "netns", "exec", inside, *command), cwd=REPO, env=env, check=False)
        finally:
            heard, _ = ear.communicate()
    return done.returncode, Counter(heard.splitlines())


def main() -> int:
    """The command line. 0 only if the demo succeeded and nothing tried to leave."""
    parser = argparse.ArgumentParser(prog="python -m sandbox.demo.airgap", description=__doc__.partition("\n")[0])
    parser.add_argument("--listen", help=argparse.SUPPRESS)
    parser.add_argument("command", nargs="*", default=["make", "demo"], help="what to run (default: make demo)")
    options = parser.parse_args()
    if options.listen:
        listen(options.listen)
        return 0
    with tempfile.TemporaryDirectory(prefix="flt-") as home:
        env = {**os.environ, "FLIGHTLINE_HOME": home}
        try:
            code, heard = run(options.command, env)
        except SandboxError as error:
            sys.stderr.write(f"airgap: {error}\n")
            return 2
        finally:
            subprocess.run((sys.executable, "-m", "sandbox", "down"), cwd=REPO, env=env, check=False)
    for said, times in heard.most_common(20):
        sys.stdout.write(f"tried to reach {said}: {times} packets\n")
    sys.stdout.write(f"airgap: exit code {code}, {heard.total()} packets tried to leave\n")
    return code or int(bool(heard))


if __name__ == "__main__":
    sys.exit(main())
