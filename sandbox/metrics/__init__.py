"""Prometheus and its Pushgateway, where the machine has them: no wheel carries them, Debian's packages do."""

import shutil

from sandbox.supervisor.service import REPO

PACKAGES = ("prometheus", "prometheus-pushgateway")
FETCHED = REPO / ".venv" / "prometheus"  # by `make .venv/prometheus/ready`, for tests


def programs() -> dict[str, str]:
    """Name to path of both programs, installed or fetched; empty where one is missing, for alone they show nothing."""
    found = {}
    for name in PACKAGES:
        fetched = FETCHED / "usr" / "bin" / name
        if path := shutil.which(name) or (str(fetched) if fetched.exists() else None):
            found[name] = path
    return found if len(found) == len(PACKAGES) else {}
