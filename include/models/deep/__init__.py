"""Neural networks (PyTorch) as the model of any use case: of tables, and of small images.

They need the runtime `torch` (`training.runtime` in the spec). Only fitting and exporting do: the encoding that serving
imports needs numpy and polars alone.
"""

from include.models.deep.network import Model, NeuralNetwork

__all__ = ["Model", "NeuralNetwork"]
