"""The ear at the way out hears what tries to leave, and nothing else."""

import os
import shutil
import socket
import struct
import sys

import pytest

from sandbox.demo import airgap
from sandbox.supervisor.service import SandboxError

needs_namespaces = pytest.mark.skipif(
    os.geteuid() != 0 or not shutil.which("ip"), reason="network namespaces need root and iproute2"
)


def frame(protocol, port, payload=b"", source=airgap.INSIDE, kind=0x0800):
    ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 0, 0, 0, 64, protocol, 0, socket.inet_aton(source), b"\xc6\x33\x64\x07")
    return b"\0" * 12 + struct.pack("!H", kind) + ip + struct.pack("!HHHH", 4000, port, 0, 0) + payload


def test_a_packet_is_told_by_what_it_tries_to_reach():
    query = b"\0" * 12 + b"\x06config\x07example\x03org\0\0\1\0\1"
    assert airgap.describe(frame(17, 53, query)) == "the name server, for config.example.org"
    assert airgap.describe(frame(6, 443)) == "198.51.100.7:443 (TCP)"
    assert airgap.describe(frame(1, 0)) == "198.51.100.7 (IP protocol 1)"
    assert airgap.describe(frame(17, 53, b"\0" * 12)) == "the name server, for ?"


def test_what_did_not_come_from_inside_does_not_count():
    assert airgap.describe(frame(6, 443, source=airgap.OUTSIDE)) is None
    assert airgap.describe(frame(6, 443, kind=0x0806)) is None


@needs_namespaces
def test_a_command_that_asks_for_a_name_is_heard_and_one_that_does_not_is_not():
    try:
        quiet = airgap.run([sys.executable, "-c", "import socket; socket.create_server(('127.0.0.1', 0))"], {})
        loud = airgap.run(["/bin/sh", "-c", "getent hosts somewhere.invalid; exit 3"], {"PATH": os.environ["PATH"]})
    except SandboxError as error:
        pytest.skip(str(error))
    assert quiet == (0, {})
    code, heard = loud
    assert code == 3
    assert set(heard) == {"the name server, for somewhere.invalid"}


def test_where_it_cannot_be_done_that_is_said(monkeypatch):
    monkeypatch.setattr(airgap.os, "geteuid", lambda: 1000)
    with pytest.raises(SandboxError, match="needs root"), airgap.namespaces():
        pass
