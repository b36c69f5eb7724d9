"""SigOpt's optimiser (`sigoptlite`), asked as a function: what is stored in, the next suggestion out.

`sigoptlite` serves one worker: it repeats its suggestion until an observation arrives. Here open suggestions count as
observed at the value that the Gaussian process expects there ("kriging believer", Ginsbourger, Le Riche and Carraro
2010), so workers at once get different ones. The first suggestions are points of a scrambled Sobol sequence. Nothing
is kept between calls; docs/adr/0002-tuning-service.md has the measurements behind these choices.
"""

import copy
import hashlib
import json
import logging
import sys
import threading
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from libsigopt.aux.constant import (
    DEFAULT_USE_SPE_AFTER_THIS_MANY_OBSERVATIONS,
    DEFAULT_USE_SPE_BEYOND_THIS_MANY_DIMENSIONS,
)
from libsigopt.aux.errors import SigoptValidationError
from libsigopt.compute.misc.constant import (
    DEFAULT_CONSTANT_LIAR_LIE_NOISE_VARIANCE,
)
from libsigopt.views.rest.gp_next_points_categorical import (
    GpNextPointsCategorical,
)
from scipy.stats import qmc
from sigoptlite.best_assignments import BestAssignmentsLogger
from sigoptlite.builders import LocalExperimentBuilder, LocalParameterBuilder
from sigoptlite.models import (
    LocalAssignments,
    LocalExperiment,
    LocalObservation,
    LocalTask,
    MetricEvaluation,
)
from sigoptlite.sources import (
    BaseOptimizationSource,
    GPSource,
    RandomSearchSource,
    SPESource,
)

from include.services.tuning import acquisition
from include.services.tuning.records import Document, Experiment, Observation, Suggestion
from include.services.tuning.refusal import Refusal

log = logging.getLogger(__name__)
_LOCAL = ("conditionals", "linear_constraints", "metrics", "parameters", "tasks", "type")
_TRIES = 20
_FEWEST = 3  # observations that a model is fitted to
acquisition.hasten()
_numpy_seed = threading.Lock()  # sigoptlite draws from numpy's global generator


def check(spec: Document, budget: int | None) -> None:
    """Whether the optimiser takes an experiment. Raises Refusal."""
    for parameter in spec["parameters"]:
        try:
            LocalParameterBuilder(_bare(parameter))
        except (ValueError, SigoptValidationError) as error:
            raise Refusal(f"parameters: {parameter['name']}: {error}") from error
    try:
        _local_experiment(spec, budget)
    except (ValueError, SigoptValidationError) as error:
        if str(error) != "Infeasible constraints":
            raise Refusal(str(error)) from error
        names = sorted({term["name"] for each in spec["linear_constraints"] for term in each["terms"]})
        within = f"linear_constraints: no values of {', '.join(names)} within their bounds satisfy them all"
        raise Refusal(within) from error


def start(experiment: Experiment) -> int:
    """How many suggestions of an experiment are made without a model, whatever is observed; all if it is random."""
    local = _local_experiment(experiment.spec, experiment.budget)
    return sys.maxsize if local.is_random else _first(local)


def suggest(
    experiment: Experiment, observations: Sequence[Observation], held: Sequence[Suggestion], *, number: int
) -> tuple[Document, Document | None]:
    """Assignments and task of the suggestion with that number: the same arguments give the same answer.

    Args:
        experiment: the experiment.
        observations: those of its observations that may be known, oldest first.
        held: suggestions that count as running, oldest first.
        number: counts the experiment's suggestions from 1.
    """
    local = _local_experiment(experiment.spec, experiment.budget)
    observed = [_local_observation(each) for each in observations]
    pending = [_local_observation(each) for each in held]
    taken = [(each.assignments, each.task) for each in (*pending, *observed)]
    seed = str((experiment.metadata or {}).get("seed", experiment.id))
    source = _source(local, observed, pending, number=number, seed=_seed(seed))
    with _numpy_seed:
        np.random.seed(_seed(f"{seed}/{number}"))  # the generator that sigoptlite uses
        try:
            found = source.get_suggestion(observed)
        except Exception:  # a model that cannot be computed must not stop the tuning
            log.exception("experiment %d, suggestion %d: no model, so it is random", experiment.id, number)
            found = RandomSearchSource(local).get_suggestion(observed)
        for _ in range(_TRIES):
            if (_tidy(local, found.assignments), found.task) not in taken:
                break
            found = RandomSearchSource(local).get_suggestion(observed)
    task = {"name": found.task.name, "cost": found.task.cost} if found.task else None
    return _tidy(local, found.assignments), task


