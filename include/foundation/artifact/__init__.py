"""The model file: ONNX bytes with metadata inside, named by their SHA-256, and how to score with them.

`model_file` reads and scores (onnxruntime and numpy only: serving runs it), `scoring` scores a use case's features,
`writer` seals a trained graph (onnx),
`store` keeps model files in the object store.
"""

from include.foundation.artifact.model_file import Metadata, Scorer, digest, open_model
from include.foundation.artifact.scoring import encoded, matrix, named, score

__all__ = ["Metadata", "Scorer", "digest", "encoded", "matrix", "named", "open_model", "score"]
