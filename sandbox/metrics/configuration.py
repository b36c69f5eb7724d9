"""Prometheus' configuration in the sandbox: that of `deploy/prometheus`, with other addresses. Needs PyYAML."""

import json
import sys
from typing import Any

import yaml

from sandbox.cluster import scraping
from sandbox.supervisor.service import REPO

DEPLOY = REPO / "deploy" / "prometheus"
INTERVAL = "5s"  # a demo is over before Prometheus' usual minute has passed often enough


def configuration(cluster: str, token: str, pushgateway: str) -> dict[str, Any]:
    """The configuration.

    Args:
        cluster: URL of the Kubernetes API in which it finds what to scrape.
        token: path of the file with the token for that.
        pushgateway: `host:port`.
    """
    found: dict[str, Any] = yaml.safe_load((DEPLOY / "prometheus.yaml").read_text(encoding="utf-8"))
    found["global"] = {"scrape_interval": INTERVAL, "evaluation_interval": INTERVAL}
    found["rule_files"] = [str(DEPLOY / name) for name in found["rule_files"]]
    serving, pushed = found["scrape_configs"]
    del serving["kubernetes_sd_configs"]
    url = cluster + scraping.PATH
    serving["http_sd_configs"] = [
        {"url": url, "refresh_interval": INTERVAL, "authorization": {"type": "Bearer", "credentials_file": token}}
    ]
    pushed["static_configs"] = [{"targets": [pushgateway]}]
    return found


if __name__ == "__main__":
    print(json.dumps(configuration(*sys.argv[1:])))  # noqa: T201 (YAML's younger sister)
