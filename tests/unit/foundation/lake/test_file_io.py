from pathlib import Path

import pytest
from pyiceberg.io import load_file_io

from include.foundation.lake.file_io import ObjectFile, ObjectFileIO
from include.foundation.lake.objects import S3

URI = "s3://lake/metadata/1.avro"


@pytest.fixture
def io(objects):
    made = ObjectFileIO()
    made._objects = objects
    return made


def test_a_file_is_there_once_its_stream_is_closed(io, objects):
    file = io.new_output(URI)
    stream = file.create()
    stream.write(b"ab")
    stream.write(b"c")
    assert not file.exists()
    stream.close()
    stream.close()  # as a with statement around a closed stream does
    assert objects.held == {URI: b"abc"}
    assert (len(file), file.to_input_file().open().read()) == (3, b"abc")


def test_a_file_that_is_there_is_not_written_over_unless_asked(io, objects):
    objects.put(URI, b"first")
    stream = io.new_output(URI).create()
    stream.write(b"second")
    with pytest.raises(FileExistsError, match=URI):
        stream.close()
    assert objects.held == {URI: b"first"}
    with io.new_output(URI).create(overwrite=True) as stream:
        stream.write(b"third")
    assert io.new_input(URI).open().read() == b"third"


def test_the_size_is_that_of_what_was_written_or_read_last(io, objects):
    file = io.new_output(URI)
    for data in (b"a", b"abc"):
        with file.create(overwrite=True) as stream:
            stream.write(data)
        assert len(file) == len(data)
    objects.put(URI, b"longer")
    file.open()
    assert len(file) == 6


def test_a_missing_file_is_python_s_own_error(io):
    file = io.new_input(URI)
    assert not file.exists()
    for act in (file.open, lambda: len(file)):
        with pytest.raises(FileNotFoundError, match=URI):
            act()


def test_a_file_is_deleted_by_name_or_as_a_file_and_may_be_missing(io, objects):
    objects.put(URI, b"a")
    io.delete(io.new_input(URI))
    io.delete(URI)
    assert objects.held == {}


def test_other_places_go_pyiceberg_s_own_way(io, objects, tmp_path: Path):
    uri = f"file://{tmp_path}/a"
    with io.new_output(uri).create() as stream:
        stream.write(b"abc")
    assert (tmp_path / "a").read_bytes() == io.new_input(uri).open().read() == b"abc"
    io.delete(uri)
    assert not (tmp_path / "a").exists()
    assert objects.held == {}


def test_pyiceberg_finds_it_by_name_and_tables_share_a_client():
    properties = {
        "py-io-impl": f"{ObjectFileIO.__module__}.{ObjectFileIO.__name__}",
        **S3(endpoint="http://s3").iceberg(),
    }
    one, two = (load_file_io(properties, location="s3://lake") for _ in range(2))
    other = load_file_io({**properties, "s3.endpoint": "http://other"}, location="s3://lake")
    assert isinstance(one.new_input(URI), ObjectFile)
    assert one._objects is two._objects is not other._objects
