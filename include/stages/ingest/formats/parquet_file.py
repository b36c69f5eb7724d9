"""Apache Parquet with flat columns, each value as text: numbers as they print exactly, times in ISO 8601.

Parquet is read from its end, so the file is first copied to local disk.
"""

from __future__ import annotations

import shutil
import tempfile
from typing import TYPE_CHECKING, BinaryIO

import polars as pl

from include.foundation.echo import cause
from include.foundation.errors import InvalidInput
from include.stages.ingest.formats.format import POSITION, Columns, NoRows

if TYPE_CHECKING:
    from collections.abc import Iterator

    from include.foundation.spec.sources import Source

ROWS = 50_000
IN_MEMORY = 4 << 20  # bytes of a file that is not copied to disk


class ParquetFile:
    """See the module."""

    def read(self, stream: BinaryIO, *, source: Source, columns: Columns, name: str) -> Iterator[pl.DataFrame]:
        """As `Format` says."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        del source
        with tempfile.SpooledTemporaryFile(IN_MEMORY) as copy:
            shutil.copyfileobj(stream, copy, 1 << 20)
            copy.seek(0)
            try:
                file = pq.ParquetFile(copy)
                header = file.schema_arrow.names
                if file.metadata.num_rows == 0:
                    raise NoRows(f"{name}: the file has no rows")
                wanted = [header[index] for index in columns.find(header, name=name)]
                row = 1
                for batch in file.iter_batches(ROWS, columns=wanted):
                    frame = pl.DataFrame(pa.Table.from_batches([batch])).select(wanted)
                    texts = [
                        _text(frame[landed], name).alias(to) for landed, to in zip(wanted, columns.names, strict=True)
                    ]
                    position = pl.int_range(row, row + frame.height, dtype=pl.Int64, eager=True)
                    yield pl.DataFrame([*texts, position.alias(POSITION)])
                    row += frame.height
            except (pa.ArrowInvalid, pa.ArrowNotImplementedError, OSError) as error:
                raise InvalidInput(f"{name}: not readable as Parquet: {cause(error)}") from error


def _text(values: pl.Series, name: str) -> pl.Series:
    kind = values.dtype
    if isinstance(kind, pl.Datetime):
        utc = values.dt.convert_time_zone("UTC") if kind.time_zone else values
        return utc.dt.strftime("%Y-%m-%dT%H:%M:%S%.f" + ("Z" if kind.time_zone else ""))
    if kind.is_nested() or kind == pl.Duration or kind in {pl.Binary, pl.Object, pl.Time}:
        raise InvalidInput(f"{name}: column {values.name!r} is {kind}, which has no reading as text")
    return values.cast(pl.String)
