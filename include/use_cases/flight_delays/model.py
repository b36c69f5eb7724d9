"""The model of `flight_delays`: boosted trees, held against the rate of late arrivals by carrier and scheduled hour."""

from include.models.boosting import BoostedTrees
from include.use_cases.flight_delays.features import FEATURES

_trees = BoostedTrees(features=FEATURES, baseline_by=("carrier", "hour"))
encode, fit, predict, export, baseline = _trees.encode, _trees.fit, _trees.predict, _trees.export, _trees.baseline
