import pytest

from include.foundation.errors import InvalidInput, MissingInput
from include.stages.export import record
from include.stages.export.timing import Times

FILES = {"float32": b"one", "int8": b"two"}


class Store:
    """Objects in memory."""

    def __init__(self):
        self.kept, self.before_put = {}, lambda: None

    def get(self, uri):
        if uri not in self.kept:
            raise MissingInput(uri)
        return self.kept[uri]

    def put_if_absent(self, uri, data):
        self.before_put()
        return self.kept.setdefault(uri, data) is data


@pytest.fixture
def measured(monkeypatch):
    """How often was measured; each time something else."""
    asked = []

    def measure(files, rows):
        asked.append(files)
        return {name: Times(p50_us=len(asked), p99_us=2, rows_per_second=3, open_ms=4) for name in files}

    monkeypatch.setattr(record, "measure", measure)
    return asked


def test_the_same_files_are_measured_once(measured):
    store = Store()
    first = record.times(store, "s3://models/", FILES, None)
    assert record.times(store, "s3://models", dict(reversed(FILES.items())), None) == first
    assert len(measured) == 1
    (uri,) = store.kept
    assert uri.startswith("s3://models/_exports/")


@pytest.mark.parametrize("other", [{**FILES, "int8": b"other"}, {"float32": b"one"}])
def test_other_files_are_measured_anew(measured, other):
    store = Store()
    assert record.times(store, "s3://models", FILES, None) != record.times(store, "s3://models", other, None)
    assert len(store.kept) == 2


@pytest.mark.parametrize(
    ("name", "value"), [("onnxruntime.__version__", "9.9"), ("code.digest", lambda *modules: "other")]
)
def test_another_runtime_or_code_measures_anew(measured, monkeypatch, name, value):
    store = Store()
    record.times(store, "s3://models", FILES, None)
    monkeypatch.setattr(f"include.stages.export.record.{name}", value)
    record.times(store, "s3://models", FILES, None)
    assert len(measured) == 2


def test_who_comes_second_takes_what_the_first_wrote(measured):
    store, other = Store(), Store()
    theirs = record.times(other, "s3://models", FILES, None)
    store.before_put = lambda: store.kept.update(other.kept)
    assert record.times(store, "s3://models", FILES, None) == theirs
    assert len(measured) == 2


@pytest.mark.parametrize("data", [b"{", b'{"float32": {}}', b"{}", b'{"float32": {"p50_us": NaN}}'])
def test_what_is_no_record_is_refused_by_name(measured, data):
    store = Store()
    record.times(store, "s3://models", FILES, None)
    (uri,) = store.kept
    store.kept[uri] = data
    with pytest.raises(InvalidInput, match=rf"{uri}.*Delete it and fit again"):
        record.times(store, "s3://models", FILES, None)
