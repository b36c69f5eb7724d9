"""Plots as data: what to draw, with the names and units of its axes. Who draws them knows no problem kind."""

from dataclasses import dataclass

Points = list[tuple[float, float]]


@dataclass(frozen=True, kw_only=True)
class Chart:
    """Lines or points over two axes.

    Attributes:
        title: what it shows.
        note: the number that sums it up, in words; may be empty.
        x: name of the x axis.
        y: name of the y axis.
        series: name -> (x, y); the only one needs no name.
        lines: whether points are joined.
        x_range: least and greatest x.
        y_range: least and greatest y.
        diagonal: whether y = x is drawn: a perfect model's points, or those of one that guesses.
    """

    title: str
    note: str = ""
    x: str
    y: str
    series: dict[str, Points]
    lines: bool = True
    x_range: tuple[float, float] = (0.0, 1.0)
    y_range: tuple[float, float] = (0.0, 1.0)
    diagonal: bool = False


@dataclass(frozen=True, kw_only=True)
class Table:
    """Numbers by row and column.

    Attributes:
        title: what it shows.
        note: how to read it; may be empty.
        columns: names; the first names what the rows are.
        rows: a name and the numbers of each row.
        shares: whether cells are shaded by their share of the row.
    """

    title: str
    note: str = ""
    columns: tuple[str, ...]
    rows: list[tuple[str, list[float]]]
    shares: bool = False


Plot = Chart | Table


def spread(low: float, high: float) -> tuple[float, float]:
    """The range of an axis for values from `low` to `high`, which may be the same."""
    return (low, high) if low < high else (low - 0.5, high + 0.5)
