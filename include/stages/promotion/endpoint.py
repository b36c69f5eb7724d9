"""A version as an endpoint of SageMaker: what its model, its configuration and the endpoint are named and made of."""

import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import Any

from include.foundation.evidence.manifest import content_key
from include.foundation.spec import UseCase

STAGE = "sagemaker"  # what the endpoint's own metrics and answers call their stage
LONGEST = 32  # characters of a use case's name: names of SageMaker have 63, the version and both digests need the rest
SHOWN = 12  # hex digits of a bundle's digest in a name, as in the bundle's own


def endpoint_name(spec: UseCase) -> str:
    """The one endpoint of a use case; two names that begin alike stay apart."""
    if len(spec.slug) <= LONGEST:
        return spec.slug
    return f"{spec.slug[: LONGEST - 9].rstrip('-')}-{hashlib.sha256(spec.slug.encode()).hexdigest()[:8]}"


def variant(
    spec: UseCase,
    *,
    version: str,
    digest: str,
    bundle: Mapping[str, Any],
    image: str,
    profile: Mapping[str, Any],
    records: Sequence[Mapping[str, Any]],
    expected: Sequence[Mapping[str, float] | float],
) -> dict[str, Any]:
    """What is hosted; plain JSON. Names say the content: other content never has a name that is there.

    Args:
        spec: the use case.
        version: the registered version.
        digest: SHA-256 of the model file, hex.
        bundle: `uri` and `digest` of the version's bundle.
        image: the version's serving image.
        profile: `Model` and `EndpointConfig`, what the requests of CreateModel and CreateEndpointConfig hold besides.
        records: as callers send them.
        expected: the numbers of their answers (see `Problem.numbers`).

    Returns:
        `endpoint`, its name; `model` and `config`, the requests that make them; what its answers are compared with.
    """
    endpoint = endpoint_name(spec)
    model = {
        **profile["Model"],
        "PrimaryContainer": {
            "Image": image,
            "ModelDataUrl": bundle["uri"],
            "Environment": {"FLIGHTLINE_STAGE": STAGE},
        },
    }
    model["ModelName"] = f"{endpoint}-v{version}-{bundle['digest'][:SHOWN]}"
    variants = [{**each, "ModelName": model["ModelName"]} for each in profile["EndpointConfig"]["ProductionVariants"]]
    config = {**profile["EndpointConfig"], "ProductionVariants": variants}
    config["EndpointConfigName"] = f"{model['ModelName']}-{content_key(model=model, config=config)[:8]}"
    return {
        "use_case": spec.name,
        "endpoint": endpoint,
        "version": version,
        "digest": digest,
        "model": model,
        "config": config,
        "records": list(records),
        "expected": list(expected),
    }


def is_variant(endpoint: str, name: str) -> bool:
    """Whether a model or a configuration is one that `variant` names for the endpoint."""
    return re.fullmatch(rf"{re.escape(endpoint)}-v\d+-[0-9a-f]{{{SHOWN}}}(-[0-9a-f]{{8}})?", name) is not None
