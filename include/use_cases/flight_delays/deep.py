"""A challenger of `flight_delays`: a network on the same features. `training.models` in the spec lets it compete."""

from include.models.deep import NeuralNetwork
from include.use_cases.flight_delays.features import FEATURES

_network = NeuralNetwork(features=FEATURES, baseline_by=("carrier", "hour"))
encode, fit, predict = _network.encode, _network.fit, _network.predict
export, baseline = _network.export, _network.baseline
