import gzip

import pytest

from include.foundation.errors import InvalidInput
from include.foundation.spec.sources import Source
from include.stages.ingest.stream import opened

PLAIN = Source(name="s", contract="S")
GZIP = PLAIN.model_copy(update={"compression": "gzip"})
DATA = bytes(range(256)) * 1000


@pytest.mark.parametrize("size", [1 << 8, 1000, 1 << 20])
def test_chunks_of_any_size_are_one_stream(size: int) -> None:
    pieces = [DATA[at : at + size] for at in range(0, len(DATA), size)]
    with opened(iter(pieces), source=PLAIN, name="f") as stream:
        assert stream.read(10) + stream.read(100_000) + stream.read() == DATA
        assert stream.read(1) == b""


def test_gzip_is_unpacked_as_it_comes_and_its_faults_name_the_file() -> None:
    packed = gzip.compress(DATA)
    with opened(iter([packed[:100], packed[100:]]), source=GZIP, name="f") as stream:
        assert stream.read() == DATA
    for bad, told in ((packed[:-10], "does not end"), (b"a,b\n1,2\n", "not gzip"), (packed[:50] + b"x" * 60, "gzip")):
        with pytest.raises(InvalidInput, match=f"f: .*{told}"), opened(iter([bad]), source=GZIP, name="f") as stream:
            stream.read()
