"""The endpoints through ASGI: everything but sockets, signals and a real online table."""

import asyncio
import io
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from types import ModuleType
from typing import Any
from unittest.mock import create_autospec

import httpx
import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from include.foundation.artifact import Scorer
from include.foundation.errors import ServiceUnavailable
from include.foundation.http.guard import Limits
from include.foundation.http.json_log import AccessLog
from include.foundation.problem import problem
from include.services.serving.asgi import application
from include.services.serving.batcher import Batcher
from include.services.serving.description import Description
from include.services.serving.metrics import Metrics
from include.services.serving.prediction_log import PredictionLog
from include.services.serving.predictor import Predictor
from include.services.serving.readiness import Readiness
from include.services.serving.records import example
from include.services.serving.service import Service

RECORD = {"at": "2024-05-01T14:00:00+02:00", "shop": "north", "size": "L", "weight": 1.5}
PREDICT, INFER = "/v1/models/shops/predict", "/v2/models/shops/infer"
TENSOR = {"name": "features", "datatype": "FP32", "shape": [1, 4], "data": [1, 1.5, 1, 2]}


def _sigmoid(value: float) -> float:
    return float(1 / (1 + np.exp(-value)))


class Server:
    """An app and what the tests look into."""

    def __init__(
        self, make_predictor: Callable[..., Predictor], scorer: Scorer, max_body: int = 4096, **changes: Any
    ) -> None:
        self.metrics = Metrics(problem("binary"))
        self.logged: list[tuple[Any, ...]] = []
        prediction_log = create_autospec(PredictionLog, instance=True)
        prediction_log.write.side_effect = lambda *row: self.logged.append(row)
        predictor = make_predictor(metrics=self.metrics, **changes)
        self.batcher = Batcher(predictor.predict, size=64)
        sample = example(predictor.request_type)
        self.readiness = Readiness(lambda: self.batcher.submit([sample]), metrics=self.metrics, every=0.01)
        description = Description(
            title="Shops & <co>",
            text="What shops sell.",
            version="3",
            digest=scorer.digest,
            run="run-1",
            metadata=scorer.metadata,
            example=sample,
        )
        service = Service(
            predictor=predictor,
            batcher=self.batcher,
            readiness=self.readiness,
            description=description,
            metrics=self.metrics,
            prediction_log=prediction_log,
        )
        self.log = io.BytesIO()
        limits = Limits(body=max_body, in_flight=2)
        self.app = application(service, limits=limits, metrics=self.metrics, access_log=AccessLog(self.log))


Ask = Callable[[Callable[[httpx.AsyncClient, Server], Awaitable[None]]], None]


@pytest.fixture
def serve(make_predictor: Callable[..., Predictor], scorer: Scorer) -> Callable[..., None]:
    """Runs a coroutine function with a client of a new server."""

    def run(test: Callable[[httpx.AsyncClient, Server], Awaitable[None]], **changes: Any) -> None:
        async def main() -> None:
            async with client_of(Server(make_predictor, scorer, **changes)) as (client, server):
                await test(client, server)

        asyncio.run(main())

    return run


@asynccontextmanager
async def client_of(server: Server) -> AsyncIterator[tuple[httpx.AsyncClient, Server]]:
    transport = httpx.ASGITransport(server.app, raise_app_exceptions=True)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        yield client, server
    server.batcher.close()


def test_records(serve: Callable[..., None], scorer: Scorer) -> None:
    async def test(client: httpx.AsyncClient, server: Server) -> None:
        south = RECORD | {"shop": "south", "weight": None}
        answer = await client.post(PREDICT, json={"records": [RECORD, south]})
        assert answer.status_code == 200
        north, other = answer.json()
        assert north["probability"] == pytest.approx(_sigmoid(1 + 1.5 + 1 + 2), abs=1e-6)
        assert other["probability"] == pytest.approx(_sigmoid(1 + 0 + 1 + 0), abs=1e-6)
        assert north["model"] == {"name": "shops", "version": "3", "digest": scorer.digest}
        assert (north["event_time"], north["known_at"]) == ("2024-05-01T12:00:00Z", "2024-05-01T11:00:00Z")
        assert other["known_at"] is None
        assert north["history_age_seconds"] == {"shop": 3600.0}, "an hour from when it was known to when it is asked"
        assert other["history_age_seconds"] == {"shop": None}, "there is none, and the answer says so"
        assert (await client.post(PREDICT, json=RECORD)).json() == north
        assert (await client.post("/invocations", json=RECORD)).json() == north, "as SageMaker asks"
        assert (await client.get("/ping")).status_code == (await client.get("/v2/health/ready")).status_code

    serve(test)


