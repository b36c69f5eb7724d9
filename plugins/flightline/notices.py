"""Notices to people: a run has failed, or takes too long.

They go where the Connection `notices` says: to a webhook that takes what Slack's does (type `http`; the secret part of
its path is the password), or by mail (type `smtp`; extra: `from`, `to`, and `tls`: `starttls`, `ssl` or `none`). Extra
of both: `verify` (false, or the path of a CA bundle). Without the Connection nobody is told.
"""

import logging
from datetime import timedelta
from functools import partial
from typing import Any

from airflow.listeners import hookimpl
from airflow.sdk import AsyncCallback, DeadlineAlert, DeadlineReference  # type: ignore[attr-defined]  # not in its stub

from flightline import notes
from flightline.background import with_connection
from flightline.hooks.address import base_url
from include.foundation.spec import UseCase

log = logging.getLogger(__name__)

CONN_ID = "notices"
SECONDS = 10.0
TLS = ("starttls", "ssl", "none")


@hookimpl
def on_dag_run_failed(dag_run: Any) -> None:
    """A run has failed."""
    subject, text = failure(dag_run.dag_id, dag_run.run_id, notes.of(dag_run))
    with_connection(CONN_ID, partial(send, subject=subject, text=text))


def failure(dag_id: str, run_id: str, said: str) -> tuple[str, str]:
    """Subject and text of a notice: what failed, why, and what to do."""
    why = said or "No task said why: see the logs."
    remedy = f"What to do: {page(dag_id)}/runs/{run_id} has the logs, {page(dag_id)}/details the remedies."
    return f"{dag_id} failed", f"{why}\n\n{remedy}"


def deadline(spec: UseCase, dag: str) -> Any:
    """For a Dag's `deadline`: tell the owner when a run is not over in time."""
    hours = spec.monitoring.run_hours
    told = {"dag_id": f"{spec.name}.{dag}", "hours": hours}
    return DeadlineAlert(
        reference=DeadlineReference.DAGRUN_QUEUED_AT,
        interval=timedelta(hours=hours),
        callback=AsyncCallback(late, kwargs=told),
    )


async def late(*, dag_id: str, hours: int) -> None:
    """Say that a run of the Dag was not over in time. Runs in the triggerer."""
    import asyncio

    from airflow.sdk import Connection
    from airflow.sdk.exceptions import AirflowNotFoundException

    text = (
        f"A run was not over {hours} hours after it was queued.\n\nWhat to do: {page(dag_id)} shows what it waits for."
    )
    try:
        connection = await Connection.async_get(CONN_ID)
    except AirflowNotFoundException:
        log.warning("%s is late, and there is no Connection %s to tell anybody by", dag_id, CONN_ID)
    else:
        await asyncio.to_thread(send, connection, subject=f"{dag_id} is late", text=text)


def page(dag_id: str) -> str:
    """The Dag in Airflow's UI."""
    from airflow.sdk.configuration import conf

    return f"{conf.get('api', 'base_url', fallback='').rstrip('/')}/dags/{dag_id}"


def send(connection: Any, *, subject: str, text: str) -> None:
    """Send a notice.

    Raises:
        OSError: nobody took it.
        ValueError: the Connection is of another type, or lacks an address.
    """
    if connection.conn_type == "http":
        _post(connection, f"*{subject}*\n{text}")
    elif connection.conn_type == "smtp":
        _mail(connection, subject, text)
    else:
        raise ValueError(f"Connection {CONN_ID} is of type {connection.conn_type}: want http (a webhook) or smtp")


def _post(connection: Any, text: str) -> None:
    import requests

    secret = f"/{connection.password.lstrip('/')}" if connection.password else ""
    try:
        answer = requests.post(
            base_url(connection) + secret,
            json={"text": text},
            timeout=SECONDS,
            verify=connection.extra_dejson.get("verify", True),
        )
    except requests.RequestException as error:  # whose text has the URL, and so the secret
        raise OSError(f"the webhook of Connection {CONN_ID} does not answer ({type(error).__name__})") from None
    if not answer.ok:
        raise OSError(f"the webhook of Connection {CONN_ID} answered {answer.status_code}: {answer.text[:200]}")


def _mail(connection: Any, subject: str, text: str) -> None:
    import smtplib
    import ssl
    from email.message import EmailMessage

    extra = connection.extra_dejson
    if missing := {"from", "to"} - extra.keys():
        raise ValueError(f"Connection {CONN_ID}: its extra lacks {', '.join(sorted(missing))}")
    tls, verify = extra.get("tls", "starttls"), extra.get("verify", True)
    if tls not in TLS:  # a slip must not send in the clear
        raise ValueError(f"Connection {CONN_ID}: its extra's tls is {tls!r}; it must be one of {', '.join(TLS)}")
    message = EmailMessage()
    message["Subject"], message["From"], message["To"] = f"Flightline: {subject}", extra["from"], extra["to"]
    message.set_content(text)
    context = ssl.create_default_context(cafile=verify if isinstance(verify, str) else None)
    if verify is False:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    kind = partial(smtplib.SMTP_SSL, context=context) if tls == "ssl" else smtplib.SMTP
    with kind(connection.host, connection.port or 0, timeout=SECONDS) as server:
        if tls == "starttls":
            server.starttls(context=context)
        if connection.login:
            server.login(connection.login, connection.password or "")
        server.send_message(message)
