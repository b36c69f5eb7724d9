"""Who may call: the `admin` password, the token of a file, and the tokens (JWT, HS256) issued here."""

import base64
import hashlib
import hmac
import json
import secrets
import time
from collections import deque
from typing import Any

from sandbox.argocd.errors import INTERNAL, NOT_FOUND, UNAUTHENTICATED, ArgoError
from sandbox.argocd.store import Store

SESSION_SECONDS = 24 * 3600
FAILURES, FAILURE_WINDOW_SECONDS = 5, 300
ISSUER = "argocd"
# account: may it have tokens (the `apiKey` capability)?
ACCOUNTS = {"admin": False, "flightline": True}


class Accounts:
    """`token` always works and belongs to `flightline`; without `password` nobody can log in."""

    def __init__(self, store: Store, *, token: str, password: str | None = None) -> None:
        self._store = store
        self._token = token
        self._password = password
        self._key = store.secret("jwt", secrets.token_bytes(32))
        self._failures: deque[float] = deque(maxlen=FAILURES)

    def check(self, username: str, password: str) -> None:
        """Whether this is the login. Raises ArgoError 401, also after 5 failures in 300 s."""
        recent = [at for at in self._failures if time.monotonic() - at < FAILURE_WINDOW_SECONDS]
        right = self._password is not None and hmac.compare_digest(password.encode(), self._password.encode())
        if username != "admin" or not right or len(recent) >= FAILURES:
            self._failures.append(time.monotonic())
            raise ArgoError(UNAUTHENTICATED, "Invalid username or password")
        self._failures.clear()

    def login(self, username: str, password: str) -> str:
        """A session token. Raises ArgoError as `check` does."""
        self.check(username, password)
        return self._sign(subject="admin:login", token_id=secrets.token_hex(8), seconds=SESSION_SECONDS)

    def check_basic(self, authorization: str | None) -> None:
        """`check` of an Authorization header of HTTP Basic. Raises ArgoError 401, also for a header that is none."""
        scheme, _, encoded = (authorization or "").partition(" ")
        try:
            username, _, password = base64.b64decode(encoded, validate=True).decode().partition(":")
        except ValueError:
            scheme = ""
        if scheme.lower() != "basic":
            raise ArgoError(UNAUTHENTICATED, "log in as admin")
        self.check(username, password)

    def issue(self, account: str, *, token_id: str, seconds: int) -> str:
        """An API token of an account; `seconds` 0 means that it does not expire."""
        if account not in ACCOUNTS:
            raise ArgoError(NOT_FOUND, f"account '{account}' does not exist")
        if not ACCOUNTS[account]:
            raise ArgoError(INTERNAL, f"account '{account}' does not have apiKey capability")
        token_id = token_id or secrets.token_hex(16)
        if not self._store.add_token(account, token_id):
            raise ArgoError(INTERNAL, f"account already has token with id '{token_id}'")
        return self._sign(subject=f"{account}:apiKey", token_id=token_id, seconds=seconds)

    def user(self, authorization: str | None) -> str:
        """The account of an Authorization header. Raises ArgoError 401."""
        scheme, _, token = (authorization or "").partition(" ")
        if scheme != "Bearer" or not token:
            raise ArgoError(UNAUTHENTICATED, "no session information")
        if hmac.compare_digest(token.encode(), self._token.encode()):
            return "flightline"
        claims = self._verify(token)
        account, _, capability = claims["sub"].partition(":")
        if capability == "apiKey" and not self._store.has_token(account, claims["jti"]):
            raise ArgoError(UNAUTHENTICATED, "invalid session: token is revoked")
        return str(account)

    def _sign(self, *, subject: str, token_id: str, seconds: int) -> str:
        issued = int(time.time())
        claims: dict[str, Any] = {"iss": ISSUER, "sub": subject, "jti": token_id, "iat": issued, "nbf": issued}
        if seconds:
            claims["exp"] = issued + seconds
        signed = f"{_encode({'alg': 'HS256', 'typ': 'JWT'})}.{_encode(claims)}"
        return f"{signed}.{self._signature(signed)}"

    def _signature(self, signed: str) -> str:
        return _base64(hmac.new(self._key, signed.encode(), hashlib.sha256).digest())

    def _verify(self, token: str) -> dict[str, Any]:
        signed, _, signature = token.rpartition(".")
        if not hmac.compare_digest(signature.encode(), self._signature(signed).encode()):
            raise ArgoError(UNAUTHENTICATED, "invalid session: signature is invalid")
        payload = signed.partition(".")[2]
        claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        if claims.get("exp", float("inf")) <= time.time():
            raise ArgoError(UNAUTHENTICATED, "invalid session: token is expired")
        return claims


def _base64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _encode(value: dict[str, Any]) -> str:
    return _base64(json.dumps(value, separators=(",", ":")).encode())
