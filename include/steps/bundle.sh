#!/bin/sh
# ${title}, version ${version}. Needs no network, only the Python of the serving environment: PYTHON names it.
#   ./run serve    REST on HOST:PORT (127.0.0.1:8080); where PSC_MODEL_PORT is set, Modzy's interface (gRPC) too
#   ./run score    a JSON record a line on standard input, its answer in the same line of standard output
# Exit code 65: a file is not the one that was bundled.
set -eu
here=$$(CDPATH= cd -- "$$(dirname -- "$$0")" && pwd)
(cd "$$here" && sha256sum --check --quiet --strict SHA256SUMS >&2) || exit 65
export PYTHONPATH="$$here/code" PYTHONDONTWRITEBYTECODE=1
export FLIGHTLINE_USE_CASE=${use_case} FLIGHTLINE_MODEL_VERSION=${version} FLIGHTLINE_MODEL_RUN=${run_id}
export FLIGHTLINE_MODEL_URI="file://$$here/model.onnx" FLIGHTLINE_MODEL_DIGEST=${digest}
export FLIGHTLINE_FEATURE_CODE=${feature_code} FLIGHTLINE_ONLINE_DSN="file://$$here/history"
case "$${1:-serve}" in
serve) exec "$${PYTHON:-python3}" -m include.services.serving ;;
score) exec "$${PYTHON:-python3}" -m include.services.serving.lines ;;
*) sed -n '2,5s/^# //p' "$$0" >&2; exit 64 ;;
esac
