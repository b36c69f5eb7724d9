"""Polars expressions as plain Python, for a few rows: planning a query of 65 expressions takes a millisecond and more.

Only what is surely the same to the last bit is compiled: element-wise arithmetic, comparisons, clocks. A plan with
anything else does not compile; a row whose values leave what both have in common (an overflow, a division by zero, NaN)
is `Inexact`, and goes by way of polars.

Values are as polars stores them: moments and durations in microseconds, nulls None.
"""

import io
import json
import operator
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import Any

import polars as pl

from include.services.serving.zones import zone

Row = Sequence[Any]
Compute = Callable[[Row], Any]
DAY = 86_400_000_000  # microseconds
_EPOCH_ORDINAL = 719_163
_TOTALS = {"TotalDays": DAY, "TotalHours": 3_600_000_000, "TotalMinutes": 60_000_000, "TotalSeconds": 1_000_000}
_STAMPS = {"Milliseconds": 1000, "Microseconds": 1}
_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "Eq": operator.eq,
    "NotEq": operator.ne,
    "Lt": operator.lt,
    "LtEq": operator.le,
    "Gt": operator.gt,
    "GtEq": operator.ge,
}
_ARITHMETIC: dict[str, Callable[[Any, Any], Any]] = {
    "Plus": operator.add,
    "Minus": operator.sub,
    "Multiply": operator.mul,
    "TrueDivide": operator.truediv,
    "FloorDivide": operator.floordiv,
    "Modulus": operator.mod,
}


class CannotCompileError(Exception):
    """The plan has something that is not known to be the same in Python."""


class InexactError(Exception):
    """This row's values are not surely the same in Python."""


