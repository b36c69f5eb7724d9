"""What each route does: plain functions of a call, run in threads."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from psycopg.types.json import Json

from include.services.tuning import documents, knowledge, optimizer, validation
from include.services.tuning.records import Document, Experiment, Listing, Page
from include.services.tuning.refusal import Refusal
from include.services.tuning.store import Store, Transaction

_DEFAULT_LIMIT, _LARGEST_LIMIT = 100, 1000
_PAGING = ("limit", "before", "after")


@dataclass(frozen=True, kw_only=True)
class Call:
    """One request: ids from its path, its query, its parsed body (None if empty) and its token."""

    store: Store
    path: Mapping[str, int]
    query: Mapping[str, str]
    body: Any
    token: str

    def only(self, *names: str) -> None:
        """Refuse query parameters that are not among these."""
        if unknown := sorted(set(self.query) - set(names)):
            raise Refusal(f"{', '.join(unknown)}: unknown query parameter; there are: {', '.join(names) or 'none'}")

    def page(self) -> Page:
        """The page that the query asks for."""
        numbers: dict[str, int] = {}
        for name in _PAGING:
            if name in self.query:
                if not self.query[name].isascii() or not self.query[name].isdigit() or len(self.query[name]) > 18:
                    raise Refusal(f"{name}: want a number, got {self.query[name]!r}")
                numbers[name] = int(self.query[name])
        limit = numbers.pop("limit", _DEFAULT_LIMIT)
        if not 1 <= limit <= _LARGEST_LIMIT:
            raise Refusal(f"limit: want 1 to {_LARGEST_LIMIT}, got {limit}")
        return Page(limit=limit, **numbers)

    def only_open(self) -> bool:
        """Whether the query says `state=open`."""
        if (state := self.query.get("state")) not in (None, "open"):
            raise Refusal(f"state: want open, got {state!r}")
        return state is not None


Handler = Callable[[Call], Document]


def create_experiment(call: Call) -> Document:
    """POST /v1/experiments."""
    spec = validation.check_experiment({} if call.body is None else call.body)
    name, project, metadata = spec.pop("name"), spec.pop("project", None), spec.pop("metadata", None)
    budget, bandwidth = spec.pop("observation_budget", None), spec.pop("parallel_bandwidth", None)
    optimizer.check(spec, budget)
    with call.store.begin() as transaction:
        key = transaction.add_experiment(
            name=name,
            project=project,
            metadata=None if metadata is None else Json(metadata),
            budget=budget,
            parallel_bandwidth=bandwidth,
            spec=spec,
        )
        return documents.experiment_document(transaction.experiment(key))


def list_experiments(call: Call) -> Document:
    """GET /v1/experiments: `state` is active (default), deleted or all; `archived=True` is the old word for deleted."""
    call.only("state", "archived", "search", *_PAGING)
    archived = call.query.get("archived", "False").lower() == "true"
    state = call.query.get("state", "deleted" if archived else "active")
    if state not in ("active", "deleted", "all"):
        raise Refusal(f"state: want active, deleted or all, got {state!r}")
    with call.store.begin() as transaction:
        found = transaction.experiments(
            call.page(), state=None if state == "all" else state, search=call.query.get("search")
        )
    return documents.listing_document(found, documents.experiment_document)


def fetch_experiment(call: Call) -> Document:
    """GET /v1/experiments/<id>."""
    with call.store.begin() as transaction:
        return documents.experiment_document(transaction.experiment(call.path["experiment"]))


def update_experiment(call: Call) -> Document:
    """PUT /v1/experiments/<id>."""
    columns = validation.check_update(call.body)
    with call.store.begin() as transaction:
        experiment = transaction.experiment(call.path["experiment"], lock=True)
        if "observation_budget" in columns:
            columns["budget"] = columns.pop("observation_budget")
            _check_budget(experiment, columns["budget"])
        if columns.get("metadata") is not None:
            columns["metadata"] = Json(columns["metadata"])
        if columns:
            transaction.update_experiment(experiment.id, columns)
        return documents.experiment_document(transaction.experiment(experiment.id))


def delete_experiment(call: Call) -> Document:
    """DELETE /v1/experiments/<id>: archives it."""
    call.only("include_runs")
    with call.store.begin() as transaction:
        transaction.update_experiment(
            transaction.experiment(call.path["experiment"], lock=True).id, {"state": "deleted"}
        )
    return {}


def create_suggestion(call: Call) -> Document:
    """POST /v1/experiments/<id>/suggestions. Runs one at a time."""
    body = validation.check_suggestion({} if call.body is None else call.body)
    with call.store.begin() as transaction:
        experiment = _active(transaction, call, lock=True)
        held = transaction.open_suggestions(experiment.id)
        if experiment.budget is not None and transaction.taken(experiment.id) >= experiment.budget:
            raise Refusal(
                f"The observation_budget of {experiment.budget} of experiment {experiment.id} is spent by"
                f" {experiment.observations} observations and {len(held)} open suggestions",
                status=409,
            )
        number = transaction.next_number(experiment.id)
        if "assignments" in body:
            validation.check_assignments(body["assignments"], experiment)
            assignments, task = body["assignments"], validation.check_task(body.get("task"), experiment)
        elif "task" in body:
            raise Refusal("task: wants assignments beside it")
        else:
            observed, running = knowledge.known(
                experiment,
                transaction.all_suggestions(experiment.id),
                transaction.all_observations(experiment.id),
                number=number,
                start=optimizer.start(experiment),
                now=time.time(),
            )
            assignments, task = optimizer.suggest(experiment, observed, running, number=number)
        made = transaction.add_suggestion(
            experiment.id, number=number, assignments=assignments, task=task, metadata=body.get("metadata")
        )
    return documents.suggestion_document(made)


def list_suggestions(call: Call) -> Document:
    """GET /v1/experiments/<id>/suggestions."""
    call.only("state", *_PAGING)
    with call.store.begin() as transaction:
        experiment = transaction.experiment(call.path["experiment"])
        found = transaction.suggestions(experiment.id, call.page(), only_open=call.only_open())
    return documents.listing_document(found, documents.suggestion_document)


def fetch_suggestion(call: Call) -> Document:
    """GET /v1/experiments/<id>/suggestions/<id>."""
    with call.store.begin() as transaction:
        return documents.suggestion_document(transaction.suggestion(call.path["experiment"], call.path["suggestion"]))


def update_suggestion(call: Call) -> Document:
    """PUT /v1/experiments/<id>/suggestions/<id>: sets its metadata."""
    body = validation.check_suggestion({} if call.body is None else call.body)
    if set(body) - {"metadata"}:
        raise Refusal("assignments, task: cannot be updated")
    with call.store.begin() as transaction:
        suggestion = transaction.suggestion(call.path["experiment"], call.path["suggestion"])
        if call.body and "metadata" in call.body:
            transaction.update_suggestion(suggestion.id, body.get("metadata"))
        return documents.suggestion_document(transaction.suggestion(suggestion.experiment, suggestion.id))


def delete_suggestion(call: Call) -> Document:
    """DELETE /v1/experiments/<id>/suggestions/<id>."""
    with call.store.begin() as transaction:
        suggestion = transaction.suggestion(call.path["experiment"], call.path["suggestion"])
        transaction.delete_suggestions(suggestion.experiment, key=suggestion.id)
    return {}


def delete_suggestions(call: Call) -> Document:
    """DELETE /v1/experiments/<id>/suggestions: all, or with `state=open` all open ones."""
    call.only("state")
    with call.store.begin() as transaction:
        experiment = transaction.experiment(call.path["experiment"], lock=True)
        transaction.delete_suggestions(experiment.id, only_open=call.only_open())
    return {}


def create_observation(call: Call) -> Document:
    """POST /v1/experiments/<id>/observations."""
    with call.store.begin() as transaction:
        experiment = _active(transaction, call)
        made = _observe(transaction, experiment, {} if call.body is None else call.body)
    return documents.observation_document(made)


def create_observations(call: Call) -> Document:
    """POST /v1/experiments/<id>/observations/batch: all or none."""
    bodies = validation.check_batch({} if call.body is None else call.body)
    made = []
    with call.store.begin() as transaction:
        experiment = _active(transaction, call)
        for index, body in enumerate(bodies, 1):
            try:
                made.append(_observe(transaction, experiment, body))
            except Refusal as refusal:
                message = f"Error in observation {index}/{len(bodies)}: {refusal}"
                raise Refusal(message, status=refusal.status) from refusal
    listing = Listing(items=made, count=len(made), before=None, after=None)
    return documents.listing_document(listing, documents.observation_document)


def list_observations(call: Call) -> Document:
    """GET /v1/experiments/<id>/observations."""
    call.only(*_PAGING)
    with call.store.begin() as transaction:
        found = transaction.observations(transaction.experiment(call.path["experiment"]).id, call.page())
    return documents.listing_document(found, documents.observation_document)


def fetch_observation(call: Call) -> Document:
    """GET /v1/experiments/<id>/observations/<id>."""
    with call.store.begin() as transaction:
        found = transaction.observation(call.path["experiment"], call.path["observation"])
    return documents.observation_document(found)


def best_assignments(call: Call) -> Document:
    """GET /v1/experiments/<id>/best_assignments."""
    call.only(*_PAGING)
    with call.store.begin() as transaction:
        experiment = transaction.experiment(call.path["experiment"])
        found = optimizer.best(experiment, transaction.all_observations(experiment.id))
    listing = Listing(items=found, count=len(found), before=None, after=None)
    return documents.listing_document(listing, documents.best_document)


def stopping_criteria(call: Call) -> Document:
    """GET /v1/experiments/<id>/stopping_criteria."""
    with call.store.begin() as transaction:
        return documents.stopping_document(transaction.experiment(call.path["experiment"]))


def fetch_token(call: Call) -> Document:
    """GET /v1/tokens/self."""
    return documents.token_document(call.token)


def _active(transaction: Transaction, call: Call, *, lock: bool = False) -> Experiment:
    experiment = transaction.experiment(call.path["experiment"], lock=lock)
    if experiment.state != "active":
        raise Refusal(f"experiment {experiment.id} is deleted; update its state to active first")
    return experiment


def _observe(transaction: Transaction, experiment: Experiment, body: Any) -> Any:
    checked = validation.check_observation(body, experiment)
    if "suggestion" in checked:
        if "task" in checked:
            raise Refusal("task: the suggestion has it")
        suggestion = transaction.suggestion(experiment.id, int(checked["suggestion"]))
        assignments, task, key = suggestion.assignments, suggestion.task, suggestion.id
    else:
        assignments, key = checked["assignments"], None
        validation.check_assignments(assignments, experiment)
        task = validation.check_task(checked.get("task"), experiment)
    return transaction.add_observation(
        experiment.id,
        suggestion=key,
        assignments=assignments,
        task=task,
        values=checked.get("values"),
        metadata=checked.get("metadata"),
    )


def _check_budget(experiment: Experiment, budget: int | None) -> None:
    optimized = sum(metric["strategy"] == "optimize" for metric in experiment.spec["metrics"])
    if optimized > 1:
        raise Refusal("observation_budget: cannot be updated with more than one optimized metric")
    optimizer.check(experiment.spec, budget)


ROUTES: tuple[tuple[str, str, Handler], ...] = (
    ("POST", "/v1/experiments", create_experiment),
    ("GET", "/v1/experiments", list_experiments),
    ("GET", "/v1/experiments/{experiment}", fetch_experiment),
    ("PUT", "/v1/experiments/{experiment}", update_experiment),
    ("DELETE", "/v1/experiments/{experiment}", delete_experiment),
    ("POST", "/v1/experiments/{experiment}/suggestions", create_suggestion),
    ("GET", "/v1/experiments/{experiment}/suggestions", list_suggestions),
    ("DELETE", "/v1/experiments/{experiment}/suggestions", delete_suggestions),
    ("GET", "/v1/experiments/{experiment}/suggestions/{suggestion}", fetch_suggestion),
    ("PUT", "/v1/experiments/{experiment}/suggestions/{suggestion}", update_suggestion),
    ("DELETE", "/v1/experiments/{experiment}/suggestions/{suggestion}", delete_suggestion),
    ("POST", "/v1/experiments/{experiment}/observations", create_observation),
    ("POST", "/v1/experiments/{experiment}/observations/batch", create_observations),
    ("GET", "/v1/experiments/{experiment}/observations", list_observations),
    ("GET", "/v1/experiments/{experiment}/observations/{observation}", fetch_observation),
    ("GET", "/v1/experiments/{experiment}/best_assignments", best_assignments),
    ("GET", "/v1/experiments/{experiment}/stopping_criteria", stopping_criteria),
    ("GET", "/v1/tokens/self", fetch_token),
)
