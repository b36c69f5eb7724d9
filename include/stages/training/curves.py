"""Curves of a binary model, as plain tables and as one page of SVG that MLflow shows."""

import html
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

Points = list[tuple[float, float]]
SIZE, EDGE = 280, 30


def curves(labels: NDArray[np.int8], scores: NDArray[np.float64], points: int = 200) -> dict[str, Points]:
    """ROC, precision-recall and calibration as (x, y) points, each axis in [0, 1].

    ROC and precision-recall are taken at about `points` thresholds, calibration in ten bins of equally many rows: mean
    score against observed rate.
    """
    order = np.argsort(-scores, kind="stable")
    positive = np.cumsum(labels[order] == 1)
    called = np.arange(1, len(scores) + 1)
    ends = np.append(np.flatnonzero(np.diff(scores[order])), len(scores) - 1)  # the last row of each score
    at = ends[np.unique(np.linspace(0, len(ends) - 1, points).astype(int))]
    recall = positive[at] / positive[-1]
    fallout = (called[at] - positive[at]) / (len(scores) - positive[-1])
    bins = [rows for rows in np.array_split(order[::-1], 10) if len(rows)]
    return {
        "ROC: false against true positive rate": [(0.0, 0.0), *_points(fallout, recall)],
        "Precision against recall": _points(recall, positive[at] / called[at]),
        "Calibration: score against observed rate": [
            (float(scores[rows].mean()), float((labels[rows] == 1).mean())) for rows in bins
        ],
    }


def page(title: str, charts: Mapping[str, Sequence[tuple[float, float]]], shares: Mapping[str, float]) -> str:
    """The curves and a bar per feature (its share, in [0, 1]) as a self-contained HTML page."""
    bars = "".join(
        f"<tr><td>{html.escape(name)}</td><td><svg width=300 height=10>"
        f"<rect width={300 * share:.1f} height=10 fill=steelblue /></svg> {share:.1%}</td></tr>"
        for name, share in sorted(shares.items(), key=lambda item: -item[1])
    )
    plots = "".join(_plot(name, points) for name, points in charts.items())
    return (
        f"<!doctype html><meta charset=utf-8><title>{html.escape(title)}</title><body style='font:14px sans-serif'>"
        f"<h1>{html.escape(title)}</h1>{plots}<h2>Share of gain</h2><table>{bars}</table>"
    )


def _points(x: NDArray[np.float64], y: NDArray[np.float64]) -> Points:
    return list(zip(x.tolist(), y.tolist(), strict=True))


def _plot(name: str, points: Sequence[tuple[float, float]]) -> str:
    line = " ".join(f"{EDGE + SIZE * x:.1f},{SIZE * (1 - y) + 5:.1f}" for x, y in points)
    return (
        f"<figure style='display:inline-block'><figcaption>{html.escape(name)}</figcaption>"
        f"<svg width={SIZE + 2 * EDGE} height={SIZE + EDGE}>"
        f"<rect x={EDGE} y=5 width={SIZE} height={SIZE} fill=none stroke=silver />"
        f"<line x1={EDGE} y1={SIZE + 5} x2={EDGE + SIZE} y2=5 stroke=silver />"
        f"<polyline points='{line}' fill=none stroke=steelblue stroke-width=2 />"
        f"<text x={EDGE} y={SIZE + 20}>0</text><text x={EDGE + SIZE - 5} y={SIZE + 20}>1</text></svg></figure>"
    )
