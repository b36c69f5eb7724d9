"""Put the parts together: the pinned model, the use case's code, the online table, the endpoints."""

import logging
import os
import sys
from functools import partial

from include.foundation import spec
from include.foundation.artifact import Scorer, open_model
from include.foundation.artifact.scoring import encoded
from include.foundation.errors import InvalidInput
from include.foundation.evidence import code
from include.foundation.history.table import Reader
from include.foundation.http.guard import Guard, Limits
from include.foundation.http.host import Hosts
from include.foundation.http.json_log import AccessLog
from include.foundation.lake import S3, Objects
from include.foundation.problem import problem
from include.foundation.spec import UseCase
from include.services.serving.asgi import application
from include.services.serving.batcher import Batcher
from include.services.serving.description import Description
from include.services.serving.metrics import Metrics
from include.services.serving.prediction_log import PredictionLog
from include.services.serving.predictor import Predictor
from include.services.serving.readiness import Readiness
from include.services.serving.records import example
from include.services.serving.service import Service
from include.services.serving.settings import Settings

log = logging.getLogger(__name__)
BATCH = 256  # rows


def assemble(settings: Settings) -> tuple[Guard, Readiness, PredictionLog | None]:
    """Load everything that `settings` name.

    Returns:
        The application, whether it can answer, and the prediction log, which is to be closed after the last answer;
        None if predictions are not logged.

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
    scorer = open_model(Objects(S3.from_env(os.environ)).get(settings.model_uri), settings.model_digest)
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
    reader = Reader(settings.online_dsn, use_case.name, features.VIEWS)
    predictor = Predictor(
        features=features,
        encode=partial(encoded, spec.module(use_case.name, "model"), scorer.metadata),
        scorer=scorer,
        read=reader.join,
        look_up=reader.look_up,
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
    return app, readiness, prediction_log


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
