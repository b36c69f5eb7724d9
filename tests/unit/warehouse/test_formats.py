"""An answer as bytes."""

import io
from datetime import date

import polars as pl
import pytest

from include.warehouse.formats import FORMATS, write

ROWS = pl.DataFrame({"day": [date(2013, 1, 1), None], "reasons": [["a,b", "c"], None], "text": ["é", None]})


@pytest.mark.parametrize("form", FORMATS)
def test_nothing_is_lost(form):
    written = write(ROWS.to_arrow(), form)
    if form == "parquet":
        assert pl.read_parquet(io.BytesIO(written)).equals(ROWS)
    else:
        assert "é" in written.decode()
        assert "a,b" in written.decode()
    if form == "csv":
        assert written.decode().splitlines() == ["day,reasons,text", '2013-01-01,"[""a,b"", ""c""]",é', ",,"]
