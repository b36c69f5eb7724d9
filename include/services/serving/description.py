"""What the server says about itself: protocol metadata, OpenAPI and a page for people. Made once, at the start."""

import html
import json
from importlib import resources
from string import Template
from typing import Any

import orjson
from pydantic import BaseModel

from include.foundation.artifact import Metadata
from include.foundation.http.refusal import Fault
from include.foundation.problem import kind, problem
from include.services.serving import tensors

_TEXT = {"type": "string"}


class Description:
    """Bodies of the endpoints that describe the server.

    Args:
        title: of the use case, for people.
        text: of the use case, for people.
        version: of the model.
        digest: of the model file.
        run: that made it.
        metadata: of the model file.
        example: a record that the model can answer.
    """

    def __init__(
        self, *, title: str, text: str, version: str, digest: str, run: str, metadata: Metadata, example: BaseModel
    ) -> None:
        self.name, self.version, self.digest = metadata.use_case, version, digest
        self.title, self.text = title, text
        record = type(example).model_json_schema(ref_template="#/components/schemas/{model}")
        body = example.model_dump_json()
        shape = [-1, len(metadata.classes)] if metadata.output.per_class else [-1]
        self.server = orjson.dumps({"name": "flightline", "version": version, "extensions": []})
        self.model = orjson.dumps(
            {
                "name": self.name,
                "versions": [version],
                "platform": "onnx_onnxv1",
                "inputs": [{"name": tensors.INPUT, "datatype": "FP32", "shape": [-1, len(metadata.features)]}],
                "outputs": [{"name": metadata.output.name, "datatype": "FP32", "shape": shape}],
                "parameters": {
                    "digest": digest,
                    "run_id": run,
                    "features": metadata.features,
                    # Names alone: the values are texts of training, which not every caller may see.
                    "categories": [*metadata.categories],
                    "problem": metadata.problem,
                    **({"classes": metadata.classes} if metadata.classes else {}),
                },
            }
        )
        self.openapi = orjson.dumps(_openapi(metadata, title, version, record, json.loads(body)))
        values = {
            "title": title,
            "text": text,
            "name": self.name,
            "version": version,
            "digest": digest,
            "run_id": run,
            "answer": f"{metadata.problem} ({kind(metadata.problem).asks})",
            "classes": f": {', '.join(metadata.classes)}" if metadata.classes else "",
            "features": ", ".join(metadata.features),
            # What a shell's single quotes cannot hold is not worth an example of its own.
            "record": body.replace("'", "\\u0027"),
        }
        page = Template(resources.files(__package__).joinpath("page.html").read_text(encoding="utf-8"))
        self.page = page.substitute({key: html.escape(value) for key, value in values.items()}).encode()


def _openapi(metadata: Metadata, title: str, version: str, record: dict[str, Any], example: Any) -> dict[str, Any]:
    name, plural = metadata.use_case, metadata.output.plural
    answer = problem(metadata.problem).schema(metadata.classes)
    schemas = record.pop("$defs", {})
    any_record = {"$ref": "#/components/schemas/Record"}
    faults = Fault.__dataclass_fields__
    schemas |= {
        "Record": record,
        "Prediction": {
            "type": "object",
            "properties": {
                **answer,
                "model": {"type": "object", "properties": {"name": _TEXT, "version": _TEXT, "digest": _TEXT}},
                "event_time": {"type": "string", "format": "date-time"},
                "known_at": {"type": ["string", "null"], "format": "date-time"},
                "history_age_seconds": {
                    "type": "object",
                    "description": "by view, from when its history was known to event_time; null: there is none",
                    "additionalProperties": {"type": ["number", "null"], "minimum": 0},
                },
            },
        },
        "Error": {
            "type": "object",
            "properties": {
                "error": _TEXT,
                "fields": {
                    "type": "array",
                    "items": {"type": "object", "properties": dict.fromkeys(faults, _TEXT)},
                },
            },
        },
    }

    def body(schema: dict[str, Any], **more: Any) -> dict[str, Any]:
        return {"content": {"application/json": {"schema": schema, **more}}}

    def operation(summary: str, answer: dict[str, Any], **more: Any) -> dict[str, Any]:
        failed = body({"$ref": "#/components/schemas/Error"})
        answers = {"200": {"description": "answered", **body(answer)}}
        for code, meaning in {
            "400": "not understood",
            "422": "a record is not valid; `fields` says where",
            "503": "cannot answer now; `Retry-After` says when to ask again",
        }.items():
            answers[code] = {"description": meaning, **failed}
        return {"summary": summary, "responses": answers, **more}

    many = {
        "type": "object",
        "required": ["records"],
        "properties": {"records": {"type": "array", "items": any_record}},
    }
    prediction = {"$ref": "#/components/schemas/Prediction"}
    return {
        "openapi": "3.1.0",
        "info": {"title": title, "version": version},
        "paths": {
            f"/v1/models/{name}/predict": {
                "post": operation(
                    f"{plural} of records",
                    {"anyOf": [{"type": "array", "items": prediction}, prediction]},
                    requestBody={
                        "required": True,
                        **body({"anyOf": [many, any_record]}, example={"records": [example]}),
                    },
                )
            },
            f"/v2/models/{name}/infer": {
                "post": operation(
                    f"{plural} of encoded features (Open Inference Protocol v2)",
                    {"type": "object"},
                    requestBody={"required": True, **body({"type": "object", "required": ["inputs"]})},
                )
            },
            f"/v2/models/{name}": {"get": operation("The model: version, digest, features", {"type": "object"})},
            "/v2/health/ready": {"get": operation("Whether the server can answer", {"type": "object"})},
        },
        "components": {"schemas": schemas},
    }
