"""REST APIs behind Connections: what their hooks share, and a request made again while its trouble may pass."""

import random
import time
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Self

import httpx
from airflow.sdk import BaseHook

from flightline.hooks.address import base_url

if TYPE_CHECKING:
    from airflow.sdk import Connection

RETRY_SECONDS = (0.5, 1.0, 2.0, 4.0)  # before each further try, plus up to a quarter of jitter
PASSING = (429, 500, 502, 503, 504)  # 501 will not pass


class RestHook(BaseHook):
    """A Connection (host, port, schema; extra `verify`: false, or the path of a CA bundle) as what calls an API."""

    conn_name_attr = "conn_id"
    default_conn_name: ClassVar[str]
    conn_type = "http"

    def __init__(self, conn_id: str | None = None, *, connection: "Connection | None" = None) -> None:
        super().__init__()
        self.conn_id = conn_id or self.default_conn_name
        self._given = connection

    @classmethod
    async def aopen(cls, conn_id: str, **options: Any) -> Self:
        """A hook whose Connection was read without blocking the event loop."""
        return cls(conn_id, connection=await cls.aget_connection(conn_id), **options)

    @cached_property
    def url(self) -> str:
        """Base URL of the server and its pages, without a trailing slash."""
        return base_url(self._connection, schema="https")

    @cached_property
    def extra(self) -> dict[str, Any]:
        """The Connection's extra."""
        found: dict[str, Any] = self._connection.extra_dejson
        return found

    @cached_property
    def _connection(self) -> "Connection":
        return self._given or self.get_connection(self.conn_id)

    def _open(self, headers: dict[str, str], *, seconds: float, path: str = "") -> httpx.Client:
        """A client of what is below `path`."""
        verify = self.extra.get("verify", True)
        return httpx.Client(base_url=f"{self.url}{path}", headers=headers, verify=verify, timeout=seconds)

    def _ask(
        self,
        client: httpx.Client,
        method: str,
        path: str,
        *,
        unavailable: type[Exception],
        about: str = "",
        **asked: Any,
    ) -> httpx.Response:
        """What `answered` gives of `asked`; each fault on the way is logged, the last one raised as `unavailable`."""
        who = f"{about}: " if about else ""

        def tell(fault: str, seconds: float) -> None:
            self.log.warning("%s%s %s: %s; next try in %.1f s", who, method, path, fault, seconds)

        try:
            return answered(client, method, path, tell=tell, **asked)
        except Unanswered as error:
            raise unavailable(f"{who}{self.url} did not answer {method} {path}: {error}") from error


class Unanswered(Exception):
    """Every try failed in a way that may pass; says how the last one did."""


def passing(response: httpx.Response) -> bool:
    """Whether an answer says that the same request may be answered later."""
    return response.status_code in PASSING


def answered(
    client: httpx.Client,
    method: str,
    path: str,
    *,
    message: Callable[[httpx.Response], str],
    pauses: Sequence[float] = RETRY_SECONDS,
    may_pass: Callable[[httpx.Response], bool] = passing,
    wait: Callable[[httpx.Response, float], float] = lambda _, pause: pause,
    tell: Callable[[str, float], None] = lambda _fault, _seconds: None,
    **asked: Any,
) -> httpx.Response:
    """The first answer that is final, a success or not.

    Args:
        client: that asks.
        method: of HTTP.
        path: relative to the client's base URL.
        message: what an answer says, for errors.
        pauses: seconds before each further try; none, and there is one try.
        may_pass: whether an answer is none yet.
        wait: seconds after such an answer, given those of `pauses`.
        tell: is told each fault and the seconds until the next try.
        asked: what else `httpx.Client.request` takes.

    Raises:
        Unanswered: nothing final came in all tries.
    """
    for pause in (*pauses, None):
        seconds = pause or 0.0
        try:
            response = client.request(method, path, **asked)
        except httpx.TransportError as error:
            fault = f"{type(error).__name__}: {error}"
        else:
            if not may_pass(response):
                return response
            fault, seconds = f"{response.status_code} {message(response)}", wait(response, seconds)
        if pause is None:
            break
        tell(fault, seconds)
        time.sleep(seconds * random.uniform(1, 1.25))  # noqa: S311 (jitter)
    raise Unanswered(fault)
