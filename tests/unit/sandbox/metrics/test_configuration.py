import json
import subprocess
from pathlib import Path

import pytest

from sandbox.metrics import FETCHED
from sandbox.metrics.configuration import configuration


def test_only_addresses_and_discovery_differ_from_production() -> None:
    found = configuration("http://127.0.0.1:1", "/token", "127.0.0.1:2")
    serving, pushed = found["scrape_configs"]
    assert serving["http_sd_configs"] == [
        {
            "url": "http://127.0.0.1:1/sandbox/prometheus-targets",
            "refresh_interval": "5s",
            "authorization": {"type": "Bearer", "credentials_file": "/token"},
        }
    ]
    assert len(serving["relabel_configs"]) == 4
    assert pushed["static_configs"] == [{"targets": ["127.0.0.1:2"]}]
    assert [rule.endswith("/deploy/prometheus/rules/*.yaml") for rule in found["rule_files"]] == [True]


def test_prometheus_takes_it(tmp_path: Path) -> None:
    promtool = FETCHED / "usr/bin/promtool"
    if not promtool.exists():
        pytest.skip("promtool is not there: `make .venv/prometheus/ready` fetches it where apt-get can")
    (tmp_path / "token").write_text("t")
    (tmp_path / "prometheus.yaml").write_text(
        json.dumps(configuration("http://127.0.0.1:1", str(tmp_path / "token"), "127.0.0.1:2"))
    )
    command = [promtool, "check", "config", tmp_path / "prometheus.yaml"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
