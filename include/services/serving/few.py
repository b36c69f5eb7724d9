"""A use case's features of a few rows, encoded, without polars: the same bits in a tenth of the time.

`compile_features` follows the plan that the use case's own code makes of a lazy frame, so there is nothing to write
twice. What came out is tried against polars before it is used; a use case whose code does not compile, or not to the
same bits, is served by polars.
"""

import json
import logging
import random
import warnings
from collections.abc import Callable, Mapping, Sequence
from operator import itemgetter
from typing import Any, cast

import numpy as np
import polars as pl
from numpy.typing import NDArray

from include.foundation.artifact import Metadata
from include.foundation.spec import FeaturesModule
from include.services.serving.expression import CannotCompileError, Compute, Expressions, InexactError, Row

log = logging.getLogger(__name__)
FEW = 16  # rows; with more, polars is as fast
TRIED = 200  # rows
_EXACT = 2**53  # whole numbers up to here are rounded once on their way to float32
Encode = Callable[[pl.DataFrame], NDArray[np.float32]]
Matrix = Callable[[Sequence[Row]], NDArray[np.float32]]
Column = tuple[Compute, pl.DataType]


def compile_features(features: FeaturesModule, encode: Encode, metadata: Metadata, schema: pl.Schema) -> Matrix | None:
    """A function from joined rows (as polars stores their values) to encoded features, float32 [n, k].

    It raises `InexactError` for rows that must go by way of polars.

    Args:
        features: the use case's module.
        encode: a frame with the features to the model's input.
        metadata: the model's.
        schema: the joined columns, in the order of a row's values.

    Returns:
        None if the code cannot be compiled; the log says why.
    """
    try:
        matrix = _matrix(_traced(features, schema), metadata)
        differing = _differing(features, encode, metadata, schema, matrix)
    except CannotCompileError as error:
        log.info("features are computed by polars, row by row slower: cannot compile %s", str(error)[:200])
        return None
    except Exception:  # whatever a plan holds, polars can do it
        log.warning("features are computed by polars, row by row slower", exc_info=True)
        return None
    if differing:
        log.error("features are computed by polars: compiled, %s would differ", ", ".join(differing[:10]))
        return None
    return matrix


def _traced(features: FeaturesModule, schema: pl.Schema) -> dict[str, Column]:
    # The use case's code is written for frames; what it makes of a lazy one is the plan.
    lazy: Any = features.features(cast(Any, pl.LazyFrame(schema=schema)))
    if not isinstance(lazy, pl.LazyFrame):
        raise CannotCompileError("code that collects its frame")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the format may change: then nothing compiles, and polars does it
        plan = json.loads(lazy.serialize(format="json"))
    scanned: dict[str, Column] = {
        name: (itemgetter(place), dtype) for place, (name, dtype) in enumerate(schema.items())
    }
    return _columns(plan, scanned)


def _columns(plan: Mapping[str, Any], scanned: dict[str, Column]) -> dict[str, Column]:
    ((kind, inner),) = plan.items()
    if kind == "DataFrameScan":
        return scanned
    if kind not in ("Select", "HStack"):
        raise CannotCompileError(kind)
    below = _columns(inner["input"], scanned)
    expressions = Expressions(below)
    made = {
        name: (compute, dtype)
        for name, compute, dtype in map(expressions.compile, inner["expr" if kind == "Select" else "exprs"])
    }
    return made if kind == "Select" else {**below, **made}


def _matrix(columns: Mapping[str, Column], metadata: Metadata) -> Matrix:
    computes = [_encoded(*columns[name], metadata.categories.get(name, ())) for name in metadata.features]

    def matrix(rows: Sequence[Row]) -> NDArray[np.float32]:
        values = np.array([[compute(row) for compute in computes] for row in rows], np.float64)
        with np.errstate(over="ignore"):
            return values.astype(np.float32)

    return matrix


def _encoded(compute: Compute, dtype: pl.DataType, categories: Sequence[str]) -> Compute:
    """As model files are encoded (`Metadata`): a category is its place, what is missing or unknown NaN."""
    if dtype == pl.String:
        places = {value: float(place) for place, value in enumerate(categories)}
        return lambda row: places.get(compute(row), np.nan)
    if not (dtype.is_integer() or dtype in (pl.Float64, pl.Boolean)):
        raise CannotCompileError(f"a feature of type {dtype}")

    def run(row: Row) -> float:
        value = compute(row)
        if value is None:
            return np.nan
        if isinstance(value, int) and abs(value) > _EXACT:
            raise InexactError
        return float(value)

    return run


def _differing(
    features: FeaturesModule, encode: Encode, metadata: Metadata, schema: pl.Schema, matrix: Matrix
) -> list[str]:
    """The features of which compiled code and polars have other bits, tried on rows of all sorts."""
    chance = random.Random(0)  # noqa: S311 (rows to try, no secrets)
    texts = [text for values in metadata.categories.values() for text in values] or [""]
    types = list(schema.values())
    tried = [[_some(dtype, texts, chance) for dtype in types] for _ in range(TRIED)]
    exact = []
    for row in tried:
        try:
            exact.append((row, matrix([row])[0]))
        except InexactError:
            continue
    if len(exact) < TRIED // 4:
        raise CannotCompileError("code that leaves most rows to polars")
    columns = zip(*(row for row, _ in exact), strict=True)
    frame = pl.DataFrame([pl.Series(n, v, t) for (n, t), v in zip(schema.items(), columns, strict=True)])
    wanted = encode(features.features(frame))
    found = np.stack([values for _, values in exact])
    same = (wanted.view(np.uint32) == found.view(np.uint32)) | (np.isnan(wanted) & np.isnan(found))
    return [name for name, equal in zip(metadata.features, same.all(axis=0), strict=True) if not equal]


def _some(dtype: pl.DataType, texts: Sequence[str], chance: random.Random) -> Any:
    if chance.random() < 0.15:
        return None
    if dtype == pl.String:
        return chance.choice(texts)
    if dtype == pl.Boolean:
        return chance.random() < 0.5
    if dtype.is_float():
        return chance.choice([0.0, chance.uniform(-1, 1), chance.uniform(-1e6, 1e6)])
    if isinstance(dtype, pl.Datetime):
        return chance.randrange(1_000_000_000_000_000, 2_000_000_000_000_000)
    low = 0 if dtype.is_unsigned_integer() else -50
    return chance.choice([0, chance.randrange(low, 50), chance.randrange(low, 127)])
