"""Gradient-boosted trees (LightGBM) as the model of any use case: encoded, fitted, exported to ONNX."""

from include.models.boosting.trees import BoostedTrees, Model

__all__ = ["BoostedTrees", "Model"]