def test_infer(serve: Callable[..., None]) -> None:
    async def test(client: httpx.AsyncClient, server: Server) -> None:
        answer = await client.post(INFER, json={"id": "7", "inputs": [TENSOR]})
        assert answer.status_code == 200
        body = answer.json()
        assert body["outputs"][0].pop("data") == [pytest.approx(_sigmoid(5.5), abs=1e-6)]
        assert body == {
            "model_name": "shops",
            "model_version": "3",
            "id": "7",
            "outputs": [{"name": "probability", "datatype": "FP32", "shape": [1]}],
        }
        columns = [
            {"name": "size", "datatype": "BYTES", "shape": [1], "data": ["L"]},
            {"name": "weight", "datatype": "FP32", "shape": [1], "data": [1.5]},
            {"name": "count", "datatype": "INT64", "shape": [1], "data": [1]},
            {"name": "past", "datatype": "INT64", "shape": [1], "data": [2]},
        ]
        same = await client.post("/v2/models/shops/versions/3/infer", json={"inputs": columns})
        assert same.json()["outputs"][0]["data"] == [pytest.approx(_sigmoid(5.5), abs=1e-6)]

    serve(test)


def test_large_requests_take_the_same_way_to_the_same_answer(serve: Callable[..., None]) -> None:
    async def test(client: httpx.AsyncClient, server: Server) -> None:
        answers = (await client.post(PREDICT, json={"records": [RECORD] * 300})).json()
        assert len(answers) == 300
        assert [answer["probability"] for answer in answers] == [pytest.approx(_sigmoid(5.5), abs=1e-6)] * 300
        many = TENSOR | {"shape": [2000, 4], "data": TENSOR["data"] * 2000}
        data = (await client.post(INFER, json={"inputs": [many]})).json()["outputs"][0]["data"]
        assert len(data) == 2000

    serve(test, max_body=1 << 20)


def test_what_it_says_about_itself(serve: Callable[..., None], scorer: Scorer) -> None:
    async def test(client: httpx.AsyncClient, server: Server) -> None:
        model = (await client.get("/v2/models/shops")).json()
        assert (model["name"], model["versions"]) == ("shops", ["3"])
        assert model["inputs"] == [{"name": "features", "datatype": "FP32", "shape": [-1, 4]}]
        assert model["parameters"]["digest"] == scorer.digest
        assert model["parameters"]["categories"] == ["size"], "which features are texts, and no text of training"
        assert (await client.get("/v2")).json()["name"] == "flightline"
        assert (await client.get("/v2/health/live")).json() == {"live": True}

        document = (await client.get("/openapi.json")).json()
        assert document["components"]["schemas"]["Record"]["properties"].keys() == RECORD.keys() | {"count"}
        given = document["paths"][PREDICT]["post"]["requestBody"]["content"]["application/json"]["example"]
        assert (await client.post(PREDICT, json=given)).status_code == 200

        page = await client.get("/")
        assert page.headers["content-type"] == "text/html; charset=utf-8"
        assert "Shops &amp; &lt;co&gt;" in page.text
        assert scorer.digest in page.text
        assert (await client.head("/")).content == b""

    serve(test)


@pytest.mark.parametrize(
    ("method", "path", "status", "says"),
    [
        ("POST", "/v1/models/other/predict", 404, "'shops'"),
        ("POST", "/v2/models/other/infer", 404, "'shops'"),
        ("GET", "/v2/models/other", 404, "'shops'"),
        ("GET", "/v2/models/shops/versions/4", 404, "'3'"),
        ("GET", "/v2/models/shops/nothing", 404, "no such endpoint"),
        ("GET", "/admin", 404, "no such endpoint"),
        ("GET", PREDICT, 405, "POST only"),
        ("DELETE", "/v2", 405, "GET only"),
        ("POST", "/metrics", 405, "GET only"),
    ],
)
def test_wrong_addresses(serve: Callable[..., None], method: str, path: str, status: int, says: str) -> None:
    async def test(client: httpx.AsyncClient, server: Server) -> None:
        answer = await client.request(method, path)
        assert (answer.status_code, says in answer.json()["error"]) == (status, True)
        if status == 405:
            assert answer.headers["allow"] in says

    serve(test)


