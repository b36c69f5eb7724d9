"""Tokens: made with a time to live, checked, revoked. Kept as digests in a file."""

import hashlib
import json
import secrets
import threading
import time
from dataclasses import asdict, dataclass
from pathlib import Path

LONGEST_SECONDS = 90 * 86_400  # auth-token-max-ttl-minutes


@dataclass(frozen=True)
class Token:
    """A token without its secret. `cluster` is the one that it is for, empty for all; `expires` is Unix time."""

    id: str
    digest: str
    expires: float
    cluster: str = ""


class Tokens:
    """The tokens of a server.

    Args:
        file: where they are kept.
        first: a token that always holds, as `<id>:<secret>`.
    """

    def __init__(self, file: Path, first: str) -> None:
        self._file, self._lock = file, threading.Lock()
        kept = [Token(**each) for each in json.loads(file.read_text())] if file.exists() else []
        self._tokens = {each.id: each for each in kept}
        name = first.partition(":")[0]
        self._tokens[name] = Token(name, _digest(first), float("inf"))

    def make(self, prefix: str, *, seconds: float, cluster: str = "") -> str:
        """A fresh token, `<prefix><id>:<secret>`; 0 seconds are as long as is allowed."""
        token = f"{prefix}{secrets.token_hex(4)}:{secrets.token_urlsafe(30)}"
        name = token.partition(":")[0]
        with self._lock:
            self._tokens[name] = Token(name, _digest(token), time.time() + (seconds or LONGEST_SECONDS), cluster)
            self._keep()
        return token

    def find(self, token: str) -> Token | None:
        """The token, if it holds."""
        found = self._tokens.get(token.partition(":")[0])
        sound = found and secrets.compare_digest(found.digest, _digest(token)) and found.expires > time.time()
        return found if sound else None

    def revoke(self, name: str) -> bool:
        """Whether there was such a token; it holds no longer."""
        with self._lock:
            found = self._tokens.pop(name, None)
            self._keep()
        return found is not None

    def _keep(self) -> None:
        kept = [asdict(each) for each in self._tokens.values() if each.expires != float("inf")]
        self._file.touch(mode=0o600)
        self._file.write_text(json.dumps(kept))


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
