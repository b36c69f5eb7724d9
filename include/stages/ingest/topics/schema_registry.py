"""A schema registry's REST interface, as Confluent's, Karapace's, Redpanda's and Apicurio's speak it.

https://docs.confluent.io/platform/current/schema-registry/develop/api.html
"""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from include.foundation.echo import cause, cut
from include.foundation.errors import AccessRefused, InvalidInput, PermanentError, ServiceUnavailable

if TYPE_CHECKING:
    from collections.abc import Mapping

    import httpx

    from include.stages.ingest.topics.reader import Setting

SETTINGS = (
    "url",
    "basic.auth.user.info",
    "bearer.auth.token",
    "ssl.ca.location",
    "ssl.certificate.location",
    "ssl.key.location",
    "ssl.key.password",
)
ANSWER_SECONDS = 15.0
NOT_THERE = (40401, 40402, 40403)  # a subject, a version, a schema: what is known to be missing, not a wrong address
REFUSED = (401, 403)
PASSING = (408, 425, 429)


class SchemaRegistry:
    """Schemas, as `formats.avro_message.Schemas` says. Nothing is asked before a schema is.

    Args:
        settings: those of `SETTINGS`, as clients of Confluent name them; of `url`, several with commas between them.

    Raises:
        InvalidInput: a setting is unknown, or files of it cannot be read.
    """

    def __init__(self, settings: Mapping[str, Setting]) -> None:
        if strange := sorted({*settings} - {*SETTINGS}):
            raise InvalidInput(
                f"Connection `kafka`: its extra has schema.registry.{strange[0][:80]}; there are {', '.join(SETTINGS)}"
            )
        self._settings = {name: str(value) for name, value in settings.items()}
        self._urls = [url.strip().rstrip("/") for url in self._settings.get("url", "").split(",") if url.strip()]
        self._client: httpx.Client | None = None

    def by_id(self, number: int) -> Mapping[str, Any] | None:
        """The schema with an id; None where the registry has none.

        Raises:
            PermanentError: no registry is named, or what answers is none.
            AccessRefused: it refuses the credentials.
            ServiceUnavailable: it does not answer.
        """
        return self._get(f"/schemas/ids/{number}")

    def by_version(self, subject: str, version: int) -> Mapping[str, Any] | None:
        """A version of a subject, likewise."""
        return self._get(f"/subjects/{quote(subject, safe='')}/versions/{version}")

    def _get(self, path: str) -> Mapping[str, Any] | None:
        import httpx

        if not self._urls:
            raise PermanentError(
                f"Connection `kafka`: its extra lacks `schema.registry.url`; nothing tells {cut(path, 300)}"
            )
        self._client = self._client or self._made()
        failed: httpx.TransportError | None = None
        for url in self._urls:
            try:
                return self._read(self._client.get(url + path), path)
            except (httpx.InvalidURL, httpx.UnsupportedProtocol) as error:
                raise PermanentError(f"Connection `kafka`: `schema.registry.url` is no URL: {cause(error)}") from None
            except httpx.TransportError as error:
                failed = error
        if "CERTIFICATE_VERIFY_FAILED" in str(failed):
            raise PermanentError(
                f"schema registry: {cause(failed or ValueError())}: mend `schema.registry.ssl.ca.location` in the"
                " Connection `kafka`"
            )
        raise ServiceUnavailable(f"the schema registry does not answer: {cause(failed or ValueError())}") from failed

    def _read(self, answer: httpx.Response, path: str) -> Mapping[str, Any] | None:
        where = cut(f"{answer.url.host}:{answer.url.port or answer.url.scheme}{path}", 300)
        try:
            said = answer.json()
        except ValueError:
            said = None
        said = said if isinstance(said, dict) else {}
        if answer.status_code == 200 and isinstance(said.get("schema"), str):
            return said
        if answer.status_code == 404 and said.get("error_code") in NOT_THERE:
            return None
        told = f"the schema registry answers {answer.status_code} to {where}: {cut(str(said.get('message', '')), 200)}"
        if answer.status_code in REFUSED:
            raise AccessRefused(
                f"{told}; mend `schema.registry.basic.auth.user.info` or `schema.registry.bearer.auth.token` in the"
                " Connection `kafka`, or what they may read"
            )
        if answer.status_code in PASSING or answer.status_code >= 500:
            raise ServiceUnavailable(told)
        raise PermanentError(f"{told}; that is none: mend `schema.registry.url` in the Connection `kafka`")

    def _made(self) -> httpx.Client:
        import httpx

        given = self._settings
        user, _, password = given.get("basic.auth.user.info", "").partition(":")
        token = given.get("bearer.auth.token")
        try:
            context = ssl.create_default_context(cafile=given.get("ssl.ca.location"))
            if certificate := given.get("ssl.certificate.location"):
                context.load_cert_chain(certificate, given.get("ssl.key.location"), given.get("ssl.key.password"))
        except OSError as error:  # ssl.SSLError is one
            raise PermanentError(f"Connection `kafka`: files of `schema.registry.ssl.*`: {cause(error)}") from error
        return httpx.Client(
            auth=(user, password) if user else None,
            headers={"Accept": "application/vnd.schemaregistry.v1+json"}
            | ({"Authorization": f"Bearer {token}"} if token else {}),
            verify=context,
            timeout=ANSWER_SECONDS,
        )
