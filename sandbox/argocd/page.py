"""The read-only web page: where the buttons of Airflow lead to."""

from html import escape
from typing import Any

_HEAD = """<!doctype html><html lang="en"><meta charset="utf-8"><meta http-equiv="refresh" content="5">
<meta name="viewport" content="width=device-width"><title>{title}</title>
<style>body{{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:64rem;padding:0 1rem;color:#223}}
table{{border-collapse:collapse;width:100%;margin:1rem 0}}th,td{{text-align:left;padding:.35rem .6rem;
border-bottom:1px solid #dde;vertical-align:top}}code,pre{{font-size:13px;overflow:auto}}
.Healthy,.Synced,.Succeeded{{color:#0a7d43}}
.Degraded,.SyncFailed,.Failed,.Error{{color:#b3261e}}.Progressing,.OutOfSync,.Running{{color:#8a5a00}}</style>
<p><small>This is a stand-in for Argo CD, for trials on one machine. It leaves out the real user interface, roles,
projects, auto-sync, hooks, Helm and Kustomize. Nothing can be changed on this page.</small></p><h1>{title}</h1>"""


def applications(apps: list[dict[str, Any]]) -> str:
    """All applications."""
    rows = [
        [
            _link(app),
            _state(app.get("status", {}).get("sync", {}).get("status")),
            _state(app.get("status", {}).get("health", {}).get("status")),
            _code(app.get("status", {}).get("sync", {}).get("revision")),
        ]
        for app in apps
    ]
    return _HEAD.format(title="Applications") + _table(["application", "sync", "health", "revision"], rows)


def application(
    app: dict[str, Any],
    nodes: list[dict[str, Any]],
    *,
    commit: dict[str, Any] | None = None,
    diff: str = "",
    logs: dict[str, str] | None = None,
) -> str:
    """One application: source, sync, health, last operation, resources, history; the synced commit and pods' logs."""
    commit = commit or {}
    status, source = app.get("status", {}), app["spec"]["source"]
    state = status.get("operationState", {})
    facts = [
        ["source", _code(f"{source['path']} at {source.get('targetRevision') or 'HEAD'}")],
        ["compared with", _code(status.get("sync", {}).get("revision"))],
        ["sync", _state(status.get("sync", {}).get("status"))],
        ["health", _state(status.get("health", {}).get("status"))],
        ["last operation", f"{_state(state.get('phase'))} {escape(state.get('message', ''))}"],
        *([condition["type"], escape(condition["message"])] for condition in status.get("conditions", [])),
    ]
    resources = [
        [
            escape(node["kind"]),
            escape(f"{node.get('namespace', '')}/{node['name']}".lstrip("/")),
            _state(node.get("health", {}).get("status")),
            escape(node.get("health", {}).get("message", "")),
        ]
        for node in nodes
    ]
    history = [
        [
            str(entry["id"]),
            _code(entry["revision"]),
            escape(entry["deployedAt"]),
            escape(entry["initiatedBy"]["username"]),
        ]
        for entry in reversed(status.get("history", []))
    ]
    return (
        _HEAD.format(title=escape(app["metadata"]["name"]))
        + '<p><a href="/applications">all applications</a></p>'
        + _table([], facts)
        + _table(["kind", "resource", "health", "message"], resources)
        + _table(["deployment", "revision", "when", "by"], history)
        + "<h2>Synced commit</h2>"
        + _table([], [[name, escape(str(commit.get(name, "-")))] for name in ("message", "author", "date")])
        + _text(diff)
        + "<h2>Last log lines</h2>"
        + "".join(f"<h3>{escape(pod)}</h3>{_text(lines)}" for pod, lines in (logs or {}).items())
    )


def _link(app: dict[str, Any]) -> str:
    name, namespace = escape(app["metadata"]["name"]), escape(app["metadata"]["namespace"])
    return f'<a href="/applications/{namespace}/{name}">{name}</a>'


def _state(value: str | None) -> str:
    return f'<b class="{escape(value)}">{escape(value)}</b>' if value else "-"


def _code(value: str | None) -> str:
    return f"<code>{escape(value)}</code>" if value else "-"


def _text(value: str) -> str:
    return f"<pre>{escape(value)}</pre>"


def _table(head: list[str], rows: list[list[str]]) -> str:
    titles = "".join(f"<th>{title}</th>" for title in head)
    body = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows)
    return f"<table><tr>{titles}</tr>{body}</table>"
