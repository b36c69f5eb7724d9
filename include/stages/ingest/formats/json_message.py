"""One JSON object a message, its plain values as the text that stands there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from include.foundation.errors import InvalidInput
from include.stages.ingest.formats.json_lines import JsonRows

if TYPE_CHECKING:
    from include.stages.ingest.formats.format import Columns


class JsonMessage:
    """See the module; `nested` as `JsonRows` takes it."""

    def __init__(self, columns: Columns, *, nested: bool) -> None:
        self._objects = JsonRows(columns, nested=nested)

    def row(self, value: bytes) -> list[str | None]:
        """As `MessageFormat` says."""
        try:
            text = value.decode("utf-8")
        except UnicodeDecodeError as error:
            raise InvalidInput("message: not valid UTF-8") from error
        return self._objects.row(text, where="message")
