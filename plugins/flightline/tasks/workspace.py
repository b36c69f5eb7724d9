"""Tasks of `platform.workspace` and `platform.sweep`."""

import logging
import time
from collections.abc import Mapping
from typing import Any

from airflow.sdk import task
from airflow.sdk.configuration import conf
from airflow.sdk.exceptions import AirflowSkipException

from flightline import notes
from flightline.failing import failing_fast
from flightline.links.pages import WorkspaceLink
from flightline.ui.menu import PREFIX
from include.foundation.echo import listing
from include.foundation.errors import InvalidInput, ServiceUnavailable

log = logging.getLogger(__name__)
READY_SECONDS, POLL_SECONDS = 900.0, 2.0


def login(dag_run: Any) -> str:
    """Who asks: the login that Airflow kept with the run. No form can say another.

    Raises:
        InvalidInput: nobody did: a schedule, a backfill or the command line started the run.
    """
    user = getattr(dag_run, "triggering_user_name", None)
    if not user:
        raise InvalidInput(
            "nobody asks: start it logged in, in Airflow's pages or by its API; whose login is whose desk"
        )
    return str(user)


@task
@failing_fast
def start(params: Mapping[str, Any], dag_run: Any = None) -> str:
    """Make the workspace's objects in the cluster; its name. A retry finds those that are there."""
    from flightline.hooks.workspaces import WorkspaceHook
    from flightline.workspaces.settings import Wanted

    user = login(dag_run)
    found = WorkspaceHook().start(user, dag_run.run_id, Wanted(**params))
    log.info("workspace %s of %s, until %s", found.name, user, found.until)
    return found.name


@task
@failing_fast
def ready(name: str, dag_run: Any = None, ti: Any = None) -> None:
    """Wait until it answers.

    Raises:
        InvalidInput: it ended instead, or its image cannot be had.
        ServiceUnavailable: it was not ready in time.
    """
    from flightline.hooks.workspaces import WorkspaceHook

    hook, user, deadline = WorkspaceHook(), login(dag_run), time.monotonic() + READY_SECONDS
    while (found := hook.look(name, user=user)).state != "ready":
        if time.monotonic() > deadline:
            raise ServiceUnavailable(f"workspace {name} is not ready after {READY_SECONDS:.0f} s: {found.why[:500]}")
        time.sleep(POLL_SECONDS)
    ti.xcom_push(
        WorkspaceLink.key, f"{conf.get('api', 'base_url', fallback='').rstrip('/')}{PREFIX}/workspaces/{name}/open"
    )
    notes.say(ti, "%s is ready, until %s: Flightline, Workspaces, Open", name, f"{found.until:%Y-%m-%d %H:%M UTC}")


@task
@failing_fast
def sweep(ti: Any = None) -> None:
    """Stop what is over its time, and clear away what has ended."""
    from flightline.hooks.workspaces import WorkspaceHook

    hook = WorkspaceHook()
    if not hook.places:
        raise AirflowSkipException("no cluster that can be reached has workspaces: there is nothing to look at")
    gone = hook.sweep()
    for name, why in gone.items():
        log.info("%s: %s", name, why)
    if gone:
        notes.say(ti, "%d workspaces are gone: %s", len(gone), listing(gone))
