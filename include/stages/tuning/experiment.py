"""A tuning experiment: made once per content key, found again by everyone who has the key."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from include.foundation.errors import InvalidInput, MissingInput
from include.foundation.problem.kinds import Metric
from include.foundation.spec.training import Parameter, Training
from include.stages.tuning.calls import patiently

if TYPE_CHECKING:
    from sigopt import Connection

KEY = "flightline_key"


def create_or_rejoin(
    connection: "Connection", *, name: str, spec: Training, metric: Metric, metadata: Mapping[str, Any]
) -> str:
    """The experiment with the content key `metadata["flightline_key"]`: the active one that exists, else a new one.

    Callers at the same moment end with the same experiment: the oldest stays, the others are archived by their makers.

    Args:
        connection: SigOpt's client.
        name: what people see.
        spec: parameters, budget (`trials`), parallelism and seed.
        metric: what is optimized, and which way.
        metadata: at most 100 keys; must hold `flightline_key`.

    Returns:
        The experiment's id.

    Raises:
        InvalidInput: there is no key.
        RefusedError: the service does not take the spec.
        ServiceUnavailable: the service does not answer.
    """
    key = metadata.get(KEY)
    if not key:
        raise InvalidInput(f"metadata has no {KEY}: without it a retry could not find its experiment")

    def find_or_create() -> str:
        if found := _oldest(connection, key):
            return found
        made = connection.experiments().create(
            name=name,
            parameters=[_parameter(each) for each in spec.parameters],
            metrics=[{"name": metric.name, "objective": metric.goal, "strategy": "optimize"}],
            observation_budget=spec.trials,
            parallel_bandwidth=spec.parallelism,
            metadata={"seed": spec.seed, **metadata},
        )
        found = _oldest(connection, key) or str(made.id)
        if found != made.id:
            connection.experiments(made.id).delete()
        return found

    return patiently(find_or_create)


def best(connection: "Connection", experiment_id: str) -> tuple[dict[str, Any], float]:
    """The best assignments so far and their value.

    Raises:
        MissingInput: no trial has succeeded yet.
        RefusedError: there is no such experiment.
        ServiceUnavailable: the service does not answer.
    """
    found = patiently(lambda: list(connection.experiments(experiment_id).best_assignments().fetch().iterate_pages()))
    if not found:
        raise MissingInput(f"no trial of tuning experiment {experiment_id} has succeeded")
    return dict(found[0].assignments), float(found[0].values[0].value)


def observations(connection: "Connection", experiment_id: str) -> list[Any]:
    """All observations, as SigOpt's client gives them.

    Raises:
        RefusedError: there is no such experiment.
        ServiceUnavailable: the service does not answer.
    """
    return patiently(lambda: list(connection.experiments(experiment_id).observations().fetch().iterate_pages()))


def _oldest(connection: "Connection", key: str) -> str | None:
    pages = connection.experiments().fetch(state="active").iterate_pages()
    return min((str(each.id) for each in pages if (each.metadata or {}).get(KEY) == key), key=int, default=None)


def _parameter(parameter: Parameter) -> dict[str, Any]:
    """SigOpt's words for it; it wants integer bounds for integers."""
    words = parameter.model_dump(mode="json", exclude_none=True)
    if parameter.type == "int" and parameter.bounds:
        words["bounds"] = {end: int(value) for end, value in parameter.bounds.items()}
    return words
