"""The published JSON Schema of `use_case.yaml`, for editors and other programs."""

import json

from include.foundation.spec.use_case import UseCase


def schema() -> str:
    """JSON Schema 2020-12 as indented text; what relates several fields is only checked when a spec is loaded."""
    said = {"$schema": "https://json-schema.org/draft/2020-12/schema", **UseCase.model_json_schema()}
    return json.dumps(said, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
