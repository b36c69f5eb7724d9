"""Charts as SVG, drawn on the server: no script, and colours by the page's own style, so that they follow its theme.

Series are told apart by dashes as well as by colour. Each chart has a title that screen readers read.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from math import isfinite
from typing import TYPE_CHECKING

from markupsafe import Markup, escape

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

WIDTH, HEIGHT, LEFT, TOP, RIGHT, BOTTOM = 520, 200, 62, 10, 14, 34  # of the drawing, in its own units
TICKS = 4
COLOURS = 6  # classes c0 ... c5 of the style sheet
MOST_POINTS = 2_000
Points = "Sequence[tuple[float, float]]"


@dataclass(frozen=True, kw_only=True)
class Mark:
    """A moment on the x axis that something happened at."""

    x: float
    label: str


@dataclass(frozen=True, kw_only=True)
class Scale:
    """From values to the drawing."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        """Where a value is."""
        share = (value - self.low) / ((self.high - self.low) or 1)
        return self.start + share * (self.end - self.start)


def line(
    title: str,
    series: Mapping[str, Sequence[tuple[float, float]]],
    *,
    times: bool = False,
    points: bool = False,
    diagonal: bool = False,
    marks: Sequence[Mark] = (),
    x_range: tuple[float, float] | None = None,
    y_range: tuple[float, float] | None = None,
) -> Markup:
    """Lines (or only points) over numbers, or over times (seconds since 1970)."""
    kept = {name: _thin([(x, y) for x, y in found if isfinite(x) and isfinite(y)]) for name, found in series.items()}
    every = [point for found in kept.values() for point in found]
    if not every:
        return _nothing(title)
    xs = Scale(**_range([x for x, _ in every], x_range, times=times), start=LEFT, end=WIDTH - RIGHT)
    ys = Scale(**_range([y for _, y in every], y_range), start=HEIGHT - BOTTOM, end=TOP)
    parts = [_axes(xs, ys, _time(xs) if times else number)]
    if diagonal:
        low, high = max(xs.low, ys.low), min(xs.high, ys.high)
        parts.append(
            Markup('<line class="diagonal" x1="{:.1f}" y1="{:.1f}" x2="{:.1f}" y2="{:.1f}"/>').format(
                xs(low), ys(low), xs(high), ys(high)
            )
        )
    for mark in marks:
        if xs.low <= mark.x <= xs.high:
            parts.append(
                Markup(
                    '<line class="mark" x1="{0:.1f}" y1="{1}" x2="{0:.1f}" y2="{2}"><title>{3}</title></line>'
                ).format(xs(mark.x), TOP, HEIGHT - BOTTOM, mark.label)
            )
    for place, (_, found) in enumerate(kept.items()):
        colour = place % COLOURS
        if points:
            dots = (f'<circle cx="{xs(x):.1f}" cy="{ys(y):.1f}" r="2.5"/>' for x, y in found)
            parts.append(Markup('<g class="dots c{}">{}</g>').format(colour, Markup("".join(dots))))  # noqa: S704
        else:
            path = " ".join(f"{xs(x):.1f},{ys(y):.1f}" for x, y in found)
            parts.append(Markup('<polyline class="line c{}" points="{}"/>').format(colour, path))
            if len(found) == 1:
                parts.append(_dot(xs(found[0][0]), ys(found[0][1]), colour))
    return _figure(title, parts, [name for name in kept if name], sum(map(len, kept.values())))


def bars(title: str, values: Sequence[tuple[str, float]]) -> Markup:
    """A bar for each name, from zero."""
    kept = [(name, value) for name, value in values if isfinite(value)]
    if not kept:
        return _nothing(title)
    ys = Scale(**_range([0.0, *(value for _, value in kept)], None), start=HEIGHT - BOTTOM, end=TOP)
    width = (WIDTH - LEFT - RIGHT) / len(kept)
    parts = [_axes(None, ys, number)]
    every = max(1, len(kept) * 46 // (WIDTH - LEFT - RIGHT))  # names that have room
    for place, (name, value) in enumerate(kept):
        x, top, bottom = LEFT + place * width, min(ys(value), ys(0)), max(ys(value), ys(0))
        parts.append(
            Markup(
                '<rect class="bar c0" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}"><title>{}: {}</title></rect>'
            ).format(x + width * 0.1, top, width * 0.8, max(bottom - top, 0.5), name, number(value))
        )
        if place % every == 0:
            parts.append(
                Markup('<text x="{:.1f}" y="{}" text-anchor="middle">{}</text>').format(
                    x + width / 2, HEIGHT - BOTTOM + 14, name[:12]
                )
            )
    return _figure(title, parts, [], len(kept))


def histogram(title: str, values: Sequence[float], *, bins: int = 20) -> Markup:
    """How often values are in each of `bins` equal parts of their range."""
    kept = [value for value in values if isfinite(value)]
    if not kept:
        return _nothing(title)
    low, high = min(kept), max(kept)
    step = (high - low) / bins or 1.0
    counts = [0] * bins
    for value in kept:
        counts[min(bins - 1, int((value - low) / step))] += 1
    return bars(title, [(number(low + step * place), count) for place, count in enumerate(counts)])


def number(value: float) -> str:
    """A number with no more digits than say something."""
    if value == 0 or 0.001 <= abs(value) < 1e6:
        return f"{value:,.4g}" if abs(value) < 10_000 else f"{value:,.0f}"
    return f"{value:.3g}"


def _range(values: Sequence[float], given: tuple[float, float] | None, *, times: bool = False) -> dict[str, float]:
    low, high = given or (min(values), max(values))
    if low == high:  # one value has room on both sides: of a moment an hour
        room = 3_600.0 if times else abs(low) * 0.05 or 0.5
        low, high = low - room, high + room
    return {"low": low, "high": high}


def _axes(xs: Scale | None, ys: Scale, words: Callable[[float], str]) -> Markup:
    parts = []
    for step in range(TICKS + 1):
        value = ys.low + (ys.high - ys.low) * step / TICKS
        parts.append(
            Markup('<line class="grid" x1="{}" y1="{y:.1f}" x2="{}" y2="{y:.1f}"/>').format(
                LEFT, WIDTH - RIGHT, y=ys(value)
            )
            + Markup('<text x="{}" y="{:.1f}" text-anchor="end">{}</text>').format(
                LEFT - 6, ys(value) + 4, number(value)
            )
        )
        if xs is not None:
            value = xs.low + (xs.high - xs.low) * step / TICKS
            anchor = "start" if step == 0 else "end" if step == TICKS else "middle"
            parts.append(
                Markup('<text x="{:.1f}" y="{}" text-anchor="{}">{}</text>').format(
                    xs(value), HEIGHT - BOTTOM + 16, anchor, words(value)
                )
            )
    return Markup("").join(parts)


def _time(xs: Scale) -> Callable[[float], str]:
    form = "%H:%M:%S" if xs.high - xs.low < 3_600 else "%m-%d %H:%M" if xs.high - xs.low < 5 * 86_400 else "%Y-%m-%d"
    return lambda value: datetime.fromtimestamp(value, UTC).strftime(form)


def _figure(title: str, parts: Sequence[Markup], names: Sequence[str], points: int) -> Markup:
    legend = Markup("").join(
        Markup('<span class="key c{}"></span>{} ').format(place % COLOURS, name) for place, name in enumerate(names)
    )
    label = f"{title}: {points:,} values" + (f" of {', '.join(names)}" if names else "")
    return Markup(
        '<figure class="chart"><figcaption>{}</figcaption><svg viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg>'
        '<div class="legend">{}</div></figure>'
    ).format(title, WIDTH, HEIGHT, label, Markup("").join(parts), legend)


def _nothing(title: str) -> Markup:
    return Markup(
        '<figure class="chart"><figcaption>{}</figcaption><p class="empty">No values yet.</p></figure>'
    ).format(escape(title))


def _dot(x: float, y: float, colour: int) -> Markup:
    return Markup('<g class="dots c{}"><circle cx="{:.1f}" cy="{:.1f}" r="3"/></g>').format(colour, x, y)


def _thin(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """No more than can be seen, the last among them."""
    step = len(points) // MOST_POINTS + 1
    return points if step == 1 else [*points[::step], points[-1]]
