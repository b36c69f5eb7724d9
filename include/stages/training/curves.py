"""Plots as one page of SVG that MLflow shows. Knows no problem kind: what there is to draw comes as data."""

import html
from collections.abc import Iterator, Mapping, Sequence

from include.foundation.problem.plots import Chart, Plot, Points, Table

SIZE, LEFT, TOP, BOTTOM, RIGHT = 300, 64, 8, 46, 16  # pixels of the plot's square and its margins
TICKS = 5
COLOURS = ("steelblue", "darkorange", "seagreen")
STYLE = (
    "body{font:14px sans-serif;margin:2em}figure{display:inline-block;vertical-align:top;margin:0 2em 2em 0}"
    "figcaption b{font-size:16px}text{font-size:12px}td,th{padding:2px 8px;text-align:right}"
    "th:first-child,td:first-child{text-align:left}.bar{width:320px;text-align:left}.bar i{display:block;height:14px;"
    "background:steelblue}"
)


def page(title: str, plots: Sequence[Plot], shares: Mapping[str, float]) -> str:
    """The plots and a bar for each feature (its share, in [0, 1]) as a self-contained HTML page."""
    figures = "".join(_chart(plot) if isinstance(plot, Chart) else _table(plot) for plot in plots)
    most = max(shares.values(), default=0.0) or 1.0
    bars = "".join(
        f"<tr><td>{html.escape(name)}</td><td>{share:.1%}</td>"
        f"<td class=bar><i style='width:{100 * share / most:.1f}%'></i></td></tr>"
        for name, share in sorted(shares.items(), key=lambda item: -item[1])
    )
    return (
        f"<!doctype html><meta charset=utf-8><title>{html.escape(title)}</title><style>{STYLE}</style>"
        f"<h1>{html.escape(title)}</h1>{figures}<h2>Features</h2><table>"
        f"<tr><th>feature<th>importance<th class=bar>longest bar: {most:.1%}</tr>{bars}</table>"
    )


def _caption(plot: Plot) -> str:
    return f"<figcaption><b>{html.escape(plot.title)}</b><br>{html.escape(plot.note)}</figcaption>"


def _table(table: Table) -> str:
    head = "".join(f"<th>{html.escape(name)}" for name in table.columns)
    rows = "".join(
        f"<tr><td>{html.escape(name)}</td>" + "".join(_cells(numbers, shaded=table.shares)) + "</tr>"
        for name, numbers in table.rows
    )
    return f"<figure>{_caption(table)}<table><tr>{head}</tr>{rows}</table></figure>"


def _cells(numbers: Sequence[float], *, shaded: bool) -> Iterator[str]:
    whole = sum(numbers) or 1.0
    for number in numbers:
        shade = f" style='background:rgba(70,130,180,{number / whole:.2f})'" if shaded else ""
        yield f"<td{shade}>{_number(number)}</td>"


def _chart(chart: Chart) -> str:
    (left, right), (low, high) = chart.x_range, chart.y_range

    def x(value: float) -> float:
        return LEFT + SIZE * (value - left) / (right - left)

    def y(value: float) -> float:
        return TOP + SIZE * (1 - (value - low) / (high - low))

    def drawn(points: Points, colour: str) -> str:
        if not chart.lines:
            look = f"r=2 fill={colour} fill-opacity=.4"
            return "".join(f"<circle cx={x(a):.1f} cy={y(b):.1f} {look} />" for a, b in points)
        line = " ".join(f"{x(a):.1f},{y(b):.1f}" for a, b in points)
        return f"<polyline points='{line}' fill=none stroke={colour} stroke-width=2 />"

    parts = [f"<rect x={LEFT} y={TOP} width={SIZE} height={SIZE} fill=none stroke=silver />"]
    for step in range(TICKS + 1):
        a, b = left + (right - left) * step / TICKS, low + (high - low) * step / TICKS
        parts.append(f"<text x={x(a):.1f} y={TOP + SIZE + 16} text-anchor=middle>{_number(a)}</text>")
        parts.append(f"<text x={LEFT - 6} y={y(b) + 4:.1f} text-anchor=end>{_number(b)}</text>")
        parts.append(f"<line x1={LEFT} y1={y(b):.1f} x2={LEFT + SIZE} y2={y(b):.1f} stroke=gainsboro />")
    if chart.diagonal:
        start, end = max(left, low), min(right, high)
        ends = f"x1={x(start):.1f} y1={y(start):.1f} x2={x(end):.1f} y2={y(end):.1f}"
        parts.append(f"<line {ends} stroke=silver stroke-dasharray=4 />")
    for place, (name, points) in enumerate(chart.series.items()):
        colour = COLOURS[place % len(COLOURS)]
        parts.append(drawn(points, colour))
        if name:
            at = f"x={LEFT + 8} y={TOP + SIZE - 8 - 16 * place}"
            parts.append(f"<text {at} fill={colour}>{html.escape(name)}</text>")
    middle = TOP + SIZE / 2
    parts.append(f"<text x={LEFT + SIZE / 2} y={TOP + SIZE + 38} text-anchor=middle>{html.escape(chart.x)}</text>")
    turned = f"transform='rotate(-90 12 {middle})'"
    parts.append(f"<text x=12 y={middle} text-anchor=middle {turned}>{html.escape(chart.y)}</text>")
    size = f"width={LEFT + SIZE + RIGHT} height={TOP + SIZE + BOTTOM}"
    return f"<figure>{_caption(chart)}<svg {size}>{''.join(parts)}</svg></figure>"


def _number(value: float) -> str:
    return f"{value:.4g}" if abs(value) < 1e6 else f"{value:.3g}"
