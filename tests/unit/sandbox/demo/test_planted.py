"""The slow twin of a serving image."""

import json

from sandbox.cluster.images import Images
from sandbox.demo import planted


def test_the_twin_is_the_same_environment_and_code_made_slow(tmp_path):
    images = tmp_path / "images.json"
    entry = {"path": "/env/bin", "workdir": "/code", "env": {"PYTHONPATH": "/code", "FLIGHTLINE_COMMIT": "c"}}
    images.write_text(json.dumps({"flightline/serving": entry, "flightline/trainer": entry}))
    twin = planted._spoilt(images, "flightline/serving@sha256:abc")
    assert twin == "flightline/serving-slow@sha256:abc"
    found, good = Images(images).find(twin), Images(images).find("flightline/serving@sha256:abc")
    assert (found.path, found.workdir) == (good.path, good.workdir)
    assert found.env == {
        "PYTHONPATH": f"{planted.FAULTY}:/code", "FLIGHTLINE_COMMIT": "c", "FAULT": "slow"
    }  # fmt: skip
    assert (planted.FAULTY / "sitecustomize.py").is_file(), "what Python imports at its start from that path"
    assert good.env == entry["env"], "the good image stays as it was"
