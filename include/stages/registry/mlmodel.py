"""What makes a stored model file a model of MLflow's: its page shows the schema, and stock clients load the version.

Layout: https://mlflow.org/docs/latest/ml/model/#storage-format, flavors `onnx` and `python_function`. It is written
here and not by `mlflow.onnx`, which wants pandas in every training pod.
"""

import json
import platform
from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

import yaml

from include.foundation.artifact import Metadata

MODEL, INPUT = "model.onnx", "features"


def files(metadata: Metadata, *, run_id: str, example: list[list[float]]) -> Mapping[str, bytes]:
    """The files that stand beside `model.onnx` in the run's folder `model`.

    Args:
        metadata: of the model file.
        run_id: the MLflow run that made it.
        example: encoded rows, [n][features]; NaN (a missing value) becomes null.
    """
    output = metadata.output
    packages = {name: version(name) for name in ("onnx", "onnxruntime")}
    signature = {
        "inputs": json.dumps([_tensor(INPUT, [-1, len(metadata.features)])]),
        "outputs": json.dumps([_tensor(output.name, [-1, len(metadata.classes)] if output.per_class else [-1])]),
        "params": None,
    }
    python = {"virtualenv": "python_env.yaml"}
    document = {
        "artifact_path": "model",
        "flavors": {
            "onnx": {
                "data": MODEL,
                "onnx_version": packages["onnx"],
                "providers": ["CPUExecutionProvider"],
                "onnx_session_options": None,
                "code": None,
            },
            "python_function": {
                "data": MODEL,
                "env": python,
                "loader_module": "mlflow.onnx",
                "python_version": platform.python_version(),
            },
        },
        "metadata": {"use_case": metadata.use_case, "problem": metadata.problem, "features": list(metadata.features)},
        "mlflow_version": _mlflow_version(),
        "run_id": run_id,
        "saved_input_example_info": {
            "artifact_path": "input_example.json",
            "serving_input_path": "serving_input_example.json",
            "type": "ndarray",
            "format": "tf-serving",
        },
        "signature": signature,
    }
    rows = [[None if value != value else value for value in row] for row in example]  # noqa: PLR0124  only NaN differs
    inputs = json.dumps({"inputs": {INPUT: rows}}).encode()
    requirements = [f"mlflow=={_mlflow_version()}", *(f"{name}=={number}" for name, number in packages.items())]
    environment = {
        "python": platform.python_version(),
        "build_dependencies": ["pip"],
        "dependencies": ["-r requirements.txt"],
    }
    return {
        "MLmodel": yaml.safe_dump(document, sort_keys=False).encode(),
        "input_example.json": inputs,
        "serving_input_example.json": inputs,
        "requirements.txt": ("\n".join(requirements) + "\n").encode(),
        "python_env.yaml": yaml.safe_dump(environment, sort_keys=False).encode(),
    }


def _tensor(name: str, shape: list[int]) -> dict[str, Any]:
    return {"name": name, "type": "tensor", "tensor-spec": {"dtype": "float32", "shape": shape}}


def _mlflow_version() -> str:
    import mlflow

    return str(mlflow.__version__)
