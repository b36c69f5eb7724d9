"""Programs of others on the sandbox's services, doing what their users do daily: the AWS command line.

kubectl is in test_cluster.py, DuckDB and pyiceberg in test_engines.py, MLflow's client in test_training.py, SigOpt's in
tuning/.
"""

import os
import subprocess
import urllib.request
from collections.abc import Callable

import pytest

from sandbox.supervisor.service import python

pytestmark = pytest.mark.integration


@pytest.fixture
def aws(s3, tmp_path) -> Callable[..., str]:
    """Run the AWS command line, with nothing of the user's own settings."""

    def run(*words: str, code: int = 0) -> str:
        env = {
            "PATH": os.environ["PATH"],
            "HOME": str(tmp_path),
            "AWS_ENDPOINT_URL": s3.endpoint,
            "AWS_REGION": s3.region,
            "AWS_ACCESS_KEY_ID": s3.access_key,
            "AWS_SECRET_ACCESS_KEY": s3.secret_key,
        }
        command = (python("dev").parent / "aws", *words)
        done = subprocess.run(command, env=env, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120)
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + (done.stderr if code else "")

    return run


def test_aws_lists_copies_syncs_presigns_and_removes(aws, tmp_path) -> None:
    folder = tmp_path / "days"
    folder.mkdir()
    texts = {"2013-01-01.csv": "a,b\n1,2\n", "a b+\u00fc.csv": "x\n" * 100_000}
    for name, text in texts.items():
        (folder / name).write_text(text)
        os.utime(folder / name, (0, 0))  # what is newer than S3's copy, by S3's whole seconds, is sent again
    aws("s3", "sync", "days", "s3://landing/clients", "--no-progress")
    listed = aws("s3", "ls", "s3://landing/clients/", "--recursive")
    assert [line.split(maxsplit=3)[3] for line in listed.splitlines()] == [f"clients/{name}" for name in texts]
    aws("s3", "cp", "s3://landing/clients", "back", "--recursive", "--no-progress")
    assert {path.name: path.read_text() for path in (tmp_path / "back").iterdir()} == texts
    url = aws("s3", "presign", "s3://landing/clients/2013-01-01.csv").strip()
    with urllib.request.urlopen(url) as response:
        assert response.read().decode() == texts["2013-01-01.csv"]
    (folder / "2013-01-01.csv").unlink()
    deleted = aws("s3", "sync", "days", "s3://landing/clients", "--delete")
    assert deleted.strip() == "delete: s3://landing/clients/2013-01-01.csv"
    aws("s3", "rm", "s3://landing/clients/a b+\u00fc.csv")
    assert "404" in aws("s3", "cp", "s3://landing/clients/a b+\u00fc.csv", "gone", code=1)