def test_wrong_bodies(serve: Callable[..., None]) -> None:
    async def test(client: httpx.AsyncClient, server: Server) -> None:
        wrong = await client.post(PREDICT, json={"records": [RECORD, RECORD | {"weight": -1}]})
        assert (wrong.status_code, [fault["path"] for fault in wrong.json()["fields"]]) == (422, ["records[1].weight"])
        wrong = await client.post(INFER, json={"inputs": [TENSOR | {"shape": [1, 5]}]})
        assert (wrong.status_code, wrong.json()["fields"][0]["path"]) == (400, "inputs[0].shape")
        assert (await client.post(PREDICT, content=b"{")).status_code == 400
        for depth in (40, 254, 600):
            nested = b'{"a":' * depth + b"1" + b"}" * depth
            deep = b'{"parameters": %s, "inputs": [%s]}' % (nested, json.dumps(TENSOR).encode())
            assert (await client.post(INFER, content=deep)).status_code == 400
        assert (await client.post(PREDICT, content=b"{}", headers={"content-encoding": "gzip"})).status_code == 415

        async def chunks() -> AsyncIterator[bytes]:
            for _ in range(10):
                yield b" " * 1000

        for too_large in (b" " * 5000, chunks()):
            answer = await client.post(PREDICT, content=too_large)
            assert (answer.status_code, answer.headers["connection"]) == (413, "close")

    serve(test)


def test_a_record_that_request_accepts_but_the_code_cannot_take(serve: Callable[..., None]) -> None:
    async def test(client: httpx.AsyncClient, server: Server) -> None:
        for strange in ({"count": 2**70}, {"at": "0001-01-01T00:00:00+14:00"}):
            answer = await client.post(PREDICT, json=RECORD | strange)
            assert (answer.status_code, "features cannot be computed" in answer.json()["error"]) == (422, True)

    serve(test)


def test_history_that_cannot_be_read_is_not_guessed(serve: Callable[..., None]) -> None:
    def away(_: pl.DataFrame) -> pl.DataFrame:
        raise ServiceUnavailable("the online table does not answer")

    async def test(client: httpx.AsyncClient, server: Server) -> None:
        watch = asyncio.create_task(server.readiness.watch())
        await asyncio.sleep(0.05)
        answer = await client.post(PREDICT, json=RECORD)
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
        ready = await client.get("/v2/health/ready")
        assert (ready.status_code, ready.json()["ready"]) == (503, False)
        assert ready.json()["reason"].endswith("ServiceUnavailable")
        assert (await client.post(INFER, json={"inputs": [TENSOR]})).status_code == 200
        watch.cancel()

    serve(test, read=away)


def test_a_fault_of_the_server_is_told_without_its_insides(serve: Callable[..., None]) -> None:
    def broken(_: pl.DataFrame) -> pl.DataFrame:
        raise KeyError("secret")

    async def test(client: httpx.AsyncClient, server: Server) -> None:
        answer = await client.post(PREDICT, json=RECORD)
        assert answer.status_code == 500
        assert "secret" not in answer.text

    serve(test, read=broken)


def test_ready_only_when_it_has_answered_and_not_when_it_leaves(serve: Callable[..., None]) -> None:
    async def test(client: httpx.AsyncClient, server: Server) -> None:
        assert (await client.get("/v2/health/ready")).json() == {"ready": False, "reason": "starting"}
        watch = asyncio.create_task(server.readiness.watch())
        async with asyncio.timeout(5):
            while (await client.get("/v2/health/ready")).status_code != 200:
                await asyncio.sleep(0.01)
        assert (await client.get("/v2/models/shops/ready")).json() == {"name": "shops", "ready": True}
        server.readiness.drain()
        server.app.draining = True
        answer = await client.get("/v2/health/ready")
        assert (answer.status_code, answer.json()["reason"]) == (503, "draining")
        assert (await client.get("/v2/health/live")).status_code == 200
        answer = await client.post(PREDICT, json=RECORD)
        assert (answer.status_code, answer.headers["connection"]) == (200, "close")
        watch.cancel()

    serve(test)


def test_more_requests_than_it_holds_get_503(serve: Callable[..., None]) -> None:
    async def test(client: httpx.AsyncClient, server: Server) -> None:
        go = asyncio.Event()

        async def slow() -> AsyncIterator[bytes]:
            await go.wait()
            yield b"{}"

        waiting = [asyncio.create_task(client.post(PREDICT, content=slow())) for _ in range(2)]
        await asyncio.sleep(0.05)
        answer = await client.post(PREDICT, json=RECORD)
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
        assert (await client.get("/v2/health/live")).status_code == 200
        go.set()
        assert [task.status_code for task in await asyncio.gather(*waiting)] == [422, 422]
        assert (await client.post(PREDICT, json=RECORD)).status_code == 200

    serve(test)


