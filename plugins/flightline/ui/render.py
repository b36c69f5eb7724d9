"""Pages of templates: everything that is put in is escaped, and long things are cut."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from flightline.ui import chart
from include.foundation.echo import cut

if TYPE_CHECKING:
    from flightline.ui.access import Visitor

HERE = Path(__file__).parent
SECURE = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; form-action 'self'; base-uri 'self'; frame-ancestors 'self'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
}


def page(template: str, visitor: Visitor, *, status: int = 200, **values: Any) -> HTMLResponse:
    """A page, or a part of one, for a visitor."""
    text = environment().get_template(template).render(visitor=visitor, root=visitor.root, **values)
    return HTMLResponse(text, status, headers=SECURE)


def refusal(status: int, message: str, *, root: str, part: bool) -> HTMLResponse:
    """What went wrong, in words: as a page, or as the part of a page that was asked for."""
    template = environment().get_template("refusal_part.html" if part else "refusal.html")
    text = template.render(message=cut(message, 1_500), root=root)
    return HTMLResponse(text, status, headers=SECURE)


@cache
def environment() -> Environment:
    """The templates."""
    found = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.filters |= {"ago": ago, "moment": moment, "count": count, "size": size, "number": number, "cut": cut}
    return found


def ago(at: datetime | None) -> str:
    """How long ago, roughly."""
    if at is None:
        return "never"
    seconds = (datetime.now(UTC) - at).total_seconds()
    for unit, length in (("day", 86_400), ("hour", 3_600), ("minute", 60)):
        if seconds >= length:
            whole = int(seconds // length)
            return f"{whole:,} {unit}{'s' if whole > 1 else ''} ago"
    return "just now"


def moment(at: datetime | None) -> str:
    """A moment, in UTC."""
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC") if at else "never"


def count(value: int) -> str:
    """A whole number."""
    return f"{value:,}"


def size(value: float) -> str:
    """Bytes."""
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1_000:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1_000
    return f"{value:,.1f} TB"


def number(value: float | None) -> str:
    """A number."""
    return "" if value is None else chart.number(value)
