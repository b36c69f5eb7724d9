"""Put the parts together: the pinned model, the use case's code, the online table, the endpoints."""

import logging
import os
import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

import polars as pl

from include.foundation import spec
from include.foundation.artifact import Scorer, open_model
from include.foundation.artifact.scoring import encoded
from include.foundation.errors import InvalidInput, MissingInput
from include.foundation.evidence import code
from include.foundation.history.files import Files
from include.foundation.history.table import Reader
from include.foundation.http.guard import Guard, Limits
from include.foundation.http.host import Hosts
from include.foundation.http.json_log import AccessLog
from include.foundation.lake import S3, Objects
from include.foundation.problem import problem
from include.foundation.spec import UseCase, View
from include.services.serving.asgi import application
from include.services.serving.batcher import Batcher
from include.services.serving.description import Description
from include.services.serving.metrics import Metrics
from include.services.serving.prediction_log import PredictionLog
from include.services.serving.predictor import LookUp, Predictor
from include.services.serving.readiness import Readiness
from include.services.serving.records import example
from include.services.serving.service import Service
from include.services.serving.settings import Settings

log = logging.getLogger(__name__)
BATCH = 256  # rows
FILE = "file:///"
Join = Callable[[pl.DataFrame], pl.DataFrame]


class Parts(NamedTuple):
    """What a process consists of.

    Attributes:
        app: the application.
        service: what it answers with.
        readiness: whether it can answer.
        prediction_log: to be closed after the last answer; None if predictions are not logged.
    """

    app: Guard
    service: Service
    readiness: Readiness
    prediction_log: PredictionLog | None


def assemble(settings: Settings) -> Parts:
    """Load everything that `settings` name.

    Raises:
        DigestMismatch: the model file is not the pinned one.
        InvalidInput: there is no such use case, the model is not one for it, or the code here is not the version's.
        MissingInput: there is no model file.
        ServiceUnavailable: S3 does not answer.
    """
    use_case = spec.load(settings.use_case)
    if settings.feature_code and settings.feature_code != (here := code.feature_code(use_case.name)):
        raise InvalidInput(
            f"the version's run manifest wants feature code {settings.feature_code}, this image has {here}: "
            "deploy the serving image that the manifest names"
        )
    scorer = open_model(_model_file(settings.model_uri), settings.model_digest)
    if scorer.metadata.use_case != use_case.name:
        raise InvalidInput(f"{settings.model_uri} is a model of {scorer.metadata.use_case}, not of {use_case.name}")
    log.info("opened model %s of run %s", scorer.digest, settings.model_run)

    features = spec.module(use_case.name, "features")
    metrics = Metrics(
        problem(scorer.metadata.problem),
        use_case=use_case.name,
        version=settings.model_version,
        stage=settings.stage,
    )
    metrics.model.labels(scorer.digest, settings.model_run).set(1)
    read, look_up = _history(settings, features.VIEWS)
    predictor = Predictor(
        features=features,
        encode=partial(encoded, spec.module(use_case.name, "model"), scorer.metadata),
        scorer=scorer,
        read=read,
        look_up=look_up,
        metrics=metrics,
    )
    batcher = Batcher(predictor.predict, size=BATCH)
    sample = example(predictor.request_type)
    readiness = Readiness(lambda: batcher.submit([sample]), metrics=metrics)
    description = Description(
        title=use_case.title,
        text=use_case.description,
        version=settings.model_version,
        digest=scorer.digest,
        run=settings.model_run,
        metadata=scorer.metadata,
        example=sample,
    )
    prediction_log = _prediction_log(settings, use_case, scorer, metrics)
    service = Service(
        predictor=predictor,
        batcher=batcher,
        readiness=readiness,
        description=description,
        metrics=metrics,
        prediction_log=prediction_log,
    )
    limits = Limits(
        body=settings.max_body, in_flight=settings.max_in_flight, hosts=Hosts(settings.allowed_hosts.split())
    )
    access_log = AccessLog(sys.stdout.buffer if settings.access_log else None)
    app = application(service, limits=limits, metrics=metrics, access_log=access_log)
    return Parts(app, service, readiness, prediction_log)


def _model_file(uri: str) -> bytes:
    if uri.startswith(FILE):
        try:
            return _path(uri).read_bytes()
        except OSError as error:
            raise MissingInput(f"{uri} cannot be read: {error.strerror}") from error
    return Objects(S3.from_env(os.environ)).get(uri)


def _history(settings: Settings, views: Mapping[str, View]) -> tuple[Join, LookUp | None]:
    """How history is joined to many requests, and to a few where that goes faster."""
    if settings.online_dsn.startswith(FILE):
        return Files(_path(settings.online_dsn), views).join, None
    reader = Reader(settings.online_dsn, settings.use_case, views)
    return reader.join, reader.look_up


def _path(uri: str) -> Path:
    return Path(unquote(urlsplit(uri).path))


def _prediction_log(settings: Settings, use_case: UseCase, scorer: Scorer, metrics: Metrics) -> PredictionLog | None:
    topic = use_case.predictions
    if not topic or not settings.brokers:
        why = "FLIGHTLINE_KAFKA names no broker" if topic else "serving.prediction_log is false in the spec"
        log.info("predictions are not logged: %s", why)
        return None
    log.info("predictions are logged to the topic %s of %s", topic.topic, settings.kafka.get("bootstrap.servers"))
    about = {
        "use_case": use_case.name,
        "version": settings.model_version,
        "model_digest": f"sha256:{scorer.digest}",
        "stage": settings.stage,
    }
    return PredictionLog(settings.brokers, topic=topic.topic, about=about, metadata=scorer.metadata, metrics=metrics)
