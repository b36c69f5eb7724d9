"""Registered versions of a model, and which of them is the champion: MLflow's registry."""

from include.stages.registry.versions import (
    ModelVersion,
    aliased,
    champion,
    get,
    last_champion,
    newest,
    register,
    set_champion,
    tag,
    trained,
)

__all__ = [
    "ModelVersion",
    "aliased",
    "champion",
    "get",
    "last_champion",
    "newest",
    "register",
    "set_champion",
    "tag",
    "trained",
]