class Expressions:
    """Compiles expressions over columns.

    Args:
        columns: name -> how it is computed from a row, and its type.
    """

    def __init__(self, columns: Mapping[str, tuple[Compute, pl.DataType]]) -> None:
        self._columns = columns
        self._frame = pl.LazyFrame(schema={name: dtype for name, (_, dtype) in columns.items()})

    def compile(self, node: Any) -> tuple[str, Compute, pl.DataType]:
        """Name, computation and type of an expression, as polars serialises it."""
        name, dtype = next(iter(self._frame.select(_expression(node)).collect_schema().items()))
        return name, self._compile(node), dtype

    def _compile(self, node: Any) -> Compute:  # noqa: PLR0911 (one for each kind of node)
        if not isinstance(node, dict) or len(node) != 1:
            raise CannotCompileError(str(node))
        kind: str
        inner: Any
        ((kind, inner),) = node.items()
        match kind:
            case "Column":
                compute, dtype = self._columns[inner]
                if not (_is_whole(dtype) or dtype in (pl.Float64, pl.String)):
                    raise CannotCompileError(f"column {inner} of type {dtype}")
                return compute
            case "Alias":
                return self._compile(inner[0])
            case "Literal":
                return _literal(node)
            case "Cast":
                return self._cast(inner["expr"], self._type(node))
            case "BinaryExpr":
                return self._binary(inner, self._type(node))
            case "Ternary":
                return self._ternary(inner, self._type(node))
            case "Function":
                return self._function(inner["function"], inner["input"], self._type(node))
        raise CannotCompileError(kind)

    def _type(self, node: Any) -> pl.DataType:
        return self._frame.select(_expression(node)).collect_schema().dtypes()[0]

    def _as(self, node: Any, dtype: pl.DataType) -> Compute:
        """A branch or an operand in the type of the whole."""
        compute, own = self._compile(node), self._type(node)
        if own in (dtype, pl.Null) or (_is_whole(own) and dtype.is_integer()):
            return compute
        if dtype == pl.Float64 and (own.is_integer() or own == pl.Boolean):
            return _each(float, compute)
        raise CannotCompileError(f"{own} as {dtype}")

    def _cast(self, node: Any, dtype: pl.DataType) -> Compute:
        own = self._type(node)
        if own.is_integer() or own in (pl.Boolean, dtype):
            return _within(_each(int, self._as(node, dtype)) if own == pl.Boolean else self._as(node, dtype), dtype)
        raise CannotCompileError(f"cast of {own} to {dtype}")

    def _binary(self, inner: Any, dtype: pl.DataType) -> Compute:
        name, types = inner["op"], [self._type(inner[side]) for side in ("left", "right")]
        if name in ("And", "Or") and dtype == pl.Boolean:
            return _logic(self._as(inner["left"], dtype), self._as(inner["right"], dtype), name == "And")
        if name in _COMPARE:
            return self._comparison(_COMPARE[name], inner, types)
        if name not in _ARITHMETIC:
            raise CannotCompileError(name)
        apply = _ARITHMETIC[name]
        if dtype == pl.Float64 and name in ("Plus", "Minus", "Multiply", "TrueDivide"):
            return _pair(apply, self._as(inner["left"], dtype), self._as(inner["right"], dtype), dtype)
        moments = name in ("Plus", "Minus") and all(_is_time(each) for each in types)
        if moments or (dtype.is_integer() and all(each.is_integer() for each in types)):
            return _pair(apply, self._compile(inner["left"]), self._compile(inner["right"]), dtype)
        raise CannotCompileError(f"{name} of {types}")

    def _comparison(self, apply: Callable[[Any, Any], bool], inner: Any, types: list[pl.DataType]) -> Compute:
        left, right = inner["left"], inner["right"]
        if all(each.is_integer() or each == pl.Float64 for each in types):
            real = pl.Float64 in types
            whole = pl.Float64() if real else pl.Int64()
            return _pair(apply, self._as(left, whole), self._as(right, whole), pl.Boolean())
        if types[0] == types[1] and (_is_time(types[0]) or types[0] in (pl.String, pl.Boolean)):
            return _pair(apply, self._compile(left), self._compile(right), pl.Boolean())
        raise CannotCompileError(f"comparison of {types}")

    def _ternary(self, inner: Any, dtype: pl.DataType) -> Compute:
        predicate = self._as(inner["predicate"], pl.Boolean())
        truthy, falsy = self._as(inner["truthy"], dtype), self._as(inner["falsy"], dtype)
        return lambda row: truthy(row) if predicate(row) else falsy(row)

    def _function(self, function: Any, nodes: list[Any], dtype: pl.DataType) -> Compute:
        kind, detail = next(iter(function.items())) if isinstance(function, dict) else (function, None)
        if kind == "TemporalExpr":
            return self._clock(detail, nodes[0])
        if kind == "Boolean" and detail in ("IsNull", "IsNotNull"):
            compute, wanted = self._compile(nodes[0]), detail == "IsNull"
            return lambda row: (compute(row) is None) == wanted
        if kind == "Boolean" and detail == "Not" and self._type(nodes[0]) == pl.Boolean:
            return _each(operator.not_, self._compile(nodes[0]))
        if kind in ("FillNull", "Coalesce"):
            return _first([self._as(node, dtype) for node in nodes])
        if kind in ("Abs", "Negate") and (dtype.is_integer() or dtype == pl.Float64):
            return _within(_each(abs if kind == "Abs" else operator.neg, self._as(nodes[0], dtype)), dtype)
        raise CannotCompileError(f"{kind} {detail}")

    def _clock(self, detail: Any, node: Any) -> Compute:
        kind, argument = next(iter(detail.items())) if isinstance(detail, dict) else (detail, None)
        compute, own = self._compile(node), self._type(node)
        if not _is_time(own):
            raise CannotCompileError(f"{kind} of {own}")
        if isinstance(own, pl.Duration) and kind in _TOTALS and argument == {"fractional": False}:
            return _each(_exactly(_TOTALS[kind]), compute)
        if isinstance(own, pl.Datetime):
            if kind == "ConvertTimeZone" and own.time_zone:
                return compute
            if kind == "TimeStamp" and argument in _STAMPS:
                return _each(_exactly(_STAMPS[argument]), compute)
            if kind in _HANDS:
                return _each(_HANDS[kind], _each(_local(own.time_zone), compute))
        raise CannotCompileError(f"{kind} of {own}")


