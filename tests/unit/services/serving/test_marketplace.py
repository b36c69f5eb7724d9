"""Modzy's interface over a real gRPC connection, beside the same service's REST answers."""

import asyncio
import json
import os
import signal
import socket
from collections.abc import Awaitable, Callable
from typing import Any

import grpc
import pytest

from include.foundation.errors import ServiceUnavailable
from include.services.serving import marketplace
from include.services.serving.messages import METHODS, SERVICE
from include.services.serving.service import Service, predict_route
from include.stages.promotion import marketplace as published
from sandbox.supervisor.service import free_ports

RECORD = {"at": "2024-05-01T14:00:00+02:00", "shop": "north", "size": "L", "weight": 1.5}
Ask = Callable[..., Awaitable[Any]]


async def _ask(channel: grpc.aio.Channel, method: str, **fields: Any) -> Any:
    request, answer = METHODS[method]
    call = channel.unary_unary(
        f"/{SERVICE}/{method}",
        request_serializer=request.SerializeToString,
        response_deserializer=answer.FromString,
    )
    return await call(request(**fields), wait_for_ready=True, timeout=20)


@pytest.fixture
def served(make_service: Callable[..., Service]) -> Callable[..., None]:
    """Runs a coroutine function with a client of a new server."""

    def run(test: Callable[[Ask, Service], Awaitable[None]], **changes: Any) -> None:
        async def main() -> None:
            service, (port,) = make_service(**changes), free_ports(1)
            tasks = [
                asyncio.create_task(service.readiness.watch()),
                asyncio.create_task(marketplace.serve(service, host="127.0.0.1", port=port, max_input=2000)),
            ]
            async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
                await test(lambda method, **fields: _ask(channel, method, **fields), service)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

        asyncio.run(main())

    return run


def test_status_waits_until_records_can_be_answered_and_describes_the_model(served: Callable[..., None]) -> None:
    async def test(ask: Ask, service: Service) -> None:
        said = await ask("Status")
        assert (said.status_code, service.readiness.fault) == (200, None)
        assert (said.model_info.model_name, said.model_info.model_version) == ("shops", "3")
        assert said.model_info.source == f"sha256:{service.description.digest}"
        assert [each.filename for each in said.inputs] == [published.INPUT]
        assert [each.filename for each in said.outputs] == [published.OUTPUT]

    served(test)


def test_an_item_gets_the_bytes_that_rest_sends(served: Callable[..., None]) -> None:
    async def test(ask: Ask, service: Service) -> None:
        bodies = [json.dumps(RECORD).encode(), json.dumps({"records": [RECORD, RECORD | {"shop": "south"}]}).encode()]
        said = await ask("Run", inputs=[{"input": {"input": body}} for body in bodies], explain=True)
        rest = [(await service.answer(predict_route("shops"), body)).body for body in bodies]
        assert [(each.success, dict(each.output)) for each in said.outputs] == [
            (True, {"results.json": body}) for body in rest
        ]

    served(test)


@pytest.mark.parametrize(
    ("item", "reason"),
    [
        ({"input": b"[1]"}, b"must be a JSON object"),
        ({"input": b'{"shop": 1}'}, b"in this record"),
        ({"other": b"{}"}, b"an item has one input"),
        ({"input": b"{}", "more": b"{}"}, b"an item has one input"),
        ({"input": b" " * 2001}, b"2000 bytes at most"),
    ],
)
def test_an_item_that_cannot_be_answered_says_why_and_leaves_the_others_alone(
    served: Callable[..., None], item: dict[str, bytes], reason: bytes
) -> None:
    async def test(ask: Ask, _: Service) -> None:
        said = await ask("Run", inputs=[{"input": item}, {"input": {"input": json.dumps(RECORD).encode()}}])
        assert [each.success for each in said.outputs] == [False, True]
        assert reason in said.outputs[0].output["error"]

    served(test)


def test_a_fault_of_the_server_is_told_without_its_words(served: Callable[..., None]) -> None:
    def read(_: Any) -> Any:
        raise ServiceUnavailable("the table at db.internal does not answer")

    async def test(ask: Ask, _: Service) -> None:
        (output,) = (await ask("Run", inputs=[{"input": {"input": json.dumps(RECORD).encode()}}])).outputs
        assert not output.success
        assert output.output["error"] == b"a service that is needed for the answer does not answer"

    served(test, read=read)


def test_shutdown_ends_the_process_as_a_signal_does(
    served: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[tuple[int, int]] = []

    async def test(ask: Ask, _: Service) -> None:
        monkeypatch.setattr(os, "kill", lambda *words: sent.append(words))
        assert (await ask("Shutdown")).status_code == 200
        while not sent:
            await asyncio.sleep(0.01)
        monkeypatch.undo()

    served(test)
    assert sent == [(os.getpid(), signal.SIGTERM)]


def test_a_port_that_is_taken_ends_the_process(make_service: Callable[..., Service]) -> None:
    async def main(port: int) -> None:
        await marketplace.serve(make_service(), host="127.0.0.1", port=port, max_input=2000)

    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(SystemExit) as ended:
        asyncio.run(main(taken.getsockname()[1]))
    assert ended.value.code == 3
