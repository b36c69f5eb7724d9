"""Modzy's container interface by gRPC: Status, Run, Shutdown. An item's answer is the REST answer, byte for byte.

The interface (Open Model Interface, version 2) has codes of its own inside of the messages; gRPC's status stays OK. It
is served where the environment names a port (`PSC_MODEL_PORT`), beside REST, which goes on. No TLS: a marketplace's
platform talks to its container inside of one pod or one host.
"""

import asyncio
import logging
import os
import signal
import time
import uuid
from collections.abc import Mapping
from typing import Any

import grpc

from include.foundation.errors import RetryableError
from include.foundation.http.refusal import Refusal
from include.services.serving.messages import METHODS, SERVICE, RunResponse, ShutdownResponse, StatusResponse
from include.services.serving.service import Service, predict_route

log = logging.getLogger(__name__)
INPUT, OUTPUT, ERROR = "input", "results.json", "error"
JSON = "application/json"
STATUS_SECONDS = 60  # in which a model may become ready; what a publisher tells the marketplace too
POLL_SECONDS = 0.1
OK, FAULTY = 200, 500
ENVELOPE = 1 << 16  # bytes of a message beside the inputs


class Marketplace:
    """The three methods, for one service. To be used on the service's event loop.

    Args:
        service: what answers records.
        max_input: bytes of one input.
    """

    def __init__(self, service: Service, *, max_input: int) -> None:
        self._service, self._max = service, max_input
        self._predict = predict_route(service.description.name)

    async def status(self, _request: Any, _context: Any) -> Any:
        """Wait until records can be answered; then what the model is, else why not."""
        deadline = time.monotonic() + STATUS_SECONDS
        while (fault := self._service.readiness.fault) and time.monotonic() < deadline:
            await asyncio.sleep(POLL_SECONDS)
        about = self._service.description
        code, words = (FAULTY, fault) if fault else (OK, "ready")
        return StatusResponse(
            status_code=code,
            status="ERROR" if fault else "OK",
            message=words,
            model_info={"model_name": about.name, "model_version": about.version, "source": f"sha256:{about.digest}"},
            description={"summary": about.title, "details": about.text},
            inputs=[
                {
                    "filename": INPUT,
                    "accepted_media_types": [JSON],
                    "max_size": str(self._max),
                    "description": 'a record, or {"records": [...]}, as the REST endpoint takes them',
                }
            ],
            outputs=[
                {"filename": OUTPUT, "media_type": JSON, "max_size": str(self._max), "description": "the answers"}
            ],
            timeout={"status": f"{STATUS_SECONDS}s", "run": f"{STATUS_SECONDS}s"},
            features={"batch_size": 1, "results_format": "json"},
        )

    async def run(self, request: Any, _context: Any) -> Any:
        """Answer the items, each on its own: one that cannot be answered says why, and the others are answered."""
        outputs = [await self._answer(item.input) for item in request.inputs]
        failed = sum(not output["success"] for output in outputs)
        return RunResponse(
            status_code=OK, status="OK", message=f"{len(outputs) - failed} answered, {failed} failed", outputs=outputs
        )

    async def shutdown(self, _request: Any, _context: Any) -> Any:
        """End the process as SIGTERM does, once this answer is sent."""
        asyncio.get_running_loop().call_later(POLL_SECONDS, os.kill, os.getpid(), signal.SIGTERM)
        return ShutdownResponse(status_code=OK, status="OK", message="shutting down")

    async def _answer(self, item: Mapping[str, bytes]) -> dict[str, Any]:
        try:
            if [*item] != [INPUT]:
                raise Refusal(400, f"an item has one input, {INPUT!r}")
            if len(item[INPUT]) > self._max:
                raise Refusal(413, f"an input has {self._max} bytes at most")
            answer = await self._service.answer(self._predict, item[INPUT], request_id=uuid.uuid4().hex)
        except Refusal as refusal:
            return _failure(refusal.message)
        except RetryableError as error:
            log.warning("%s", error)
            return _failure("a service that is needed for the answer does not answer")
        except Exception:
            log.exception("an item failed")
            return _failure("this is a fault of the server; its log says more")
        if answer.then:
            answer.then()
        return {"output": {OUTPUT: answer.body}, "success": True}


def _failure(message: str) -> dict[str, Any]:
    return {"output": {ERROR: message.encode()}, "success": False}


async def serve(service: Service, *, host: str, port: int, max_input: int) -> None:
    """Answer until the task is cancelled.

    A port that cannot be bound ends the process with exit code 3, as REST's does.
    """
    most = max_input + ENVELOPE
    server = grpc.aio.server(
        options=[
            ("grpc.max_receive_message_length", most),
            ("grpc.max_send_message_length", -1),  # an answer is longer than what was asked
            ("grpc.so_reuseport", 0),
        ]
    )
    server.add_generic_rpc_handlers([_handler(Marketplace(service, max_input=max_input))])
    try:
        bound = server.add_insecure_port(f"{host}:{port}")
    except RuntimeError as error:
        log.critical("port %d of %s cannot be bound for gRPC: %s", port, host, error)
        raise SystemExit(3) from error
    await server.start()
    log.info("answers Modzy's interface on port %d", bound)
    try:
        await server.wait_for_termination()
    finally:
        await server.stop(None)


def _handler(marketplace: Marketplace) -> Any:
    methods = {"Status": marketplace.status, "Run": marketplace.run, "Shutdown": marketplace.shutdown}
    return grpc.method_handlers_generic_handler(
        SERVICE,
        {
            name: grpc.unary_unary_rpc_method_handler(
                method,
                request_deserializer=METHODS[name][0].FromString,
                response_serializer=METHODS[name][1].SerializeToString,
            )
            for name, method in methods.items()
        },
    )
