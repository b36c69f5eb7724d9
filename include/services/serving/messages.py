"""The messages of Modzy's container interface (the Open Model Interface, version 2), in Protocol Buffers.

Made from the tables below instead of from generated code, which holds for one version of the library only. A field's
number is its place. There is no package: the service is `ModzyModel`.
"""

from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

_MODEL = dict.fromkeys(("model_name", "model_version", "model_author", "model_type", "source"), "string")
_DESCRIPTION = dict.fromkeys(("summary", "details", "technical", "performance"), "string")
_INPUT = {"filename": "string", "accepted_media_types": "string*", "max_size": "string", "description": "string"}
_OUTPUT = {"filename": "string", "media_type": "string", "max_size": "string", "description": "string"}
_FEATURES = {"adversarial_defense": "bool", "batch_size": "int32", "retrainable": "bool"}
_FEATURES |= dict.fromkeys(("results_format", "drift_format", "explanation_format"), "string")
_SAID = {"status_code": "int32", "status": "string", "message": "string"}

# A star: repeated; `bytes by name`: map<string, bytes>; a capital: another message.
_MESSAGES: dict[str, dict[str, str]] = {
    "ModelInfo": _MODEL,
    "ModelDescription": _DESCRIPTION,
    "ModelInput": _INPUT,
    "ModelOutput": _OUTPUT,
    "ModelResources": {"required_ram": "string", "num_cpus": "float", "num_gpus": "int32"},
    "ModelTimeout": {"status": "string", "run": "string"},
    "ModelFeatures": _FEATURES,
    "StatusRequest": {},
    "StatusResponse": {
        **_SAID,
        "model_info": "ModelInfo",
        "description": "ModelDescription",
        "inputs": "ModelInput*",
        "outputs": "ModelOutput*",
        "resources": "ModelResources",
        "timeout": "ModelTimeout",
        "features": "ModelFeatures",
    },
    "InputItem": {"input": "bytes by name"},
    "RunRequest": {"inputs": "InputItem*", "detect_drift": "bool", "explain": "bool"},
    "OutputItem": {"output": "bytes by name", "success": "bool"},
    "RunResponse": {**_SAID, "outputs": "OutputItem*"},
    "ShutdownRequest": {},
    "ShutdownResponse": _SAID,
}
_Field = descriptor_pb2.FieldDescriptorProto
_ENTRY = "Entry"


def _classes() -> dict[str, Any]:
    file = descriptor_pb2.FileDescriptorProto(name="flightline/model.proto", syntax="proto3")
    for name, fields in _MESSAGES.items():
        message = file.message_type.add(name=name)
        for number, (field, said) in enumerate(fields.items(), start=1):
            _add(message, field, number, said)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {name: message_factory.GetMessageClass(pool.FindMessageTypeByName(name)) for name in _MESSAGES}


def _add(message: Any, name: str, number: int, said: str) -> None:
    kind, repeated = said.removesuffix("*"), said.endswith("*") or said == "bytes by name"
    label = _Field.LABEL_REPEATED if repeated else _Field.LABEL_OPTIONAL
    if kind == "bytes by name":  # a map is a list of entries of a type of its own (protobuf.dev, encoding, maps)
        entry = message.nested_type.add(name=f"{name.capitalize()}{_ENTRY}")
        entry.options.map_entry = True
        _add(entry, "key", 1, "string")
        _add(entry, "value", 2, "bytes")
        kind = f"{message.name}.{entry.name}"
    field = message.field.add(name=name, number=number, label=label)
    if kind[0].isupper():
        field.type, field.type_name = _Field.TYPE_MESSAGE, f".{kind}"
    else:
        field.type = getattr(_Field, f"TYPE_{kind.upper()}")


_made = _classes()
StatusRequest, StatusResponse = _made["StatusRequest"], _made["StatusResponse"]
RunRequest, RunResponse = _made["RunRequest"], _made["RunResponse"]
ShutdownRequest, ShutdownResponse = _made["ShutdownRequest"], _made["ShutdownResponse"]
SERVICE = "ModzyModel"
METHODS = {
    "Status": (StatusRequest, StatusResponse),
    "Run": (RunRequest, RunResponse),
    "Shutdown": (ShutdownRequest, ShutdownResponse),
}
