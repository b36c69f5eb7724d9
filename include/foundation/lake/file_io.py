"""How pyiceberg reads and writes its metadata: each file is one request.

Arrow's S3 streams, pyiceberg's default, look before they write, upload in parts and ask for the size afterwards: five
requests for a manifest of a few kilobytes. Locations that are not on S3 go the default way.
"""

import io
from functools import lru_cache
from typing import Any

from pyiceberg.io import InputFile, InputStream, OutputFile, OutputStream
from pyiceberg.io.pyarrow import PyArrowFileIO
from pyiceberg.typedef import EMPTY_DICT, Properties

from include.foundation.errors import MissingInput
from include.foundation.lake.objects import S3, Objects


class ObjectFileIO(PyArrowFileIO):
    """pyiceberg's file access, over `Objects`. It is named by the catalog property `py-io-impl`."""

    def __init__(self, properties: Properties = EMPTY_DICT) -> None:
        super().__init__(properties)
        self._objects = _objects(S3.from_iceberg(properties))

    def new_input(self, location: str) -> InputFile:  # type: ignore[override]
        """A file to read."""
        return ObjectFile(location, self._objects) if location.startswith("s3://") else super().new_input(location)

    def new_output(self, location: str) -> OutputFile:  # type: ignore[override]
        """A file to write."""
        return ObjectFile(location, self._objects) if location.startswith("s3://") else super().new_output(location)

    def delete(self, location: Any) -> None:
        """Delete a file; nothing happens if there is none."""
        path = location if isinstance(location, str) else location.location
        if path.startswith("s3://"):
            self._objects.delete(path)
        else:
            super().delete(location)


class ObjectFile(InputFile, OutputFile):
    """One object, read and written whole."""

    def __init__(self, location: str, objects: Objects) -> None:
        super().__init__(location)
        self._objects = objects
        self._size: int | None = None

    def __len__(self) -> int:
        """Its size in bytes."""
        if self._size is None:
            try:
                self._size = self._objects.stat(self.location).size
            except MissingInput as error:
                raise FileNotFoundError(self.location) from error
        return self._size

    def exists(self) -> bool:
        """Whether it is there."""
        return self._objects.exists(self.location)

    def open(self, seekable: bool = True) -> InputStream:  # noqa: ARG002 (pyiceberg's signature)
        """Read it. Raises FileNotFoundError, as pyiceberg expects."""
        try:
            data = self._objects.get(self.location)
        except MissingInput as error:
            raise FileNotFoundError(self.location) from error
        self._size = len(data)
        return io.BytesIO(data)

    def create(self, overwrite: bool = False) -> OutputStream:
        """Write it: it is there once the stream is closed. Raises FileExistsError, as pyiceberg expects."""
        return _Upload(self, overwrite=overwrite)

    def to_input_file(self) -> InputFile:
        """The same file, to read."""
        return self

    def put(self, data: bytes, *, overwrite: bool) -> None:
        """Write it whole."""
        if overwrite:
            self._objects.put(self.location, data)
        elif not self._objects.put_if_absent(self.location, data):
            raise FileExistsError(self.location)
        self._size = len(data)


class _Upload(io.BytesIO):
    def __init__(self, file: ObjectFile, *, overwrite: bool) -> None:
        super().__init__()
        self._file = file
        self._overwrite = overwrite

    def close(self) -> None:
        if not self.closed:
            data = self.getvalue()
            super().close()
            self._file.put(data, overwrite=self._overwrite)


@lru_cache(maxsize=16)  # temporary keys are others every hour
def _objects(s3: S3) -> Objects:
    # pyiceberg makes a FileIO for every table that it loads; a client costs more than a request.
    return Objects(s3)
