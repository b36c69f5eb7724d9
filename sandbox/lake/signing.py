"""AWS Signature Version 4: sign a request, check one (by its header or its presigned URL). No Version 2.

Protocol: https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html and, for presigned URLs,
https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html
"""

import hashlib
import hmac
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl, quote, unquote

_ALGORITHM = "AWS4-HMAC-SHA256"
_DATE = "%Y%m%dT%H%M%SZ"
_SKEW = timedelta(minutes=15)
_UNRESERVED = "-_.~"
_UNSIGNED = "UNSIGNED-PAYLOAD"


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
        added = {"x-amz-date": date, "x-amz-content-sha256": _UNSIGNED}
        whole = replace(request, headers={**request.headers, **added})
        names = ";".join(sorted(whole.headers))
        signature = self._signature(whole, date=date, names=names, payload=_UNSIGNED)
        credential = f"{self.access_key}/{self._scope(date)}"
        authorization = f"{_ALGORITHM} Credential={credential}, SignedHeaders={names}, Signature={signature}"
        return {**added, "authorization": authorization}

    def accepts(self, request: Request, *, at: datetime | None = None) -> bool:
        """Whether the request was signed with this key pair, within a quarter of an hour or what its URL allows."""
        query = dict(parse_qsl(request.query, keep_blank_values=True))
        try:
            if "authorization" in request.headers:
                algorithm, _, rest = request.headers["authorization"].partition(" ")
                claim = dict(part.strip().partition("=")[::2] for part in rest.split(","))
                date, age_limit = request.headers["x-amz-date"], _SKEW
                payload = request.headers["x-amz-content-sha256"]
            else:
                algorithm, date = query["X-Amz-Algorithm"], query["X-Amz-Date"]
                claim = {name: query[f"X-Amz-{name}"] for name in ("Credential", "SignedHeaders", "Signature")}
                age_limit, payload = timedelta(seconds=int(query["X-Amz-Expires"])), _UNSIGNED
            age = (at or datetime.now(UTC)) - datetime.strptime(date, _DATE).replace(tzinfo=UTC)
            signature = self._signature(request, date=date, names=claim["SignedHeaders"], payload=payload)
            return (
                algorithm == _ALGORITHM
                and -_SKEW <= age <= age_limit
                and "host" in claim["SignedHeaders"].split(";")
                and claim["Credential"] == f"{self.access_key}/{self._scope(date)}"
                and hmac.compare_digest(signature, claim["Signature"])
            )
        except (KeyError, TypeError, ValueError):  # something is missing, not ASCII, no date, no number
            return False

    def _scope(self, date: str) -> str:
        return f"{date[:8]}/{self.region}/s3/aws4_request"

    def _signature(self, request: Request, *, date: str, names: str, payload: str) -> str:
        pairs = sorted((_encode(name), _encode(value)) for name, value in _pairs(request.query))
        canonical = [
            request.method,
            quote(unquote(request.path), safe=f"/{_UNRESERVED}"),
            "&".join(f"{name}={value}" for name, value in pairs),
            *(f"{name}:{' '.join(request.headers[name].split())}" for name in names.split(";")),
            "",
            names,
            payload,
        ]
        digest = hashlib.sha256("\n".join(canonical).encode()).hexdigest()
        key = f"AWS4{self.secret_key}".encode()
        for word in (date[:8], self.region, "s3", "aws4_request"):
            key = hmac.digest(key, word.encode(), "sha256")
        message = "\n".join((_ALGORITHM, date, self._scope(date), digest))
        return hmac.digest(key, message.encode(), "sha256").hex()


def _pairs(query: str) -> Iterator[tuple[str, str]]:
    """The parameters as they were sent, but for a presigned URL's signature."""
    for pair in filter(None, query.split("&")):
        name, _, value = pair.partition("=")
        if name != "X-Amz-Signature":
            yield name, value


def _encode(text: str) -> str:
    return quote(unquote(text), safe=_UNRESERVED)
