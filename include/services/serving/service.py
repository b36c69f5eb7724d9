"""The endpoints, without HTTP: a method, a path and a body to an answer."""

import asyncio
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import orjson
from numpy.typing import NDArray

from include.foundation.http.refusal import Refusal
from include.services.serving import records, tensors
from include.services.serving.batcher import Batcher
from include.services.serving.description import Description
from include.services.serving.metrics import Metrics
from include.services.serving.prediction_log import PredictionLog
from include.services.serving.predictor import Prediction, Predictor
from include.services.serving.readiness import Readiness

INLINE = 1 << 14  # bytes of a body that is read on the event loop; larger ones must not hold up the others


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What is sent back."""

    status: int = 200
    body: bytes = b""
    content_type: str = "application/json"
    rows: int = 0
    then: Callable[[], None] | None = None  # what is left to do once it is sent


class Route(NamedTuple):
    """An endpoint: its name in metrics and logs, the method it answers, and the parts of the path."""

    endpoint: str
    method: str
    parts: Mapping[str, str | None] = {}


_FIXED = {
    "/": Route("page", "GET"),
    "/metrics": Route("metrics", "GET"),
    "/openapi.json": Route("openapi", "GET"),
    "/v2": Route("server", "GET"),
    "/v2/": Route("server", "GET"),
    "/v2/health/live": Route("live", "GET"),
    "/v2/health/ready": Route("ready", "GET"),
    # SageMaker's hosting asks these (docs.aws.amazon.com/sagemaker/latest/dg/your-algorithms-inference-code.html).
    "/ping": Route("ready", "GET"),
    "/invocations": Route("predict", "POST"),
}
_MODEL = re.compile(r"/v2/models/(?P<model>[^/]+)(?:/versions/(?P<version>[^/]+))?(?:/(?P<verb>ready|infer))?")
_VERBS = {None: ("model", "GET"), "ready": ("model_ready", "GET"), "infer": ("infer", "POST")}
_PREDICT = re.compile(r"/v1/models/(?P<model>[^/]+)/predict")


def route(path: str) -> Route | None:
    """The endpoint of a path; None if there is none."""
    if fixed := _FIXED.get(path):
        return fixed
    if match := _PREDICT.fullmatch(path):
        return Route("predict", "POST", match.groupdict())
    if match := _MODEL.fullmatch(path):
        endpoint, method = _VERBS[match["verb"]]
        return Route(endpoint, method, match.groupdict())
    return None


def predict_route(model: str) -> Route:
    """The endpoint that answers a model's records."""
    return Route("predict", "POST", {"model": model})


class Service:
    """Answers requests. To be used on one event loop."""

    def __init__(
        self,
        *,
        predictor: Predictor,
        batcher: Batcher[Any, Prediction],
        readiness: Readiness,
        description: Description,
        metrics: Metrics,
        prediction_log: PredictionLog | None = None,
    ) -> None:
        self._log = prediction_log
        self._predictor, self._batcher, self._metrics = predictor, batcher, metrics
        self._records = records.RecordReader(predictor.request_type)
        self.readiness, self.description = readiness, description
        self._pages: dict[str, Callable[[], Answer]] = {
            "live": lambda: Answer(body=b'{"live":true}'),
            "ready": lambda: self._ready({}),
            "model_ready": lambda: self._ready({"name": description.name}),
            "server": lambda: Answer(body=description.server),
            "model": lambda: Answer(body=description.model),
            "openapi": lambda: Answer(body=description.openapi),
            "page": lambda: Answer(body=description.page, content_type="text/html; charset=utf-8"),
            "metrics": lambda: Answer(body=metrics.text(), content_type=metrics.content_type),
        }

    async def answer(self, found: Route, body: bytes, *, request_id: str = "") -> Answer:
        """Answer a request to the endpoint that `route` found.

        Args:
            found: the endpoint.
            body: of the request.
            request_id: what the prediction log calls the request.

        Raises:
            Refusal: it cannot be answered.
        """
        if found.parts:
            self._check_model(found.parts)
        if found.method == "GET":
            return self._pages[found.endpoint]()
        return await (self._predict if found.endpoint == "predict" else self._infer)(body, request_id)

    def _check_model(self, parts: Mapping[str, str | None]) -> None:
        name, version = self.description.name, self.description.version
        if parts["model"] != name:
            raise Refusal(404, f"no such model: this server has {name!r} only")
        if parts.get("version") not in (None, version):
            raise Refusal(404, f"no such version: this server has version {version!r} only")

    def _ready(self, about: Mapping[str, str]) -> Answer:
        fault = self.readiness.fault
        if fault:
            return Answer(status=503, body=orjson.dumps({**about, "ready": False, "reason": fault}))
        return Answer(body=orjson.dumps({**about, "ready": True}))

    async def _predict(self, body: bytes, request_id: str) -> Answer:
        read = self._records.read
        asked = read(body) if len(body) <= INLINE else await asyncio.to_thread(read, body)
        predictions = await self._batcher.submit(asked.requests)
        model = {"name": self.description.name, "version": self.description.version, "digest": self.description.digest}
        answers = [
            {
                **p.fields,
                "model": model,
                "event_time": p.event_time,
                "known_at": p.known_at,
                "history_age_seconds": p.ages,
            }
            for p in predictions
        ]
        rows, given = [p.features for p in predictions], [p.answer for p in predictions]
        if predictions:
            self._predictor.count(np.stack(rows), np.stack(given))
        then = None
        if self._log:
            then = partial(self._log.write, request_id, [vars(record) for record in asked.requests], rows, given)
        return self._answered("predict", answers[0] if asked.single else answers, rows=len(answers), then=then)

    async def _infer(self, body: bytes, request_id: str) -> Answer:
        score = self._score
        request, matrix, answers = score(body) if len(body) <= INLINE else await asyncio.to_thread(score, body)
        response = tensors.response(
            model=self.description.name,
            version=self.description.version,
            request=request,
            output=self._predictor.metadata.output.name,
            answers=answers,
        )
        then = None
        if self._log:
            then = partial(self._log.write, request_id, [None] * len(answers), matrix, answers)
        return self._answered("infer", response, rows=len(answers), then=then)

    def _score(self, body: bytes) -> tuple[tensors.InferRequest, NDArray[np.float32], NDArray[np.float32]]:
        """What was asked, its encoded rows and their answers."""
        meta = self._predictor.metadata
        request = tensors.read(
            tensors.parse(body), features=meta.features, categories=meta.categories, output=meta.output.name
        )
        matrix = request.matrix
        if matrix is None:
            matrix = self._predictor.encode_columns(request.columns or {})
        answers = self._predictor.score(matrix)
        self._predictor.count(matrix, answers)
        return request, matrix, answers

    def _answered(self, endpoint: str, content: object, *, rows: int, then: Callable[[], None] | None) -> Answer:
        self._metrics.rows.labels(endpoint).inc(rows)
        body = orjson.dumps(content, option=orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_UTC_Z)
        return Answer(body=body, rows=rows, then=then)