def _expression(node: Any) -> pl.Expr:
    return pl.Expr.deserialize(io.BytesIO(json.dumps(node).encode()), format="json")


def _literal(node: Any) -> Compute:
    series = pl.select(_expression(node)).to_series()
    if not (_is_whole(series.dtype) or series.dtype in (pl.Float64, pl.String, pl.Null)):
        raise CannotCompileError(f"a literal of type {series.dtype}")
    value = series.to_physical().item()
    return lambda _: value


def _is_time(dtype: pl.DataType) -> bool:
    return isinstance(dtype, pl.Datetime | pl.Duration) and dtype.time_unit == "us"


def _is_whole(dtype: pl.DataType) -> bool:
    return dtype.is_integer() or dtype == pl.Boolean or _is_time(dtype)


def _each(apply: Callable[[Any], Any], compute: Compute) -> Compute:
    def run(row: Row) -> Any:
        value = compute(row)
        return None if value is None else apply(value)

    return run


def _pair(apply: Callable[[Any, Any], Any], left: Compute, right: Compute, dtype: pl.DataType) -> Compute:
    def run(row: Row) -> Any:
        first, second = left(row), right(row)
        return None if first is None or second is None else apply(first, second)

    return run if dtype == pl.Boolean else _within(run, dtype)


def _within(compute: Compute, dtype: pl.DataType) -> Compute:
    """The value if the type holds it."""
    bits = 64 if not dtype.is_integer() else int(str(dtype).lstrip("UInt"))
    signed = dtype != pl.Boolean and not dtype.is_unsigned_integer()
    least, most = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
    real = dtype == pl.Float64

    def run(row: Row) -> Any:
        try:
            value = compute(row)
        except (ZeroDivisionError, OverflowError) as error:
            raise InexactError from error
        if value is None:
            return None
        if value != value if real else not least <= value <= most:  # noqa: PLR0124 - NaN is what differs from itself
            raise InexactError
        return value

    return run


def _logic(left: Compute, right: Compute, is_and: bool) -> Compute:
    def run(row: Row) -> bool | None:
        found = (left(row), right(row))
        if (not is_and) in found:
            return not is_and
        return None if None in found else is_and

    return run


def _first(choices: list[Compute]) -> Compute:
    def run(row: Row) -> Any:
        return next((value for choice in choices if (value := choice(row)) is not None), None)

    return run


def _exactly(divisor: int) -> Callable[[int], int]:
    def run(value: int) -> int:
        if value < 0 and value % divisor:
            raise InexactError  # which way it is rounded is not for us to say
        return value // divisor

    return run


def _local(name: str | None) -> Callable[[int], int]:
    """A moment as its zone's clocks show it, in microseconds."""
    if name in (None, "UTC"):
        return lambda moment: moment
    found = zone(str(name))

    def run(moment: int) -> int:
        offset = found.offset(moment)
        if offset is None:
            raise InexactError
        return moment + offset

    return run


def _date(local: int) -> date:
    try:
        return date.fromordinal(local // DAY + _EPOCH_ORDINAL)
    except (ValueError, OverflowError) as error:
        raise InexactError from error


_HANDS: dict[str, Callable[[int], int]] = {
    "Hour": lambda local: local % DAY // 3_600_000_000,
    "Minute": lambda local: local % 3_600_000_000 // 60_000_000,
    "Second": lambda local: local % 60_000_000 // 1_000_000,
    "Year": lambda local: _date(local).year,
    "Month": lambda local: _date(local).month,
    "Day": lambda local: _date(local).day,
    "WeekDay": lambda local: (local // DAY + 3) % 7 + 1,
    "OrdinalDay": lambda local: _date(local).timetuple().tm_yday,
}
