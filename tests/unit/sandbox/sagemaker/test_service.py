"""SageMaker in the sandbox, as far as it is told without starting it."""

from pathlib import Path

import pytest

from sandbox.sagemaker import service as sagemaker
from sandbox.supervisor.service import SandboxError


def test_a_missing_environment_is_named_with_the_target_that_makes_it(tmp_path, monkeypatch):
    monkeypatch.setattr(sagemaker, "REPO", Path("/nowhere"))
    service = sagemaker.service(tmp_path, port=9000, images=tmp_path / "images.json", role={}, secret={})
    with pytest.raises(SandboxError, match=r"/nowhere/\.venv/aws is missing; `make \.venv/aws/ready` makes it"):
        service.prepare()
