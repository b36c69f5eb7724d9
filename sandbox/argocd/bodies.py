"""What requests may carry: at most `MAX_BYTES`, and no field of another type than its own.

Names and types are those of Argo CD's API description. Every field may be absent or null; one that is not named here
passes as it is.
"""

from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError, create_model
from starlette.requests import Request

from sandbox import bodies
from sandbox.argocd.errors import INVALID_ARGUMENT, ArgoError

MAX_BYTES = 2**20


def _object(name: str, /, **fields: Any) -> type[BaseModel]:
    optional: dict[str, Any] = {key: (of | None, None) for key, of in fields.items()}
    made: type[BaseModel] = create_model(name, __config__=ConfigDict(strict=True), **optional)
    return made


ANY = _object("Body")
METADATA = _object("ObjectMeta", name=str, labels=dict[str, str], annotations=dict[str, str], finalizers=list[str])
SPEC = _object(
    "ApplicationSpec",
    project=str,
    source=_object(
        "ApplicationSource",
        repoURL=str,
        path=str,
        targetRevision=str,
        directory=_object("ApplicationSourceDirectory", recurse=bool),
    ),
    destination=_object("ApplicationDestination", server=str, name=str, namespace=str),
    syncPolicy=_object("SyncPolicy", automated=_object("SyncPolicyAutomated", enabled=bool), syncOptions=list[str]),
    revisionHistoryLimit=int,
)
APPLICATION = _object("Application", metadata=METADATA, spec=SPEC)
PATCH = _object("ApplicationPatchRequest", project=str, patch=str, patchType=str)
SYNC = _object(
    "ApplicationSyncRequest",
    project=str,
    revision=str,
    prune=bool,
    dryRun=bool,
    resources=list[_object("SyncOperationResource", group=str, kind=str, name=str, namespace=str)],  # type: ignore[misc]
    syncOptions=_object("SyncOptions", items=list[str]),
    revisions=list[str],
    sourcePositions=list[int],
    manifests=list[str],
)
ROLLBACK = _object("ApplicationRollbackRequest", project=str, id=int, prune=bool, dryRun=bool)
SESSION = _object("SessionCreateRequest", username=str, password=str)
TOKEN = _object("CreateTokenRequest", id=str, expiresIn=int)

_JSON = {str: "string", bool: "bool", int: "number", float: "number", list: "array", dict: "object"}


async def read(request: Request) -> bytes:
    """The body of a request. Raises ArgoError 413 if it is too large."""
    try:
        return await bodies.read(request, MAX_BYTES)
    except bodies.TooLarge as error:
        raise ArgoError(INVALID_ARGUMENT, str(error), http_status=413) from error


def check(body: Any, of: type[BaseModel]) -> None:
    """Compare a body with what it should be.

    Raises:
        ArgoError: 400 that names the first field of another type.
    """
    try:
        of.model_validate(body)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        given, field = _JSON.get(type(first["input"]), "null"), ".".join(map(str, (of.__name__, *first["loc"])))
        wanted = first["type"].removesuffix("_type").replace("model", "object")
        raise ArgoError(INVALID_ARGUMENT, f"json: cannot unmarshal {given} into {field} of type {wanted}") from error
