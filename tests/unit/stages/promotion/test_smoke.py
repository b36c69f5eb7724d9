"""The checks against an endpoint that lies in one way at a time; tests/integration/test_serving.py asks a real one."""

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from include.foundation import spec
from include.foundation.errors import DigestMismatch, GateFailed, ServiceUnavailable
from include.stages.promotion.smoke import smoke

FLIGHTS = spec.load("flight_delays")
DIGEST, OTHER = "a" * 64, "b" * 64


def _numbers(*values: float) -> list[dict[str, float]]:
    return [{"probability": value} for value in values]


RECORDS = [{"n": 0.25}, {"n": 0.75}]


class Endpoint:
    """Answers as serving does: the probability of a record is its `n`. Tests change one thing."""

    def __init__(self) -> None:
        self.digest = self.answers_digest = DIGEST
        self.not_ready = 0
        self.tokens: list[str | None] = []
        self.probability: Callable[[dict[str, Any]], Any] = lambda record: record["n"]
        self.bad_status = 422

    def get(self, path: str) -> tuple[int, Any]:
        if path == "/v2/health/ready":
            self.not_ready -= 1
            return (503, {"ready": False, "reason": "starting"}) if self.not_ready >= 0 else (200, {"ready": True})
        return 200, {"versions": ["3"], "parameters": {"digest": self.digest}}

    def post(self, body: Any) -> tuple[int, Any]:
        if not all(isinstance(record, dict) for record in body["records"]):
            return self.bad_status, {"error": "records[0]: must be an object"}
        model = {"name": "flight_delays", "version": "3", "digest": self.answers_digest}
        return 200, [{"probability": self.probability(record), "model": model} for record in body["records"]]


@pytest.fixture
def endpoint() -> Iterator[tuple[Endpoint, str]]:
    behaviour = Endpoint()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._send(*behaviour.get(self.path.removeprefix("/proxy")))

        def do_POST(self) -> None:
            behaviour.tokens.append(self.headers["Authorization"])
            assert self.path == "/proxy/v1/models/flight_delays/predict"
            self._send(*behaviour.post(json.loads(self.rfile.read(int(self.headers["Content-Length"])))))

        def _send(self, status: int, body: Any) -> None:
            data = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    yield behaviour, f"http://127.0.0.1:{server.server_port}/proxy/"
    server.shutdown()
    server.server_close()


def _smoke(url: str, **changes: Any) -> Any:
    return smoke(url, FLIGHTS, **{"digest": DIGEST, "records": RECORDS, "patience": 0, "settling": 0} | changes)


def test_a_good_endpoint_passes(endpoint: tuple[Endpoint, str]) -> None:
    behaviour, url = endpoint
    report = _smoke(url, expected=_numbers(0.25, 0.7500005), token="secret")
    assert (report.records, report.compared, report.least, report.greatest) == (2, True, 0.25, 0.75)
    assert (report.version, report.digest, report.url) == ("3", DIGEST, url.rstrip("/"))
    assert 0 < report.median_ms <= report.slowest_ms
    assert set(behaviour.tokens) == {"Bearer secret"}


def test_it_waits_until_the_endpoint_is_ready(endpoint: tuple[Endpoint, str]) -> None:
    behaviour, url = endpoint
    behaviour.not_ready = 1
    assert _smoke(url, patience=10).records == 2


def test_an_endpoint_that_does_not_get_ready(endpoint: tuple[Endpoint, str]) -> None:
    behaviour, url = endpoint
    behaviour.not_ready = 100
    with pytest.raises(ServiceUnavailable, match=r"is not ready after 0 s: status 503.*starting"):
        _smoke(url)


def test_nobody_there() -> None:
    with pytest.raises(ServiceUnavailable, match=r"http://127\.0\.0\.1:9 is not ready after 0 s"):
        _smoke("http://127.0.0.1:9")


def test_another_model(endpoint: tuple[Endpoint, str]) -> None:
    behaviour, url = endpoint
    behaviour.digest = OTHER
    with pytest.raises(DigestMismatch, match=f"serves model {OTHER}, expected is {DIGEST}"):
        _smoke(url)


def test_another_model_behind_the_same_address(endpoint: tuple[Endpoint, str]) -> None:
    behaviour, url = endpoint
    behaviour.answers_digest = OTHER
    with pytest.raises(DigestMismatch, match=f"record 0 is answered by model {OTHER}"):
        _smoke(url)


def test_a_replica_that_leaves_may_answer_once_more(endpoint: tuple[Endpoint, str]) -> None:
    behaviour, url = endpoint
    leaving = iter([(200, {"versions": ["2"], "parameters": {"digest": OTHER}})])
    behaviour.get = lambda path, get=behaviour.get: get(path) if "ready" in path else next(leaving, get(path))
    post = behaviour.post
    answers = [[{"probability": 0.5, "model": {"digest": OTHER}}] * len(RECORDS)]
    behaviour.post = lambda body: (200, answers.pop()) if answers else post(body)
    report = _smoke(url, settling=10)
    assert (report.version, report.digest, report.records) == ("3", DIGEST, 2)
    assert not answers, "both ways of answering were met"


@pytest.mark.parametrize("probability", [1.5, -0.1, "0.5", None])
def test_no_probability(endpoint: tuple[Endpoint, str], probability: Any) -> None:
    behaviour, url = endpoint
    behaviour.probability = lambda _: probability
    with pytest.raises(GateFailed, match="record 0 gets probability"):
        _smoke(url)


def test_it_waits_until_the_online_table_has_what_gold_has(endpoint: tuple[Endpoint, str]) -> None:
    behaviour, url = endpoint
    old = iter([0.1] * len(RECORDS))
    behaviour.probability = lambda record: next(old, record["n"])
    assert _smoke(url, expected=[0.25, 0.75], settling=10).least == 0.25


def test_another_probability_than_expected(endpoint: tuple[Endpoint, str]) -> None:
    with pytest.raises(GateFailed, match=r"record 1 gets probability 0\.75, expected is 0\.7501"):
        _smoke(endpoint[1], expected=_numbers(0.25, 0.7501))


@pytest.mark.parametrize("status", [200, 500])
def test_a_malformed_record_is_not_refused(endpoint: tuple[Endpoint, str], status: int) -> None:
    behaviour, url = endpoint
    behaviour.bad_status = status
    with pytest.raises(GateFailed, match=f"a malformed record gets status {status}"):
        _smoke(url)


def test_a_long_answer_is_not_repeated(endpoint: tuple[Endpoint, str]) -> None:
    behaviour, url = endpoint
    long = "x" * 100_000
    well = behaviour.get
    answers = [
        (lambda path: (503, long), behaviour.post),
        (lambda path: (200, long), behaviour.post),
        (lambda path: (200, {"versions": ["3"], "parameters": {"digest": long}}), behaviour.post),
        *(
            (well, lambda body, answer=answer: answer)
            for answer in (
                (503, long),
                (200, long),
                (200, [long] * 2),
                (200, [{"model": {"digest": DIGEST}, "probability": long}] * 2),
                (200, [{"model": {"digest": long}, "probability": 0.5}] * 2),
            )
        ),
    ]
    for behaviour.get, behaviour.post in answers:
        with pytest.raises((ServiceUnavailable, GateFailed, DigestMismatch)) as refused:
            _smoke(url)
        assert len(str(refused.value)) < 500
