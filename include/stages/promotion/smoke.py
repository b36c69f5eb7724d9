"""Ask a deployed endpoint what a promotion must know: is it ready, is it this model, are its answers right?"""

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import requests

from include.foundation.echo import cause, cut, listing, quoted
from include.foundation.errors import DigestMismatch, GateFailed, InvalidInput, ServiceUnavailable
from include.foundation.problem import problem
from include.foundation.problem.protocol import Problem
from include.foundation.spec import UseCase

TOLERANCE = 1e-6  # of the answers' scale: float32 and another batch size
RETRY_SECONDS = 1.0
Expected = Mapping[str, float] | float  # code from before there were kinds gives a number alone


@dataclass(frozen=True, kw_only=True)
class Report:
    """What was found; every check passed.

    Attributes:
        url: the endpoint.
        version: what it says it serves.
        digest: of the model file it says it serves.
        records: how many were answered.
        compared: whether the answers were compared to expected ones.
        least: smallest number answered.
        greatest: greatest number answered.
        median_ms: of one record's request, milliseconds.
        slowest_ms: the same, the slowest.
    """

    url: str
    version: str
    digest: str
    records: int
    compared: bool
    least: float
    greatest: float
    median_ms: float
    slowest_ms: float


class _Endpoint:
    """The endpoint of one model. Raises ServiceUnavailable, naming the URL, when it does not answer."""

    def __init__(self, base_url: str, *, token: str | None, verify: bool | str, timeout: float) -> None:
        self.url = base_url.rstrip("/")
        self._timeout = timeout
        self._session = requests.Session()
        self._session.trust_env = False  # an endpoint of the cluster is not reached through a proxy
        self._session.verify = verify
        if token:
            self._session.headers["Authorization"] = f"Bearer {token}"

    def __enter__(self) -> "_Endpoint":
        return self

    def __exit__(self, *_: object) -> None:
        self._session.close()

    def ask(self, path: str, body: Any = None) -> tuple[int, Any]:
        """Status and parsed JSON (None if it is none) of a GET, or of a POST of `body`."""
        method = "GET" if body is None else "POST"
        try:
            response = self._session.request(method, f"{self.url}{path}", json=body, timeout=self._timeout)
        except requests.RequestException as error:
            raise ServiceUnavailable(f"{self.url}{path} does not answer: {cause(error)}") from error
        try:
            return response.status_code, response.json()
        except requests.JSONDecodeError:
            return response.status_code, None


def smoke(
    base_url: str,
    spec: UseCase,
    *,
    digest: str,
    records: Sequence[Mapping[str, Any]],
    expected: Sequence[Expected] | None = None,
    token: str | None = None,
    verify: bool | str = True,
    timeout: float = 10,
    patience: float = 60,
    settling: float = 60,
) -> Report:
    """Check a deployed endpoint.

    Args:
        base_url: of the Service, or of the Kubernetes API's proxy to it.
        spec: the use case that it serves.
        digest: SHA-256 of the model file that it must serve.
        records: at least one, as callers send them.
        expected: the numbers of their answers (see `Problem.numbers`), if known.
        token: bearer token, for the Kubernetes API.
        verify: whether to check the TLS certificate, or the file of the CA to check it with.
        timeout: seconds of one request.
        patience: seconds to wait for the endpoint to be ready.
        settling: seconds in which the endpoint may still become what is expected: a replica of the version before
            answers for some seconds after it was asked to stop, and a features run that is under way has brought new
            rows to gold and not yet their history to the online table.

    Raises:
        ServiceUnavailable: it does not answer, or is not ready in time.
        DigestMismatch: it serves another model.
        GateFailed: an answer is wrong.
    """
    with _Endpoint(base_url, token=token, verify=verify, timeout=timeout) as endpoint:
        _wait_until_ready(endpoint, patience)
        deadline = time.monotonic() + settling
        while True:
            try:
                return _check(endpoint, spec, digest=digest, records=records, expected=expected)
            except (DigestMismatch, GateFailed, ServiceUnavailable) as error:
                if time.monotonic() + RETRY_SECONDS > deadline:
                    raise type(error)(f"{error} (so it stayed for {settling:.0f} s)") from error
            time.sleep(RETRY_SECONDS)


