import os
import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    ("environ", "expected"),
    [({}, ("127.0.0.1", "5500")), ({"HOST": "0.0.0.0", "PORT": "8080"}, ("0.0.0.0", "8080"))],
)
def test_listens_on_loopback_unless_the_image_says_otherwise(
    environ: dict[str, str], expected: tuple[str, str]
) -> None:
    bare = {name: value for name, value in os.environ.items() if name not in ("HOST", "PORT")}
    command = [sys.executable, "-m", "include.services.tuning", "--help"]
    shown = subprocess.run(command, env=bare | environ, capture_output=True, text=True, timeout=60, check=True).stdout
    assert [f"(default: {value})" in " ".join(shown.split()) for value in expected] == [True, True]