def best(experiment: Experiment, observations: Sequence[Observation]) -> list[Observation]:
    """The best observations, best first: one, or the Pareto front, or all that keep the constraints."""
    local = _local_experiment(experiment.spec, experiment.budget)
    ranking = BestAssignmentsLogger(local)
    observed = [_local_observation(each) for each in observations]
    if local.is_search:
        found = ranking.filter_valid_full_cost_observations(observed)
    elif local.requires_pareto_frontier_optimization:
        found = ranking.pareto_frontier_from_observations(observed)
    else:
        found = ranking.single_metric_best_from_observations(observed)
    metric = ranking.get_default_metric_for_experiment()
    found = sorted(found, key=lambda each: each.get_value_for_maximization(metric), reverse=True)
    stored = dict(zip(map(id, observed), observations, strict=True))
    return [stored[id(each)] for each in found]


class _KrigingBeliever(GpNextPointsCategorical):  # type: ignore[misc]
    """Every process of the model first learns its own expectation at the points that are being sampled."""

    parallelism = "kriging_believer"

    def form_single_gaussian_process(self, *arguments: Any) -> Any:
        process = super().form_single_gaussian_process(*arguments)
        points = self.one_hot_points_being_sampled_points
        if len(points):
            history = process.historical_data
            history.append_lies(
                points, process.compute_mean_of_points(points), DEFAULT_CONSTANT_LIAR_LIE_NOISE_VARIANCE
            )
            process.update_historical_data(history)
        return process


class _Pending(BaseOptimizationSource):  # type: ignore[misc]
    """A source that tells libsigopt about the points that are being sampled."""

    pending: Sequence[LocalObservation] = ()

    def call_libsigopt_views(self, view: Any, request: Document) -> Any:
        if self.pending and "points_being_sampled" in request:
            points = self.make_points_sampled(self.experiment, self.pending)
            request = {**request, "points_being_sampled": points}
            if view is GpNextPointsCategorical:
                view, request["parallelism"] = _KrigingBeliever, _KrigingBeliever.parallelism
        return BaseOptimizationSource.call_libsigopt_views(view, request)


class _Model(_Pending, GPSource):  # type: ignore[misc]
    """Gaussian processes, their hyperparameters fitted anew to what is observed."""

    def get_suggestion(self, observations: Sequence[LocalObservation]) -> Any:
        self.update_hyperparameters(observations, None)
        return super().get_suggestion(observations)


class _Density(_Pending, SPESource):  # type: ignore[misc]
    """Parzen estimators, for many dimensions or observations."""


class _Sobol(BaseOptimizationSource):  # type: ignore[misc]
    """The n-th point of the experiment's scrambled Sobol sequence."""

    def __init__(self, experiment: LocalExperiment, *, number: int, seed: int) -> None:
        super().__init__(experiment)
        self._number, self._seed = number, seed

    def next_point(self, _: Sequence[LocalObservation]) -> tuple[list[float], float | None]:
        domain = self.form_domain_info(self.experiment).domain_components
        sequence = qmc.Sobol(len(domain), seed=self._seed)
        if self._number > 1:  # scipy cannot go forward by nothing
            sequence.fast_forward(self._number - 1)
        point = [_stretch(unit, **component) for unit, component in zip(sequence.random(1)[0], domain, strict=True)]
        costs = [task.cost for task in self.experiment.tasks]
        return point, costs[self._number % len(costs)] if costs else None


