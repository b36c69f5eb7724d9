"""One directory that answers as a version does, with no network: model file, code, history, a `run` script, checksums.

bundle.json    what it is: use case, version, digests, since when requests find their history
SHA256SUMS     of every other file; `run` checks them
run            `serve` or `score` (bundle.sh)
model.onnx
code/include/  the code that answers, of this use case only
history/       a Parquet file for each view; newer ones may take their place, with their checksums
sample.json    `records` as callers send them, and as many `expected` answers
"""

import gzip
import hashlib
import io
import json
import shutil
import tarfile
import tempfile
from datetime import datetime
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, Any

from include.foundation.artifact import store
from include.foundation.errors import InvalidInput, MissingInput
from include.foundation.evidence.code import ROOT, feature_code
from include.foundation.history import files
from include.foundation.lake import Lake
from include.foundation.spec import UseCase, load, module
from include.stages import registry
from include.stages.features.online import histories
from include.steps.sample import sample
from include.steps.score import require_its_code

if TYPE_CHECKING:
    from mlflow import MlflowClient

SUMS, ABOUT, RUN = "SHA256SUMS", "bundle.json", "run"
SHOWN = 12  # hex digits of the archive's digest in its name


def bundle(
    use_case: str,
    *,
    client: "MlflowClient",
    lake: Lake,
    version: str | None = None,
    days: int | None = None,
    folder: Path | None = None,
) -> dict[str, Any]:
    """Make the bundle of a version, by the code that answers for it, and keep it in the object store as a .tar.gz.

    Equal content gives an equal archive, which is stored once.

    Args:
        use_case: name.
        client: MLflow.
        lake: the lake.
        version: None is the champion.
        days: newest days whose requests find their history; None are as many as the online table keeps.
        folder: where to leave the directory too; made here.

    Returns:
        `uri` and `digest` of the archive, `name` (use case, version and digest, as an image's tag), `version`, `since`.

    Raises:
        MissingInput: there is no champion, or silver is empty.
        InvalidInput: other code answers for the version, or the folder is there already.
        DigestMismatch: the stored model file is not the version's.
    """
    spec = load(use_case)
    found = registry.get(client, use_case, version) if version else registry.champion(client, use_case)
    if found is None:
        raise MissingInput(f"{use_case} has no champion to bundle: promote a version first, or name one")
    require_its_code(use_case, found)
    uri = found.file(lake.models)
    since, history = histories(lake, spec, days=days or spec.features.online.retention_days)
    with tempfile.TemporaryDirectory() as place:
        root = Path(place) / "bundle"
        root.mkdir()
        (root / "model.onnx").write_bytes(store.fetch(lake.objects(), uri, found.digest))
        files.write(root / "history", history, module(use_case, "features").VIEWS)
        shown = sample(lake, use_case, uri=uri, digest=found.digest)
        _describe(root, spec, found, since=since, shown=shown)
        _copy_code(root / "code", use_case)
        _sum(root)
        archive = _packed(root)
        if folder:
            if folder.exists():
                raise InvalidInput(f"{folder} is there already: name another folder, or remove it")
            shutil.copytree(root, folder)
    digest = hashlib.sha256(archive).hexdigest()
    name = f"{spec.slug}-v{found.version}-{digest[:SHOWN]}"
    target = f"{lake.models.rstrip('/')}/_bundles/{name}.tar.gz"
    lake.objects().put_if_absent(target, archive)
    return {"uri": target, "digest": digest, "name": name, "version": found.version, "since": since.isoformat()}


def _describe(
    root: Path, spec: UseCase, version: registry.ModelVersion, *, since: datetime, shown: dict[str, list[Any]]
) -> None:
    about = {
        "use_case": spec.name,
        "title": spec.title,
        "version": version.version,
        "run_id": version.run_id,
        "digest": version.digest,
        "feature_code": feature_code(spec.name),
    }
    manifest = version.manifest()
    more = {"run_manifest": manifest.digest, "serving_image": manifest.serving_image, "since": since.isoformat()}
    (root / ABOUT).write_text(json.dumps(about | more, indent=1) + "\n", encoding="utf-8")
    (root / "sample.json").write_text(json.dumps(shown) + "\n", encoding="utf-8")
    template = Template(Path(__file__).with_name("bundle.sh").read_text(encoding="utf-8"))
    (root / RUN).write_text(template.substitute(about | {"title": spec.title.replace("\n", " ")}), encoding="utf-8")
    (root / RUN).chmod(0o755)


def _copy_code(target: Path, use_case: str) -> None:
    """`include/` without what other use cases are."""
    others = [
        path.name for path in (ROOT / "include" / "use_cases").iterdir() if path.is_dir() and path.name != use_case
    ]

    def left_out(folder: str, names: list[str]) -> set[str]:
        gone = {name for name in names if name == "__pycache__" or name.endswith(".pyc")}
        return gone | ({*others} & {*names} if Path(folder).name == "use_cases" else set())

    shutil.copytree(ROOT / "include", target / "include", ignore=left_out)


def _sum(root: Path) -> None:
    paths = sorted(path for path in root.rglob("*") if path.is_file())
    lines = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.relative_to(root)}\n" for path in paths]
    (root / SUMS).write_text("".join(lines), encoding="utf-8")


def _packed(root: Path) -> bytes:
    """The directory as a .tar.gz without times and owners."""

    def plain(entry: tarfile.TarInfo) -> tarfile.TarInfo:
        entry.mtime = entry.uid = entry.gid = 0
        entry.uname = entry.gname = ""
        entry.mode = 0o755 if entry.isdir() or entry.name.endswith(f"/{RUN}") else 0o644
        return entry

    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for path in sorted(root.rglob("*")):
            archive.add(path, arcname=f"{root.name}/{path.relative_to(root)}", recursive=False, filter=plain)
    return gzip.compress(raw.getvalue(), mtime=0)
