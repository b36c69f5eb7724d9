"""The service's state in PostgreSQL. A transaction is committed before its result is used."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, LiteralString, TypeVar

import psycopg
from psycopg.rows import class_row, scalar_row
from psycopg.sql import SQL, Composed, Identifier
from psycopg.types.json import Json

from include.services.tuning.records import Document, Experiment, Listing, Observation, Page, Suggestion
from include.services.tuning.refusal import Refusal

Record = TypeVar("Record", Experiment, Suggestion, Observation)

_SCHEMA = Path(__file__).with_name("schema.sql")
_LOCK = 0x74756E696E67  # "tuning": of the schema, and of the order in which experiments are made
_CONNECT_SECONDS = 10

_EXPERIMENTS = SQL("""
    select e.id, e.state, e.name, e.project, e.budget, e.parallel_bandwidth, e.metadata, e.spec,
           extract(epoch from e.created)::bigint as created,
           extract(epoch from greatest(e.updated, o.newest))::bigint as updated,
           o.observations, o.consumed
    from tuning.experiments e, lateral (
        select count(*) as observations, max(created) as newest,
               coalesce(sum(coalesce((task->>'cost')::float8, 1)), 0)::float8 as consumed
        from tuning.observations where experiment = e.id
    ) o""")
_SUGGESTIONS = SQL("""
    select * from (
        select s.id, s.experiment, s.number, s.assignments, s.task, s.metadata,
               extract(epoch from s.created)::bigint as created,
               not exists (select from tuning.observations o where o.suggestion = s.id) as open
        from tuning.suggestions s where not s.deleted
    ) s""")
_OBSERVATIONS = SQL("""
    select id, experiment, suggestion, assignments, task, measurements as values, failed, metadata,
           extract(epoch from created)::bigint as created
    from tuning.observations o""")
_TAKEN = SQL("""
    select (select {cost} from tuning.observations where experiment = %(of)s)
         + (select {cost} from ({suggestions}) s where experiment = %(of)s and open)""").format(
    cost=SQL("coalesce(sum(coalesce((task->>'cost')::float8, 1)), 0)::float8"), suggestions=_SUGGESTIONS
)


class Store:
    """Where the state is. A connection is opened per transaction: 3 ms, and no trouble when PostgreSQL restarts."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn

    def prepare(self) -> None:
        """Create what is missing of the schema; several services may do so at once."""
        with self.begin() as transaction:
            transaction.prepare()

    def ping(self) -> None:
        """Ask the database for an answer. Raises psycopg.OperationalError if there is none."""
        with self.begin():
            pass

    @contextmanager
    def begin(self) -> Iterator["Transaction"]:
        """A transaction: committed at the end of the block, rolled back by an exception."""
        with psycopg.connect(self._dsn, connect_timeout=_CONNECT_SECONDS, application_name="tuning") as connection:
            yield Transaction(connection)


