"""A bad candidate, planted: the champion's own model file, served by an image in which every answer is slow.

Nothing in its manifest or verdict is wrong, so no gate and no smoke test can see it: only who asks both versions at the
same time can. The image is the champion's environment and code, and `faulty/` on its path.
"""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import httpx

from include.foundation.spec import UseCase
from include.stages import registry
from include.stages.registry.versions import DIGEST, GATE, JUDGED_AGAINST, URI
from sandbox.cluster.images import Images, repository
from sandbox.endpoints import Endpoints
from sandbox.supervisor.service import SandboxError

if TYPE_CHECKING:
    from mlflow import MlflowClient

FAULTY = Path(__file__).parent / "faulty"
FAULT = "slow"


def plant(at: Endpoints, spec: UseCase, client: "MlflowClient") -> str:
    """Register it; returns the version.

    Raises:
        SandboxError: there is no champion that names its serving image.
    """
    champion = registry.champion(client, spec.name)
    if champion is None or not (image := champion.manifest().serving_image):
        raise SandboxError(f"{spec.name} has no champion that names its serving image: run make demo first")
    run = client.create_run(client.get_run(champion.run_id).info.experiment_id, run_name=f"planted: {FAULT}")
    manifest = champion.manifest().model_copy(
        update={
            "run_id": run.info.run_id,
            "serving_image": _spoilt(at.home.path / "images.json", image),
            "parent_version": champion.version,
        }
    )
    verdict = champion.verdict().model_copy(update={"run_manifest": manifest.digest})
    for path in verdict.reports:
        words = {"run_uuid": champion.run_id, "path": path}
        text = httpx.get(f"{at.url('mlflow')}/get-artifact", params=words).raise_for_status().content.decode()
        client.log_text(run.info.run_id, verdict.check_report(path, text), path)
    for name, value in {**manifest.tags(), DIGEST: champion.digest, URI: champion.uri}.items():
        client.set_tag(run.info.run_id, name, value)
    client.set_terminated(run.info.run_id)
    version = registry.register(client, spec.name, run_id=run.info.run_id).version
    said = {**verdict.tags(), JUDGED_AGAINST: verdict.champion, GATE: verdict.gate}
    registry.tag(client, spec.name, version, said)
    return version


def _spoilt(images: Path, image: str) -> str:
    """Name a slow twin of an image, and let the cluster know it."""
    good, name = Images(images).find(image), f"{repository(image)}-{FAULT}"
    twin = {
        "path": good.path,
        "workdir": good.workdir,
        "env": {**good.env, "PYTHONPATH": f"{FAULTY}:{good.workdir}", "FAULT": FAULT},
    }
    images.write_text(json.dumps({**json.loads(images.read_text()), name: twin}, indent=1))
    return f"{name}{image.removeprefix(repository(image))}"
