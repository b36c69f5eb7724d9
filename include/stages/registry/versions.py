"""Versions in MLflow's model registry. A version says in its tags which bytes it is and what it was made from.

Tags: `model_digest` and `model_uri` of the model file, the run manifest (`evidence.manifest`), `gate` (passed, failed,
or judging while there is no verdict), `gate_champion`, the version that it was judged against or `none`, the verdict
that both are taken from (`evidence.verdict`), `answer.<time>` for each approval or rejection, and on a champion
`champion_since` and `previous_champion`, the version that it took over from, `monitored`, what its newest window
showed, `rejected`, in which way it was worse than the stable version when it was brought on, and `dag_run`, the run of
its train Dag that registered it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from include.foundation.artifact.store import address
from include.foundation.errors import DigestMismatch, InvalidInput
from include.foundation.evidence.manifest import DIGEST_TAG, RunManifest
from include.foundation.evidence.verdict import Verdict
from include.stages.registry.description import describe

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion as MlflowVersion

CHAMPION = "champion"
DIGEST, URI, GATE, PREVIOUS = "model_digest", "model_uri", "gate", "previous_champion"
JUDGED_AGAINST, SINCE, ANSWER = "gate_champion", "champion_since", "answer"
MONITORED, REJECTED, DAG_RUN = "monitored", "rejected", "dag_run"
FORM = "form"  # of the model file: float32, or what took its place


@dataclass(frozen=True, kw_only=True)
class ModelVersion:
    """One registered version.

    Attributes:
        name: the registered model, which is the use case.
        version: the version, digits.
        run_id: the MLflow run that made it.
        digest: SHA-256 of the model file.
        uri: where the model file lies.
        gate: "passed", "failed", "judging", or None if it was not judged.
        tags: all tags.
    """

    name: str
    version: str
    run_id: str
    digest: str
    uri: str
    gate: str | None
    tags: Mapping[str, str]

    def manifest(self) -> RunManifest:
        """What it was made from.

        Raises:
            InvalidInput: its tags hold no manifest.
            DigestMismatch: they hold that of another model, run or file: tags can be changed, a manifest cannot.
        """
        name = f"{self.name} version {self.version}"
        try:
            manifest = RunManifest.from_tags(self.tags)
        except InvalidInput as error:
            raise InvalidInput(f"{name} was not registered by its train Dag: {error}") from error
        stated = (manifest.use_case, manifest.run_id, manifest.artifacts.get("model.onnx"))
        if stated != (self.name, self.run_id, self.digest):
            raise DigestMismatch(
                f"{name} is of run {self.run_id} and model {self.digest}, its manifest of "
                f"{', '.join(map(str, stated))}: its tags were changed. Register the run again"
            )
        return manifest

    def verdict(self) -> Verdict:
        """What its gates said, checked against its manifest and its other tags.

        Raises:
            InvalidInput: its tags hold no verdict.
            DigestMismatch: they hold that of another model, or say something else beside it.
        """
        name = f"{self.name} version {self.version}"
        try:
            verdict = Verdict.from_tags(self.tags)
        except InvalidInput as error:
            raise InvalidInput(f"{name} has gate={self.gate}, but {error}") from error
        said = (verdict.gate, verdict.champion, verdict.model, verdict.run_manifest)
        if said != (self.gate, self.tags.get(JUDGED_AGAINST), self.digest, self.manifest().digest):
            raise DigestMismatch(
                f"{name} has gate={self.gate}, which is not the verdict of its gates on this model and run manifest: "
                "its tags were changed. Run its gate again"
            )
        return verdict

    def file(self, models: str) -> str:
        """URI of its model file, which follows from its digest.

        Args:
            models: where model files are kept (`Lake.models`).

        Raises:
            DigestMismatch: its tag names another place.
        """
        uri = address(models, self.name, self.digest)
        if self.uri != uri:
            raise DigestMismatch(
                f"{self.name} version {self.version} has {URI}={self.uri[:200]}, but its model file is {uri}: "
                "the tag was changed"
            )
        return uri


def register(
    client: "MlflowClient", name: str, *, run_id: str, description: str = "", tags: Mapping[str, str] | None = None
) -> ModelVersion:
    """Register what a run made; the version that the run has for the same bytes is returned, not doubled.

    The version gets the run's own tags (not those that MLflow or the platform keep about the run) and `tags`; what it
    has stays.

    Args:
        client: of the registry.
        name: the registered model; it is made if there is none.
        run_id: the MLflow run; its tags name the model file.
        description: of the registered model, if it is made.
        tags: more tags of the version.

    Raises:
        InvalidInput: the run has no model file (yet).
    """
    from mlflow.exceptions import MlflowException

    run = client.get_run(run_id)
    kept = run.data.tags.items()
    tags = {**{key: value for key, value in kept if not key.startswith(("mlflow.", "flightline."))}, **(tags or {})}
    if not tags.get(DIGEST) or not tags.get(URI):
        raise InvalidInput(f"run {run_id} has no {DIGEST} and {URI}: the fit did not finish")
    try:
        client.create_registered_model(name, description=description)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    if found := of_run(client, name, run_id, tags[DIGEST]):
        missing = {key: value for key, value in tags.items() if key not in found.tags}
        tag(client, name, found.version, missing)
        return get(client, name, found.version) if missing else found
    made = client.create_model_version(
        name,
        f"{run.info.artifact_uri}/model",  # what MLflow's own clients load; the platform reads `model_uri`
        run_id,
        tags=tags,
        description=describe(RunManifest.from_tags(tags), form=tags.get(FORM)) if DIGEST_TAG in tags else None,
        await_creation_for=0,
    )
    return _version(made)


def of_run(client: "MlflowClient", name: str, run_id: str, digest: str) -> ModelVersion | None:
    """The version that a run has for the bytes with this digest; None if it has none."""
    found = client.search_model_versions(f"name = '{name}' and run_id = '{run_id}'")
    return next((_version(each) for each in found if each.tags.get(DIGEST) == digest), None)


def get(client: "MlflowClient", name: str, version: str) -> ModelVersion:
    """One version.

    Raises:
        InvalidInput: there is no such version.
    """
    from mlflow.exceptions import MlflowException

    try:
        return _version(client.get_model_version(name, version))
    except MlflowException as error:
        if error.error_code in {"RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"}:
            raise InvalidInput(f"{name} has no version {version}") from error
        raise


def trained(client: "MlflowClient", name: str) -> list[ModelVersion]:
    """All versions that training registered (they have a manifest), oldest first."""
    return _tagged(client, name, DIGEST_TAG)


def newest(client: "MlflowClient", name: str, *, tagged: str | None = None) -> ModelVersion | None:
    """The version (of those with a tag) that was registered last, whatever its gates said; None if there is none."""
    return next(reversed(_tagged(client, name, tagged)), None)


def _tagged(client: "MlflowClient", name: str, tagged: str | None) -> list[ModelVersion]:
    found = [each for each in client.search_model_versions(f"name = '{name}'") if tagged is None or tagged in each.tags]
    return [_version(each) for each in sorted(found, key=lambda version: int(version.version))]


def champion(client: "MlflowClient", name: str) -> ModelVersion | None:
    """The champion; None if there never was one.

    Raises:
        InvalidInput: no version has the alias `champion`, but one had it: what is absent is not taken for a first time.
    """
    found = aliased(client, name)
    if found is None and (last := last_champion(client, name)):
        raise InvalidInput(
            f"no version of {name} has the alias `{CHAMPION}`, but version {last.version} had it since "
            f"{last.tags[SINCE]}: promote version {last.version} to give it back"
        )
    return found


def last_champion(client: "MlflowClient", name: str) -> ModelVersion | None:
    """The version that became champion last, by the registry's own record; None if none ever did."""
    had = [version for version in client.search_model_versions(f"name = '{name}'") if SINCE in version.tags]
    return _version(max(had, key=lambda version: version.tags[SINCE])) if had else None


