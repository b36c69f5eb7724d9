"""What is wrong with an object, field by field, and the patterns that names must match."""

import re

from sandbox.cluster.status import Object

SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?")
LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
LEFT_OUT = "Forbidden: the sandbox cluster leaves this out"


class Faults(list[tuple[str, str]]):
    """Pairs of field and message."""

    def add(self, field: str, message: str) -> None:
        """Note one fault."""
        self.append((field, message))

    def whole(self, item: Object, key: str, path: str, least: int = 0) -> None:
        """Note a value that is there and is not an integer of at least `least`."""
        value = item.get(key)
        if value is not None and (not isinstance(value, int) or isinstance(value, bool) or value < least):
            self.add(f"{path}.{key}", f"Invalid value: {value!r}: must be an integer of at least {least}")
