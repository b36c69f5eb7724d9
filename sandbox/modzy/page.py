"""The read-only page of a version: where the button of a promotion leads to."""

from collections.abc import Mapping
from html import escape
from typing import Any

_HEAD = """<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{title}</title><style>body{{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:64rem;padding:0 1rem;
color:#223}}pre{{font-size:13px;white-space:pre-wrap}}</style><p><small>This is a stand-in for Modzy, for trials on one
machine. It leaves out the real user interface. Nothing can be changed on this page.</small></p><h1>{title}</h1>"""


def version(card: Mapping[str, Any], document: Mapping[str, Any]) -> str:
    """Name, state and card of a version, and which others there are."""
    title = escape(f"{card['name']} {document['version']}")
    others = escape(", ".join(card["versions"]))
    state = escape(str(document["status"]))
    return f"{_HEAD.format(title=title)}<p>{state}; versions: {others}</p><pre>{escape(card['description'])}</pre>"
