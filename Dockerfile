# Airflow with Flightline's Dags, plugins and the locked environment. Build: docker build -t flightline/airflow:0.1.0 .
FROM python:3.11-slim-bookworm AS build
COPY requirements/uv.txt /tmp/uv.txt
RUN pip install --no-cache-dir --require-hashes -r /tmp/uv.txt
COPY requirements.txt /tmp/requirements.txt
# --no-deps: the lock is whole, and sigopt's bound on urllib3 is overridden (requirements/override.txt).
RUN uv venv /opt/flightline && VIRTUAL_ENV=/opt/flightline uv pip install --no-cache --require-hashes --no-deps -r /tmp/requirements.txt

FROM python:3.11-slim-bookworm
RUN apt-get update && apt-get install -y --no-install-recommends git libgomp1 && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 10001 --create-home --home-dir /opt/airflow airflow
COPY --from=build /opt/flightline /opt/flightline
COPY dags /opt/airflow/project/dags
COPY plugins /opt/airflow/project/plugins
COPY include /opt/airflow/project/include
COPY deploy /opt/airflow/project/deploy
ENV PATH=/opt/flightline/bin:$PATH \
    PYTHONPATH=/opt/airflow/project \
    AIRFLOW_HOME=/opt/airflow \
    AIRFLOW__CORE__DAGS_FOLDER=/opt/airflow/project/dags \
    AIRFLOW__CORE__PLUGINS_FOLDER=/opt/airflow/project/plugins \
    AIRFLOW__CORE__LOAD_EXAMPLES=False \
    ORT_DISABLE_TELEMETRY=1
USER 10001
WORKDIR /opt/airflow
ENTRYPOINT ["airflow"]
CMD ["version"]
