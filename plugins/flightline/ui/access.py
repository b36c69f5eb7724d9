"""Who looks, and what he may: Airflow's own login and rights, nothing beside them."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, Any

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.models.resource_details import ConnectionDetails, DagDetails
from airflow.api_fastapi.core_api.security import get_user
from airflow.configuration import conf
from fastapi import Depends, Form, Header, HTTPException, Request
from itsdangerous import BadData, URLSafeTimedSerializer

from flightline.ui.airflow_api import AirflowApi
from include.catalog.entries import Entry
from include.foundation.echo import quoted
from include.foundation.errors import MissingInput
from include.foundation.spec import UseCase, load_all

DAY_SECONDS = 86_400
STAGES = ("ingest", "features", "train", "promote", "score", "monitor")


@dataclass(frozen=True, kw_only=True)
class Visitor:
    """A user of Airflow at a page.

    Attributes:
        user: Airflow's.
        airflow: Airflow's API, with this user's rights.
        root: where the pages begin, with a slash at its end.
    """

    user: Any
    airflow: AirflowApi
    root: str

    @property
    def name(self) -> str:
        """What Airflow calls him."""
        return str(self.user.get_name())

    def may_read(self, use_case: str) -> bool:
        """Whether he may see some Dag of the use case."""
        return any(self._may("GET", f"{use_case}.{stage}") for stage in STAGES)

    def may_start(self, dag_id: str) -> bool:
        """Whether he may start runs of a Dag."""
        from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity

        return bool(
            get_auth_manager().is_authorized_dag(
                method="POST", access_entity=DagAccessEntity.RUN, details=DagDetails(id=dag_id), user=self.user
            )
        )

    @property
    def sees_all(self) -> bool:
        """Whether he may see sensitive columns: who may read the Connection `lake` has its keys anyway."""
        details = ConnectionDetails(conn_id="lake")
        return bool(get_auth_manager().is_authorized_connection(method="GET", details=details, user=self.user))

    @property
    def runs_the_cluster(self) -> bool:
        """Whether he may see and stop all workspaces: who may read the Connection `cluster` has its keys anyway."""
        details = ConnectionDetails(conn_id="cluster")
        return bool(get_auth_manager().is_authorized_connection(method="GET", details=details, user=self.user))

    def specs(self) -> list[UseCase]:
        """The use cases that he may see."""
        return [spec for spec in load_all() if self.may_read(spec.name)]

    def spec(self, name: str) -> UseCase:
        """One of them. Raises MissingInput where there is none that he may see."""
        for spec in self.specs():
            if spec.name == name:
                return spec
        raise MissingInput(f"there is no use case {quoted(name)}")

    def sees(self, entry: Entry, specs: Iterable[UseCase]) -> bool:
        """Whether he may see a table: one of a use case that he may see, or, of no use case, if he sees all."""
        return entry.use_case in {spec.name for spec in specs} if entry.use_case else self.sees_all

    def token(self) -> str:
        """What a form of his brings along: another site cannot know it."""
        return _serializer().dumps(str(self.user.get_id()))

    def _may(self, method: Any, dag_id: str) -> bool:
        return bool(get_auth_manager().is_authorized_dag(method=method, details=DagDetails(id=dag_id), user=self.user))


def visitor(request: Request, user: Annotated[Any, Depends(get_user)]) -> Visitor:
    """The user, if he may see assets at all. Raises HTTPException 403 if not (401, before this, without a login)."""
    if not get_auth_manager().is_authorized_asset(method="GET", user=user):
        raise HTTPException(403, "you may not see assets in this Airflow; whoever runs it can give you the right")
    return Visitor(user=user, airflow=AirflowApi(request), root=f"{request.scope.get('root_path', '')}/")


Looking = Annotated[Visitor, Depends(visitor)]


def posting(
    visitor: Looking,
    token: Annotated[str, Form(max_length=500)] = "",
    sec_fetch_site: Annotated[str | None, Header()] = None,
) -> Visitor:
    """A visitor who sends a form of these pages. Raises HTTPException 403 for any other."""
    try:
        known = _serializer().loads(token, max_age=DAY_SECONDS) == str(visitor.user.get_id())
    except BadData:
        known = False
    if not known or sec_fetch_site not in {None, "same-origin", "none"}:
        raise HTTPException(403, "this form is not of your session, or older than a day: load the page again")
    return visitor


Posting = Annotated[Visitor, Depends(posting)]


def _serializer() -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(conf.get_mandatory_value("api", "secret_key"), salt="flightline.form")
