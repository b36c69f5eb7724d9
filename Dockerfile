# Flightline's images, one target each: airflow, trainer, torch, tuning, serving, spark, workspace. `make images` builds
# them (docs/images.md).
# The base needs Python 3.11 with venv, and apt or else git, libgomp1, gcc and Python's headers. Locks come before code.
ARG BASE=python:3.11-slim-bookworm

# --- environments: each from its hashed lock; --no-deps, because a lock is whole ---------------------------------------
FROM ${BASE} AS build
# The operating system's certificates, for pip and uv alike: a private authority belongs in the base image.
ENV PIP_CERT=/etc/ssl/certs/ca-certificates.crt \
    SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt
COPY requirements/uv.txt /tmp/uv.txt
# The index, and the login for it as a secret: a build argument would stay in the image's history.
ARG PIP_INDEX_URL=https://pypi.org/simple
RUN --mount=type=secret,id=netrc,target=/root/.netrc \
    python3 -m venv /opt/uv && /opt/uv/bin/pip install --no-cache-dir --require-hashes -r /tmp/uv.txt \
    && /opt/uv/bin/uv venv --python 3.11 --no-python-downloads /opt/flightline
ENV VIRTUAL_ENV=/opt/flightline \
    UV_DEFAULT_INDEX=${PIP_INDEX_URL} \
    UV_NO_CACHE=1 \
    UV_COMPILE_BYTECODE=1 \
    PYC_INVALIDATION_MODE=UNCHECKED_HASH

FROM build AS airflow-environment
COPY requirements.txt /tmp/lock.txt
RUN --mount=type=secret,id=netrc,target=/root/.netrc /opt/uv/bin/uv pip install --require-hashes --no-deps -r /tmp/lock.txt \
    && rm -f /opt/flightline/.lock

FROM build AS trainer-environment
COPY requirements/trainer.txt /tmp/lock.txt
RUN --mount=type=secret,id=netrc,target=/root/.netrc /opt/uv/bin/uv pip install --require-hashes --no-deps -r /tmp/lock.txt \
    && rm -f /opt/flightline/.lock

FROM build AS workspace-environment
COPY requirements/workspace.txt /tmp/lock.txt
RUN --mount=type=secret,id=netrc,target=/root/.netrc /opt/uv/bin/uv pip install --require-hashes --no-deps -r /tmp/lock.txt \
    && rm -f /opt/flightline/.lock

FROM build AS torch-environment
# cpu: a sixth of the size, and no GPU
ARG TORCH=cuda
COPY requirements/torch.txt requirements/torch-cpu.txt requirements/torch-cuda.txt /tmp/
RUN --mount=type=secret,id=netrc,target=/root/.netrc /opt/uv/bin/uv pip install --require-hashes --no-deps -r /tmp/torch.txt \
    && /opt/uv/bin/uv pip install --require-hashes --no-deps -r /tmp/torch-${TORCH}.txt \
    && rm -f /opt/flightline/.lock