def aliased(client: "MlflowClient", name: str) -> ModelVersion | None:
    """The version with the alias `champion`; None if there is none (or no such model)."""
    from mlflow.exceptions import MlflowException

    try:
        return _version(client.get_model_version_by_alias(name, CHAMPION))
    except MlflowException as error:
        # a missing alias is INVALID_PARAMETER_VALUE, a missing model RESOURCE_DOES_NOT_EXIST (MLflow 3.17)
        if error.error_code in {"INVALID_PARAMETER_VALUE", "RESOURCE_DOES_NOT_EXIST"}:
            return None
        raise


def set_champion(client: "MlflowClient", name: str, version: str) -> ModelVersion | None:
    """Make a version the champion and return the one that was; None if there was none.

    MLflow moves an alias without compare-and-swap: callers come one at a time (the promote Dag has one active run).
    Doing it again changes nothing, and `previous_champion` keeps naming the other version.

    Raises:
        InvalidInput: there is no such version.
    """
    get(client, name, version)
    before = aliased(client, name)
    if before is not None and before.version == version:
        previous = before.tags.get(PREVIOUS)
        return get(client, name, previous) if previous else None
    if before is not None:
        tag(client, name, version, {PREVIOUS: before.version})
    client.set_registered_model_alias(name, CHAMPION, version)
    tag(client, name, version, {SINCE: datetime.now(UTC).isoformat(timespec="milliseconds")})
    return before


def tag(client: "MlflowClient", name: str, version: str, tags: Mapping[str, str]) -> None:
    """Set tags of a version."""
    for key, value in tags.items():
        client.set_model_version_tag(name, version, key, value)


def _version(found: "MlflowVersion") -> ModelVersion:
    tags = dict(found.tags)
    return ModelVersion(
        name=found.name,
        version=str(found.version),
        run_id=found.run_id or "",
        digest=tags.get(DIGEST, ""),
        uri=tags.get(URI, ""),
        gate=tags.get(GATE),
        tags=tags,
    )
