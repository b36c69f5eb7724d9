"""The Host header: a page of another site must not reach a service by a name of its own (DNS rebinding)."""

import ipaddress
import re
from collections.abc import Iterable

_HOST = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9_.-]{1,253})(?::[0-9]{1,5})?")
# No public name server answers for these, so nobody can point one at a machine of ours.
_PRIVATE = (".localhost", ".svc", ".local", ".internal")


class Hosts:
    """The names that a service answers to.

    Addresses, names without a dot and names of a cluster always; others only if they are listed.

    Args:
        listed: further names; one that begins with a dot stands for all that end so.
    """

    def __init__(self, listed: Iterable[str] = ()) -> None:
        self._listed = tuple(name.lower() for name in listed)
        self._verdicts: dict[bytes, bool] = {}

    def allow(self, header: bytes) -> bool:
        """Whether a Host header names the service."""
        known = self._verdicts.get(header)
        if known is None:
            known = self._judge(header.decode("latin-1").lower())
            if len(self._verdicts) < 1000:
                self._verdicts[header] = known
        return known

    def _judge(self, header: str) -> bool:
        match = _HOST.fullmatch(header)
        if not match:
            return False
        name = match[1].rstrip(".")
        if "." not in name.strip("[]") and ":" not in name:
            return True
        if name.endswith(_PRIVATE) or name in self._listed:
            return True
        if any(each.startswith(".") and name.endswith(each) for each in self._listed):
            return True
        try:
            ipaddress.ip_address(name.strip("[]"))
        except ValueError:
            return False
        return True