class Transaction:
    """Reads and writes of one transaction. What is not there is a Refusal with status 404."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self._connection = connection

    def prepare(self) -> None:
        """Create what is missing of the schema."""
        self._connection.execute("select pg_advisory_xact_lock(%s)", (_LOCK,))
        self._connection.execute(_SCHEMA.read_bytes())

    def experiment(self, key: int, *, lock: bool = False) -> Experiment:
        """One experiment; locked, nobody else gets a suggestion for it until the transaction ends."""
        if lock:
            self._connection.execute("select from tuning.experiments where id = %s for no key update", (key,))
        return self._one(Experiment, _EXPERIMENTS, SQL("id = %(id)s"), id=key)

    def experiments(self, page: Page, *, state: str | None, search: str | None) -> Listing[Experiment]:
        """Experiments in a state, those with `search` in their name."""
        where = SQL(
            "(%(state)s::text is null or state = %(state)s)"
            " and (%(search)s::text is null or position(lower(%(search)s) in lower(name)) > 0)"
        )
        return self._listing(Experiment, _EXPERIMENTS, where, page, state=state, search=search)

    def add_experiment(self, *, name: str, spec: Document, **columns: Any) -> int:
        """A new experiment's id. Of two, the one with the smaller id is always seen first."""
        self._connection.execute("select pg_advisory_xact_lock(%s)", (_LOCK,))
        return self._insert("experiments", name=name, spec=Json(spec), **columns)

    def update_experiment(self, key: int, columns: Document) -> None:
        """Set columns of an experiment."""
        names = SQL(", ").join(SQL("{} = %s").format(Identifier(name)) for name in columns)
        statement = SQL("update tuning.experiments set {}, updated = now() where id = %s").format(names)
        self._connection.execute(statement, (*columns.values(), key))

    def suggestion(self, experiment: int, key: int) -> Suggestion:
        """One suggestion."""
        return self._one(Suggestion, _SUGGESTIONS, SQL("id = %(id)s and experiment = %(of)s"), id=key, of=experiment)

    def suggestions(self, experiment: int, page: Page, *, only_open: bool) -> Listing[Suggestion]:
        """Suggestions of an experiment."""
        where = SQL("experiment = %(of)s and (open or not %(only_open)s)")
        return self._listing(Suggestion, _SUGGESTIONS, where, page, of=experiment, only_open=only_open)

    def open_suggestions(self, experiment: int) -> list[Suggestion]:
        """All open suggestions, oldest first."""
        return self._all(Suggestion, _SUGGESTIONS, SQL("experiment = %(of)s and open"), of=experiment)

    def all_suggestions(self, experiment: int) -> list[Suggestion]:
        """All suggestions that are not deleted, oldest first."""
        return self._all(Suggestion, _SUGGESTIONS, SQL("experiment = %(of)s"), of=experiment)

    def taken(self, experiment: int) -> float:
        """How much of the budget observations and open suggestions take.

        Asked in one statement: between two, an observation may be made of a suggestion, and neither would count it.
        """
        return float(self._scalar(_TAKEN, {"of": experiment}))

    def next_number(self, experiment: int) -> int:
        """The number of the next suggestion."""
        statement = "select coalesce(max(number), 0) + 1 as number from tuning.suggestions where experiment = %s"
        return int(self._scalar(statement, (experiment,)))

    def add_suggestion(
        self, experiment: int, *, number: int, assignments: Document, task: Document | None, metadata: Document | None
    ) -> Suggestion:
        """A new suggestion."""
        key = self._insert(
            "suggestions",
            experiment=experiment,
            number=number,
            assignments=Json(assignments),
            task=_json(task),
            metadata=_json(metadata),
        )
        return self.suggestion(experiment, key)

    def update_suggestion(self, key: int, metadata: Document | None) -> None:
        """Set a suggestion's metadata."""
        self._connection.execute("update tuning.suggestions set metadata = %s where id = %s", (_json(metadata), key))

    def delete_suggestions(self, experiment: int, *, key: int | None = None, only_open: bool = False) -> None:
        """Delete one suggestion or all (open) ones; their observations stay."""
        self._connection.execute(
            """
            update tuning.suggestions s set deleted = true
            where experiment = %(of)s and (%(id)s::bigint is null or id = %(id)s) and not (
                %(only_open)s and exists (select from tuning.observations o where o.suggestion = s.id)
            )""",
            {"of": experiment, "id": key, "only_open": only_open},
        )

    def observation(self, experiment: int, key: int) -> Observation:
        """One observation."""
        return self._one(Observation, _OBSERVATIONS, SQL("id = %(id)s and experiment = %(of)s"), id=key, of=experiment)

    def observations(self, experiment: int, page: Page) -> Listing[Observation]:
        """Observations of an experiment."""
        return self._listing(Observation, _OBSERVATIONS, SQL("experiment = %(of)s"), page, of=experiment)

    def all_observations(self, experiment: int) -> list[Observation]:
        """All observations of an experiment, oldest first."""
        return self._all(Observation, _OBSERVATIONS, SQL("experiment = %(of)s"), of=experiment)

    def add_observation(
        self,
        experiment: int,
        *,
        suggestion: int | None,
        assignments: Document,
        task: Document | None,
        values: list[Document] | None,
        metadata: Document | None,
    ) -> Observation:
        """A new observation, failed if it has no values; or the one that the suggestion has, if it says the same."""
        key = self._scalar(
            """
            insert into tuning.observations
                (experiment, suggestion, assignments, task, measurements, failed, metadata)
            values (%s, %s, %s, %s, %s, %s, %s) on conflict (suggestion) do nothing returning id""",
            (experiment, suggestion, Json(assignments), _json(task), _json(values), values is None, _json(metadata)),
        )
        if key is not None:
            return self.observation(experiment, key)
        (first,) = self._all(Observation, _OBSERVATIONS, SQL("suggestion = %(suggestion)s"), suggestion=suggestion)
        if first.values != values:
            raise Refusal(f"Suggestion {suggestion} already has an observation: {first.id}", status=409)
        return first

    def _insert(self, table: str, **columns: Any) -> int:
        statement = SQL("insert into tuning.{} ({}) values ({}) returning id").format(
            Identifier(table),
            SQL(", ").join(map(Identifier, columns)),
            SQL(", ").join(SQL("%s") for _ in columns),
        )
        return int(self._scalar(statement, tuple(columns.values())))

    def _scalar(self, statement: LiteralString | Composed, parameters: Sequence[Any] | Document) -> Any:
        with self._connection.cursor(row_factory=scalar_row) as cursor:
            return cursor.execute(statement, parameters).fetchone()

    def _all(self, kind: type[Record], select: SQL, where: SQL | Composed, **parameters: Any) -> list[Record]:
        with self._connection.cursor(row_factory=class_row(kind)) as cursor:
            return cursor.execute(select + SQL(" where ") + where + SQL(" order by id"), parameters).fetchall()

    def _one(self, kind: type[Record], select: SQL, where: SQL, **parameters: Any) -> Record:
        found = self._all(kind, select, where, **parameters)
        if not found:
            of = f" for experiment {parameters['of']}" if "of" in parameters else ""
            raise Refusal(f"No {kind.__name__.lower()} {parameters['id']}{of}", status=404)
        return found[0]

    def _listing(
        self, kind: type[Record], select: SQL, where: SQL | Composed, page: Page, **parameters: Any
    ) -> Listing[Record]:
        count = self._scalar(SQL("select count(*) from (") + select + SQL(" where ") + where + SQL(") x"), parameters)
        forward = page.before is None and page.after is not None
        statement = select + SQL(" where ") + where
        statement += SQL(" and (%(before)s::bigint is null or id < %(before)s)")
        statement += SQL(" and (%(after)s::bigint is null or id > %(after)s)")
        statement += SQL(" order by id {} limit %(limit)s").format(SQL("asc" if forward else "desc"))
        marks = {"before": page.before, "after": page.after, "limit": page.limit + 1}
        with self._connection.cursor(row_factory=class_row(kind)) as cursor:
            found = cursor.execute(statement, {**parameters, **marks}).fetchall()
        more, items = len(found) > page.limit, found[: page.limit]
        if forward:
            items.reverse()
        return Listing(
            items=items,
            count=count,
            before=items[-1].id if items and (more or forward) else None,
            after=items[0].id if items and (more or not forward) else None,
        )


def _json(value: Any) -> Json | None:
    return None if value is None else Json(value)
