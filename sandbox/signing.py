"""AWS Signature Version 4 in the Authorization header: sign a request, check one. Presigned URLs are left out.

Protocol: https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html
"""

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import quote, unquote

_ALGORITHM = "AWS4-HMAC-SHA256"
_DATE = "%Y%m%dT%H%M%SZ"
_SKEW = timedelta(minutes=15)
_UNRESERVED = "-_.~"


@dataclass(frozen=True, kw_only=True)
class Request:
    """What is signed: header names are lower-case; path and query are as they were sent."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Signer:
    """One key pair for one region's S3."""

    access_key: str
    secret_key: str
    region: str

    def headers(self, request: Request, *, at: datetime | None = None) -> dict[str, str]:
        """What to add to a request (which already has `host`) so that it is signed; its body stays unsigned."""
        date = (at or datetime.now(UTC)).strftime(_DATE)
        added = {"x-amz-date": date, "x-amz-content-sha256": "UNSIGNED-PAYLOAD"}
        whole = Request(
            method=request.method, path=request.path, query=request.query, headers={**request.headers, **added}
        )
        names = ";".join(sorted(whole.headers))
        credential = f"{self.access_key}/{self._scope(date)}"
        signature = self._signature(whole, date=date, names=names)
        authorization = f"{_ALGORITHM} Credential={credential}, SignedHeaders={names}, Signature={signature}"
        return {**added, "authorization": authorization}

    def accepts(self, request: Request, *, at: datetime | None = None) -> bool:
        """Whether the request was signed with this key pair within the last (or next) 15 minutes."""
        algorithm, _, rest = request.headers.get("authorization", "").partition(" ")
        parts = dict(part.strip().partition("=")[::2] for part in rest.split(","))
        date = request.headers.get("x-amz-date", "")
        try:
            age = (at or datetime.now(UTC)) - datetime.strptime(date, _DATE).replace(tzinfo=UTC)
            signature = self._signature(request, date=date, names=parts["SignedHeaders"])
        except (KeyError, ValueError):
            return False
        return (
            algorithm == _ALGORITHM
            and abs(age) <= _SKEW
            and "host" in parts["SignedHeaders"].split(";")
            and parts.get("Credential") == f"{self.access_key}/{self._scope(date)}"
            and hmac.compare_digest(signature, parts.get("Signature", ""))
        )

    def _scope(self, date: str) -> str:
        return f"{date[:8]}/{self.region}/s3/aws4_request"

    def _signature(self, request: Request, *, date: str, names: str) -> str:
        pairs = sorted(tuple(map(_encode, pair.partition("=")[::2])) for pair in request.query.split("&") if pair)
        canonical = [
            request.method,
            quote(unquote(request.path), safe=f"/{_UNRESERVED}"),
            "&".join(f"{name}={value}" for name, value in pairs),
            *(f"{name}:{' '.join(request.headers[name].split())}" for name in names.split(";")),
            "",
            names,
            request.headers["x-amz-content-sha256"],
        ]
        digest = hashlib.sha256("\n".join(canonical).encode()).hexdigest()
        key = f"AWS4{self.secret_key}".encode()
        for word in (date[:8], self.region, "s3", "aws4_request"):
            key = hmac.digest(key, word.encode(), "sha256")
        message = "\n".join((_ALGORITHM, date, self._scope(date), digest))
        return hmac.digest(key, message.encode(), "sha256").hex()


def _encode(text: str) -> str:
    return quote(unquote(text), safe=_UNRESERVED)