def _source(
    local: LocalExperiment,
    observed: Sequence[LocalObservation],
    pending: Sequence[LocalObservation],
    *,
    number: int,
    seed: int,
) -> BaseOptimizationSource:
    """Who proposes next; the rules are those of sigoptlite's `Broker` but for the first suggestions."""
    if local.is_random:
        return RandomSearchSource(local)
    successes = sum(not each.failed for each in observed)
    if successes + len(pending) < _first(local) or successes < _FEWEST:
        shaped = local.linear_constraints or any(parameter.prior for parameter in local.parameters)
        return RandomSearchSource(local) if shaped else _Sobol(local, number=number, seed=seed)
    many = len(observed) > DEFAULT_USE_SPE_AFTER_THIS_MANY_OBSERVATIONS
    wide = local.dimension > DEFAULT_USE_SPE_BEYOND_THIS_MANY_DIMENSIONS
    source = (_Density if many or wide else _Model)(local)
    source.pending = pending
    return source


def _first(local: LocalExperiment) -> int:
    """How many suggestions are made without a model: two per parameter, but not more than a third of the budget."""
    wanted: int = max(2 * local.dimension, 4)
    budget: int | None = local.observation_budget
    return wanted if budget is None else min(wanted, max(budget // 3, 4))


def _stretch(unit: float, *, var_type: str, elements: Sequence[float]) -> float:
    """A number in [0, 1) as an element of a domain component of libsigopt."""
    if var_type == "double":
        return float(elements[0] + unit * (elements[1] - elements[0]))
    values = range(int(elements[0]), int(elements[1]) + 1) if var_type == "int" else elements
    return values[int(unit * len(values))]


def _local_experiment(spec: Document, budget: int | None) -> LocalExperiment:
    """Raises ValueError or SigoptValidationError if it is not consistent."""
    return _built(json.dumps(spec), budget)


@lru_cache(maxsize=64)
def _built(text: str, budget: int | None) -> LocalExperiment:
    """Checking a specification takes 20 ms, and every suggestion asks for it again."""
    spec = json.loads(text)
    document = {key: spec[key] for key in _LOCAL if key in spec}
    document["parameters"] = [_bare(parameter) for parameter in document["parameters"]]
    return LocalExperimentBuilder({**document, "name": "experiment", "observation_budget": budget})


def _bare(parameter: Document) -> Document:
    """Without what sigoptlite does not know; its builders write into what they are given."""
    return {key: copy.deepcopy(value) for key, value in parameter.items() if key != "default_value"}


def _local_observation(stored: Observation | Suggestion) -> LocalObservation:
    values = stored.values if isinstance(stored, Observation) else None
    return LocalObservation(
        assignments=LocalAssignments(stored.assignments),
        # the field is called a deviation, but the model takes it for a variance
        metric_evaluations={
            each["name"]: MetricEvaluation(
                name=each["name"], value=each["value"], value_stddev=(each["value_stddev"] or 0) ** 2
            )
            for each in values or ()
        },
        failed=values is None,
        task=LocalTask(**stored.task) if stored.task else None,
    )


def _tidy(local: LocalExperiment, assignments: Document) -> Document:
    """Assignments in the experiment's order, within bounds and grid, which a logarithm and its inverse may miss."""
    tidy: Document = {}
    for parameter in local.parameters:
        if parameter.name not in assignments:
            continue  # its conditions do not hold
        value = assignments[parameter.name]
        if parameter.grid:
            value = min(parameter.grid, key=lambda each: abs(each - value))
        elif parameter.bounds:
            value = min(max(value, parameter.bounds.min), parameter.bounds.max)
        tidy[parameter.name] = value
    return tidy | {each.name: assignments[each.name] for each in local.conditionals}


def _seed(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4])
