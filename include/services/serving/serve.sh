#!/bin/sh
# SageMaker hosts an image as `serve`, with a version's bundle under /opt/ml/model: REST on 8080, GET /ping, POST /invocations.
# The two variables are those by which AWS moves port and folder, for several containers and for tests.
export PORT="${SAGEMAKER_BIND_TO_PORT:-8080}"
exec sh "${SAGEMAKER_BASE_DIR:-/opt/ml}/model/bundle/run" serve