FROM build AS tuning-environment
# qmcpy has no wheel: it is compiled here, and compiler and headers stay here.
RUN echo '#include <Python.h>' | gcc -fsyntax-only -xc -I"$(python3 -c 'import sysconfig; print(sysconfig.get_path("include"))')" - \
    || { apt-get update && apt-get install -y --no-install-recommends gcc libc6-dev python3-dev && rm -rf /var/lib/apt/lists/* /var/cache/apt/*; }
COPY requirements/tuning.txt /tmp/lock.txt
RUN --mount=type=secret,id=netrc,target=/root/.netrc /opt/uv/bin/uv pip install --require-hashes --no-deps -r /tmp/lock.txt \
    && rm -f /opt/flightline/.lock

FROM build AS spark-environment
COPY requirements/spark.txt /tmp/lock.txt
# Iceberg's and S3A's jars come inside wheels; Spark takes what lies among its own.
RUN --mount=type=secret,id=netrc,target=/root/.netrc /opt/uv/bin/uv pip install --require-hashes --no-deps -r /tmp/lock.txt \
    && rm -f /opt/flightline/.lock && cd /opt/flightline/lib/python3.11/site-packages \
    && mv snowpark_connect_deps_iceberg/jars/iceberg-spark-runtime-3.5_2.12-*.jar sagemaker_pyspark/jars/hadoop-aws-*.jar \
        sagemaker_pyspark/jars/aws-java-sdk-bundle-*.jar pyspark/jars/ \
    && rm -r snowpark_connect_deps_iceberg sagemaker_pyspark

FROM build AS serving-environment
COPY requirements/serving.txt /tmp/lock.txt
RUN --mount=type=secret,id=netrc,target=/root/.netrc /opt/uv/bin/uv pip install --require-hashes --no-deps -r /tmp/lock.txt \
    && rm -f /opt/flightline/.lock

FROM build AS include
COPY include /srv/include
RUN python3 -m compileall -q --invalidation-mode unchecked-hash /srv/include

# --- what every image has: a user who owns nothing in it, and no installer ---------------------------------------------
FROM ${BASE} AS runtime
RUN useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin flightline
ENV PATH=/opt/flightline/bin:$PATH \
    PYTHONPATH=/srv \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    MLFLOW_DISABLE_TELEMETRY=true \
    ORT_DISABLE_TELEMETRY=1 \
    DO_NOT_TRACK=1
WORKDIR /srv
LABEL org.opencontainers.image.vendor="Flightline" org.opencontainers.image.licenses="Apache-2.0"

# --- the tuning service: the API of SigOpt, its state in PostgreSQL ----------------------------------------------------
FROM runtime AS tuning
COPY --from=tuning-environment /opt/flightline /opt/flightline
COPY --from=include /srv/include /srv/include
USER 10001
ENV HOST=0.0.0.0 PORT=8080
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s \
    CMD ["python", "-c", "import os, urllib.request; urllib.request.urlopen(\"http://127.0.0.1:\" + os.environ[\"PORT\"] + \"/health\", timeout=4)"]
CMD ["python", "-m", "include.services.tuning"]

# --- serving: one pinned model over REST; its pods: deploy/gitops/deployment.yaml --------------------------------------
FROM runtime AS serving
COPY --from=serving-environment /opt/flightline /opt/flightline
COPY --from=include /srv/include /srv/include
# SageMaker hosts an image as `serve`.
RUN ln -s /srv/include/services/serving/serve.sh /usr/local/bin/serve
USER 10001
ENV HOST=0.0.0.0 PORT=8080
EXPOSE 8080
# Alive, not ready: a pod that waits for the online table must not be restarted for it.
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s \
    CMD ["python", "-c", "import os, urllib.request; urllib.request.urlopen(\"http://127.0.0.1:\" + os.environ[\"PORT\"] + \"/v2/health/live\", timeout=4)"]
CMD ["python", "-m", "include.services.serving"]

# --- Spark: ingest and features of specs with `engine: spark`, driver and executors ------------------------------------
FROM runtime AS spark
RUN command -v java || { apt-get update && apt-get install -y --no-install-recommends openjdk-17-jre-headless \
    && rm -rf /var/lib/apt/lists/* /var/cache/apt/*; }
COPY --from=spark-environment /opt/flightline /opt/flightline
COPY --from=include /srv/include /srv/include
COPY deploy/spark/entrypoint.sh /opt/entrypoint.sh
ARG COMMIT
RUN test -n "$COMMIT" || { echo 'say --build-arg COMMIT=$(git rev-parse HEAD)' >&2; exit 1; }
ENV FLIGHTLINE_COMMIT=$COMMIT \
    SPARK_HOME=/opt/flightline/lib/python3.11/site-packages/pyspark
USER 10001
# A job ends; whether it is well is what its exit code says.
HEALTHCHECK NONE
ENTRYPOINT ["/opt/entrypoint.sh"]
CMD ["-m", "include.steps.data", "--help"]

# --- training: the steps of a training run; its pods: deploy/pods/<profile>/trainer.yaml -------------------------------
FROM runtime AS training
# LightGBM's wheel links to the OpenMP runtime and does not carry it.
RUN ldconfig -p | grep -q libgomp.so.1 \
    || { apt-get update && apt-get install -y --no-install-recommends libgomp1 && rm -rf /var/lib/apt/lists/* /var/cache/apt/*; }
# SageMaker runs an image as `<entrypoint> train`.
RUN ln -s include/steps/sagemaker.py /srv/train

FROM training AS trainer
COPY --from=trainer-environment /opt/flightline /opt/flightline
COPY --from=include /srv/include /srv/include
COPY requirements/trainer.txt /srv/requirements/trainer.txt
# The run manifest names this commit: build from a clean tree.
ARG COMMIT
RUN test -n "$COMMIT" || { echo 'say --build-arg COMMIT=$(git rev-parse HEAD)' >&2; exit 1; }
ENV FLIGHTLINE_COMMIT=$COMMIT
USER 10001
# A job ends; whether it is well is what its exit code says.
HEALTHCHECK NONE
ENTRYPOINT ["python"]
CMD ["-m", "include.steps", "--help"]

# --- training with PyTorch; its pods: deploy/pods/<profile>/torch.yaml -------------------------------------------------
FROM training AS torch
COPY --from=torch-environment /opt/flightline /opt/flightline
COPY --from=include /srv/include /srv/include
COPY requirements/torch.txt /srv/requirements/torch.txt
ARG COMMIT
RUN test -n "$COMMIT" || { echo 'say --build-arg COMMIT=$(git rev-parse HEAD)' >&2; exit 1; }
ENV FLIGHTLINE_COMMIT=$COMMIT
USER 10001
HEALTHCHECK NONE
ENTRYPOINT ["python"]
CMD ["-m", "include.steps", "--help"]

# --- workspaces: JupyterLab and a desktop in the browser; their pods: deploy/workspace ---------------------------------
FROM training AS workspace
RUN apt-get update && apt-get install -y --no-install-recommends git tigervnc-standalone-server xauth dbus-x11 xfce4-session \
        xfwm4 xfdesktop4 xfce4-panel xfce4-settings xfce4-terminal thunar \
    && rm -rf /var/lib/apt/lists/* /var/cache/apt/* && dbus-uuidgen --ensure \
    && usermod --home /home/flightline --shell /bin/bash flightline \
    && install -d -o 10001 /home/flightline
COPY --from=workspace-environment /opt/flightline /opt/flightline
COPY --from=include /srv/include /srv/include
COPY requirements/trainer.txt /srv/requirements/trainer.txt
ARG COMMIT
RUN test -n "$COMMIT" || { echo 'say --build-arg COMMIT=$(git rev-parse HEAD)' >&2; exit 1; }
ENV FLIGHTLINE_COMMIT=$COMMIT
USER 10001
EXPOSE 8888
# Whether it answers is for its pod's probe to ask.
HEALTHCHECK NONE
CMD ["python", "-m", "include.services.workspace"]

# --- Airflow with the Dags and plugins, and the MLflow server; last, so that it is what a build without a target builds -
FROM runtime AS airflow
# git: the operator that commits to the GitOps repository.
RUN command -v git || { apt-get update && apt-get install -y --no-install-recommends git && rm -rf /var/lib/apt/lists/* /var/cache/apt/*; }
# Airflow names the images of a training run by this commit.
ARG COMMIT
RUN test -n "$COMMIT" || { echo 'say --build-arg COMMIT=$(git rev-parse HEAD)' >&2; exit 1; }
ENV FLIGHTLINE_COMMIT=$COMMIT
COPY --from=airflow-environment /opt/flightline /opt/flightline
COPY --from=include /srv/include /srv/include
# Which libraries train is part of a training run's key.
COPY requirements/trainer.txt requirements/torch.txt /srv/requirements/
COPY deploy/pods /srv/deploy/pods
COPY deploy/gitops /srv/deploy/gitops
COPY deploy/workspace /srv/deploy/workspace
COPY deploy/sagemaker /srv/deploy/sagemaker
COPY deploy/kubeflow /srv/deploy/kubeflow
COPY deploy/spark/application.yaml /srv/deploy/spark/application.yaml
COPY plugins /srv/plugins
COPY dags /srv/dags
ENV HOME=/opt/airflow \
    AIRFLOW_HOME=/opt/airflow \
    AIRFLOW__CORE__DAGS_FOLDER=/srv/dags \
    AIRFLOW__CORE__PLUGINS_FOLDER=/srv/plugins \
    AIRFLOW__CORE__LOAD_EXAMPLES=False
RUN install -d -o 10001 -m 0750 /opt/airflow /opt/airflow/logs
USER 10001
# One image, four processes and a server: what is alive is for whoever starts them to ask (docker-compose.yaml).
HEALTHCHECK NONE
ENTRYPOINT ["airflow"]
CMD ["version"]
