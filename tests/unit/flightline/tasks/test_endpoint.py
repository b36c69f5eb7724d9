import json

import pytest
from airflow.sdk.exceptions import AirflowFailException

from flightline.hooks.sagemaker_endpoint import EndpointsHook
from flightline.tasks import endpoint

CHOSEN = {"version": "3", "digest": "a" * 64, "image": "team/flightline/serving:c@sha256:" + "c" * 64}
BUNDLED = {"uri": "s3://models/_bundles/x.tar.gz", "digest": "b" * 64}


def connect(monkeypatch, **extra):
    monkeypatch.setenv("AIRFLOW_CONN_SAGEMAKER", json.dumps({"conn_type": "aws", "extra": extra}))
    monkeypatch.setattr(endpoint.own_code, "sample", lambda use_case, chosen: ([{"carrier": "UA"}], [0.5]))
    monkeypatch.setattr(EndpointsHook, "expand_role", lambda _, role: f"arn:aws:iam::1:role/{role}")


def test_the_connection_says_registry_role_and_profile(monkeypatch):
    connect(monkeypatch, registry="1.dkr.ecr/flightline", execution_role="hosting", endpoint_profile="sandbox")
    found = endpoint.variant.function("flight_delays", CHOSEN, BUNDLED)
    assert found["model"]["PrimaryContainer"]["Image"] == "1.dkr.ecr/flightline/serving:c@sha256:" + "c" * 64
    assert found["model"]["ExecutionRoleArn"] == "arn:aws:iam::1:role/hosting"
    assert found["model"]["EnableNetworkIsolation"] is True
    assert (found["records"], found["expected"]) == ([{"carrier": "UA"}], [0.5])


def test_a_connection_without_a_role_is_refused(monkeypatch):
    connect(monkeypatch)
    with pytest.raises(AirflowFailException, match="execution_role"):
        endpoint.variant.function("flight_delays", CHOSEN, BUNDLED)
