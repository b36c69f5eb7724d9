"""How requests are divided between two versions of a stage: a slot with a member per `rollout` of the spec."""

from include.foundation.spec.promotion import Stage
from include.stages.promotion.routing.gateway import Gateway
from include.stages.promotion.routing.protocol import Routing, Split
from include.stages.promotion.routing.replicas import Replicas

__all__ = ["ROUTINGS", "Routing", "Split", "of"]

ROUTINGS: dict[str, Routing] = {"gateway": Gateway(), "replicas": Replicas()}


def of(stage: Stage) -> Routing:
    """What divides the requests of a stage."""
    return ROUTINGS[stage.rollout]
