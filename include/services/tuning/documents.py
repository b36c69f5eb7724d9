"""What the service says, in SigOpt's words (sigopt-server, `zigopt/json/builder`). Ids are strings."""

from collections.abc import Callable
from typing import TypeVar

from include.services.tuning.records import Document, Experiment, Listing, Observation, Suggestion

Record = TypeVar("Record")
CLIENT = "1"  # there is one tenant


def experiment_document(experiment: Experiment) -> Document:
    """An experiment."""
    spec = experiment.spec
    return {
        "object": "experiment",
        "id": str(experiment.id),
        "client": CLIENT,
        "name": experiment.name,
        "project": experiment.project,
        "state": experiment.state,
        "type": spec["type"],
        "created": experiment.created,
        "updated": experiment.updated,
        "development": False,
        "parameters": [{"object": "parameter", **each} for each in spec["parameters"]],
        "metrics": [{"object": "metric", **each} for each in spec["metrics"]],
        "conditionals": spec.get("conditionals", []),
        "linear_constraints": spec.get("linear_constraints", []),
        **({"tasks": spec["tasks"]} if "tasks" in spec else {}),
        "num_solutions": 1,
        "observation_budget": experiment.budget,
        "parallel_bandwidth": experiment.parallel_bandwidth,
        "metadata": experiment.metadata,
        "runs_only": False,
        "progress": {
            "object": "progress",
            "observation_count": experiment.observations,
            "observation_budget_consumed": experiment.consumed,
        },
    }


def suggestion_document(suggestion: Suggestion) -> Document:
    """A suggestion."""
    return {
        "object": "suggestion",
        "id": str(suggestion.id),
        "experiment": str(suggestion.experiment),
        "number": suggestion.number,
        "assignments": suggestion.assignments,
        "task": suggestion.task,
        "state": "open" if suggestion.open else "closed",
        "metadata": suggestion.metadata,
        "created": suggestion.created,
        "deleted": False,
    }


def observation_document(observation: Observation) -> Document:
    """An observation."""
    return {
        "object": "observation",
        "id": str(observation.id),
        "experiment": str(observation.experiment),
        "suggestion": None if observation.suggestion is None else str(observation.suggestion),
        "assignments": observation.assignments,
        "task": observation.task,
        "failed": observation.failed,
        "metadata": observation.metadata,
        "created": observation.created,
        **_values(observation),
    }


def best_document(observation: Observation) -> Document:
    """One of the best assignments; its id is the observation's."""
    return {
        "object": "best_assignments",
        "id": str(observation.id),
        "assignments": observation.assignments,
        **_values(observation),
    }


def stopping_document(experiment: Experiment) -> Document:
    """Whether an experiment should stop."""
    spent = experiment.budget is not None and experiment.consumed >= experiment.budget
    return {
        "object": "stopping_criteria",
        "should_stop": spent,
        "reasons": ["observation_budget_reached"] if spent else [],
    }


def token_document(token: str) -> Document:
    """The token that was presented."""
    return {"object": "token", "token": token, "client": CLIENT, "all_experiments": True, "development": False}


def listing_document(listing: Listing[Record], document: Callable[[Record], Document]) -> Document:
    """A page of a list."""
    marks = {"before": listing.before, "after": listing.after}
    return {
        "object": "pagination",
        "count": listing.count,
        "data": [document(item) for item in listing.items],
        "paging": {name: None if mark is None else str(mark) for name, mark in marks.items()},
    }


def _values(observation: Observation) -> Document:
    """`value` is only there for a sole metric."""
    values = [{"object": "metric_evaluation", **each} for each in observation.values or ()]
    sole = values[0] if len(values) == 1 else {}
    return {
        "values": values if observation.values is not None else None,
        "value": sole.get("value"),
        "value_stddev": sole.get("value_stddev"),
    }