def test_bytes_count_as_they_arrive(serve: Callable[..., None]) -> None:
    async def test(client: httpx.AsyncClient, server: Server) -> None:
        server.app._limits = Limits(body=4096, in_flight=100)
        go = asyncio.Event()

        async def stalls() -> AsyncIterator[bytes]:
            yield b" " * 4095
            await go.wait()
            yield b" "

        waiting = [asyncio.create_task(client.post(PREDICT, content=stalls())) for _ in range(12)]
        await asyncio.sleep(0.05)
        refused = [task.result() for task in waiting if task.done()]
        assert [answer.status_code for answer in refused] == [503] * 4
        assert "too many bytes" in refused[0].json()["error"]
        assert (await client.post(PREDICT, json=RECORD)).status_code == 503
        go.set()
        assert sorted(answer.status_code for answer in await asyncio.gather(*waiting)) == [400] * 8 + [503] * 4
        assert (await client.post(PREDICT, json=RECORD)).status_code == 200

    serve(test)


@pytest.mark.parametrize("end", ["leaves", "is slow", "sends too much", "is refused"])
def test_what_was_held_is_let_go(serve: Callable[..., None], end: str) -> None:
    async def test(_: httpx.AsyncClient, server: Server) -> None:
        server.app._limits = Limits(body=4096, body_seconds=0.01)
        part = {"type": "http.request", "body": b" " * 4000, "more_body": True}
        last = {"leaves": {"type": "http.disconnect"}, "is refused": part | {"body": b"", "more_body": False}}
        messages, sent = iter([part, last.get(end, part)]), []

        async def receive() -> dict[str, Any]:
            if end == "is slow" and server.app._held:
                await asyncio.sleep(60)
            return next(messages, part | {"more_body": False})

        async def send(message: Any) -> None:
            sent.append(message)

        headers = [(b"host", b"x"), (b"transfer-encoding", b"chunked")]
        await server.app({"path": PREDICT, "method": "POST", "headers": headers}, receive, send)
        assert sent[0]["status"] == {"leaves": 400, "is slow": 408, "sends too much": 413, "is refused": 400}[end]
        assert server.app._held == 0

    serve(test)


def test_metrics(serve: Callable[..., None], scorer: Scorer) -> None:
    async def test(client: httpx.AsyncClient, server: Server) -> None:
        watch = asyncio.create_task(server.readiness.watch())  # what it asks itself is nobody's question
        while server.readiness.fault:
            await asyncio.sleep(0.01)
        watch.cancel()
        await client.post(PREDICT, json={"records": [RECORD, RECORD | {"shop": "south"}]})
        await client.post(PREDICT, json={})
        await client.get("/nowhere")
        text = (await client.get("/metrics")).text
        values = {
            (sample.name, *sorted(sample.labels.values())): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        }
        assert values["flightline_serving_requests_total", "200", "predict"] == 1
        assert values["flightline_serving_requests_total", "422", "predict"] == 1
        assert values["flightline_serving_requests_total", "404", "none"] == 1
        assert values["flightline_serving_rows_total", "predict"] == 2
        assert values["flightline_serving_request_seconds_count", "predict"] == 2
        assert values["flightline_serving_score_count",] == 2
        assert values["flightline_serving_feature_missing_total", "past"] == 1

    serve(test)


