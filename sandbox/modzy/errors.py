"""Errors as Modzy tells them."""

from http import HTTPStatus
from typing import Any


class ModzyError(Exception):
    """An answer other than 2xx."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status

    @property
    def body(self) -> dict[str, Any]:
        """The JSON body."""
        phrase = HTTPStatus(self.status).phrase
        return {"statusCode": self.status, "status": phrase, "message": str(self), "reportErrorUrl": ""}