def _check(
    endpoint: _Endpoint,
    spec: UseCase,
    *,
    digest: str,
    records: Sequence[Mapping[str, Any]],
    expected: Sequence[Expected] | None,
) -> Report:
    """All checks once."""
    predict, kind = f"/v1/models/{spec.name}/predict", problem(spec.problem)
    version = _check_model(endpoint, spec.name, digest)
    answered = endpoint.ask(predict, {"records": list(records)})
    found = check_answers(*answered, kind=kind, count=len(records), digest=digest)
    if differ := first_difference(kind, found, expected):
        raise GateFailed(differ)
    status, _ = endpoint.ask(predict, {"records": ["not a record"]})
    if status != 422:
        raise GateFailed(f"a malformed record gets status {status}, expected is 422")

    milliseconds = []
    for record in records:
        start = time.monotonic()
        check_answers(*endpoint.ask(predict, {"records": [record]}), kind=kind, count=1, digest=digest)
        milliseconds.append((time.monotonic() - start) * 1000)
    milliseconds.sort()
    return Report(
        url=endpoint.url,
        version=version,
        digest=digest,
        records=len(records),
        compared=expected is not None,
        least=min(min(numbers.values()) for numbers in found),
        greatest=max(max(numbers.values()) for numbers in found),
        median_ms=milliseconds[len(milliseconds) // 2],
        slowest_ms=milliseconds[-1],
    )


def _wait_until_ready(endpoint: _Endpoint, patience: float) -> None:
    deadline = time.monotonic() + patience
    while True:
        try:
            status, body = endpoint.ask("/v2/health/ready")
            reason = f"status {status}, {quoted(body)}"
            if status == 200:
                return
        except ServiceUnavailable as error:
            reason = str(error)
        if time.monotonic() + RETRY_SECONDS > deadline:
            raise ServiceUnavailable(f"{endpoint.url} is not ready after {patience} s: {reason}")
        time.sleep(RETRY_SECONDS)


def first_difference(
    kind: Problem, found: Sequence[Mapping[str, float]], expected: Sequence[Expected] | None
) -> str | None:
    """The first record whose answer is not the expected one, in words; None if there is none."""
    if expected is None:
        return None
    wanted = [want if isinstance(want, Mapping) else {kind.kind.output.name: want} for want in expected]
    scale = kind.scale(np.array([max(map(abs, numbers.values())) for numbers in wanted]))
    for index, (got, want) in enumerate(zip(found, wanted, strict=True)):
        if got.keys() != want.keys():
            return f"record {index} gets {listing(got)}, expected is {listing(want)}"
        for name, value in want.items():
            if not math.isclose(got[name], value, abs_tol=TOLERANCE * scale, rel_tol=0):
                return f"record {index} gets {name} {got[name]}, expected is {value}"
    return None


def _check_model(endpoint: _Endpoint, name: str, digest: str) -> str:
    """The version that is served."""
    status, model = endpoint.ask(f"/v2/models/{name}")
    try:
        served, version = model["parameters"]["digest"], model["versions"][0]
    except (TypeError, KeyError, IndexError):
        raise GateFailed(
            f"{endpoint.url} does not describe the model {name!r}: status {status}, {quoted(model)}"
        ) from None
    if served != digest:
        raise DigestMismatch(f"{endpoint.url} serves model {cut(str(served))}, expected is {digest}")
    return str(version)


def check_answers(status: int, answers: Any, *, kind: Problem, count: int, digest: str) -> list[dict[str, float]]:
    """The numbers of `count` answers."""
    if status == 503:
        raise ServiceUnavailable(f"the endpoint cannot answer records: {quoted(answers)}")
    if status != 200 or not isinstance(answers, list) or len(answers) != count:
        raise GateFailed(f"{count} records get status {status} and no list of as many answers: {quoted(answers)}")
    found = []
    for index, answer in enumerate(answers):
        try:
            served, numbers = answer["model"]["digest"], kind.numbers(answer)
        except (TypeError, KeyError):
            raise GateFailed(
                f"record {index} gets no {kind.kind.output.name} with its model: {quoted(answer)}"
            ) from None
        except InvalidInput as error:
            raise GateFailed(f"record {index} gets {cause(error)}: {quoted(answer)}") from None
        if served != digest:
            raise DigestMismatch(f"record {index} is answered by model {cut(str(served))}, expected is {digest}")
        found.append(numbers)
    return found