def test_the_access_log_has_no_payload(serve: Callable[..., None]) -> None:
    async def test(client: httpx.AsyncClient, server: Server) -> None:
        await client.post(f"{PREDICT}?who=secret", json=RECORD | {"shop": "secret"})
        await client.post("/v1/models/secret/predict", json=RECORD)
        await client.get("/v2/health/live")
        lines = [json.loads(line) for line in server.log.getvalue().splitlines()]
        assert [(line["endpoint"], line["status"], line["rows"]) for line in lines] == [
            ("predict", 200, 1),
            ("predict", 404, 0),
        ]
        assert b"secret" not in server.log.getvalue()

    serve(test)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=8,
)
_RECORDS = st.fixed_dictionaries(
    {"at": st.datetimes().map(datetime.isoformat).map("{}Z".format) | _JSON, "shop": st.text(max_size=8) | _JSON},
    optional={
        "size": st.sampled_from(["S", "L"]) | _JSON,
        "weight": st.floats() | _JSON,
        "count": st.integers() | _JSON,
    },
)
_TENSORS = st.fixed_dictionaries(
    {},
    optional={
        "name": st.sampled_from(["features", "size", "weight", "count", "past"]) | _JSON,
        "datatype": st.sampled_from(["FP32", "BYTES", "INT64"]) | _JSON,
        "shape": st.just([1, 4]) | st.lists(st.integers(-1, 4), max_size=3) | _JSON,
        "data": st.lists(st.none() | st.floats(width=32), min_size=4, max_size=4) | _JSON,
    },
)
_BODIES = (
    _JSON
    | _RECORDS
    | st.fixed_dictionaries({"records": st.lists(_RECORDS, max_size=3) | _JSON})
    | st.fixed_dictionaries(
        {"inputs": st.lists(_TENSORS, max_size=4) | _JSON}, optional={"id": _JSON, "outputs": _JSON}
    )
)


def test_no_body_fails_the_server(make_predictor: Callable[..., Predictor], scorer: Scorer) -> None:
    async def ask(bodies: list[tuple[str, bytes]]) -> list[tuple[int, Any]]:
        async with client_of(Server(make_predictor, scorer)) as (client, _):
            answers = [await client.post(path, content=body) for path, body in bodies]
            return [(answer.status_code, answer.json()) for answer in answers]

    @settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(st.lists(st.tuples(st.sampled_from([PREDICT, INFER]), st.binary(max_size=40) | _BODIES), max_size=5))
    def property_(asked: list[tuple[str, Any]]) -> None:
        bodies = [(path, body if isinstance(body, bytes) else json.dumps(body).encode()) for path, body in asked]
        for status, content in asyncio.run(ask(bodies)):
            assert status in (200, 400, 413, 422), content
            if status != 200:
                assert isinstance(content["error"], str)
                assert all(fault["path"] and fault["message"] for fault in content.get("fields", []))

    property_()


def test_a_use_case_without_history(serve: Callable[..., None], features: ModuleType) -> None:
    alone = ModuleType("alone")
    vars(alone).update(Request=features.Request, VIEWS={}, FEATURES=features.FEATURES)
    alone.features = lambda joined: features.features(joined.with_columns(shop__sales=pl.lit(2, pl.Int64)))

    async def test(client: httpx.AsyncClient, server: Server) -> None:
        answers = (await client.post(PREDICT, json={"records": [RECORD] * 3})).json()
        assert [answer["known_at"] for answer in answers] == [None] * 3

    serve(test, features=alone, read=lambda asked: asked)


def test_each_row_is_logged_under_the_callers_id_once_it_is_answered(serve: Callable[..., None]) -> None:
    async def test(client: httpx.AsyncClient, server: Server) -> None:
        answer = await client.post(PREDICT, json={"records": [RECORD, RECORD]}, headers={"x-request-id": "r-1"})
        assert answer.headers["x-request-id"] == "r-1"
        ((request_id, records, features, answers),) = server.logged
        assert request_id == "r-1"
        assert [record["shop"] for record in records] == ["north", "north"]
        np.testing.assert_array_equal(features, np.array([[1, 1.5, 1, 2]] * 2, np.float32))
        assert [float(value) for value in answers] == [pytest.approx(_sigmoid(5.5))] * 2

        server.logged.clear()
        await client.post(INFER, json={"inputs": [TENSOR]}, headers={"x-request-id": "r-2"})
        ((request_id, records, features, answers),) = server.logged
        assert (request_id, records) == ("r-2", [None])
        np.testing.assert_array_equal(features, np.array([[1, 1.5, 1, 2]], np.float32))

        server.logged.clear()
        assert (await client.post(PREDICT, json={"shop": 1})).status_code == 422
        assert server.logged == []

    serve(test)


@pytest.mark.parametrize("given", ["", "two words", "x" * 129, "\u00e9"])
def test_a_request_without_a_sound_id_gets_one(serve: Callable[..., None], given: str) -> None:
    async def test(client: httpx.AsyncClient, server: Server) -> None:
        ids = set()
        for _ in range(2):
            answer = await client.post(PREDICT, json=RECORD, headers={"x-request-id": given.encode()})
            assert len(answer.headers["x-request-id"]) == 32
            ids.add(answer.headers["x-request-id"])
        assert ids == {row[0] for row in server.logged}
        assert len(ids) == 2

    serve(test)
