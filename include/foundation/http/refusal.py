"""What a caller gets when a request cannot be answered: a status code, a message and the fields at fault."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Fault:
    """One thing wrong with a request. `path` is where in the JSON body, such as `records[2].origin`."""

    path: str
    message: str


class Refusal(Exception):
    """The request is answered with an error.

    The body is `{"error": <message>, "fields": [{"path", "message"}]}`: the Open Inference Protocol's error object and
    the fields at fault. It repeats no value that the caller sent, so logs and traces may keep it.
    """

    def __init__(
        self, status: int, message: str, *, fields: Sequence[Fault] = (), headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.fields = tuple(fields)
        self.headers = dict(headers or {})

    def content(self) -> dict[str, Any]:
        """The body, yet to be written as JSON."""
        return {"error": self.message, **({"fields": [asdict(each) for each in self.fields]} if self.fields else {})}

    @classmethod
    def at(cls, status: int, path: str, message: str) -> "Refusal":
        """A refusal for one fault at `path`."""
        return cls(status, f"{path}: {message}", fields=[Fault(path, message)])

    @classmethod
    def busy(cls, message: str, *, after_seconds: int = 1) -> "Refusal":
        """A 503 that asks to try again."""
        return cls(503, message, headers={"retry-after": str(after_seconds)})


def json_path(location: Sequence[str | int]) -> str:
    """`("records", 2, "origin")` as `records[2].origin`; a name that is no word is quoted: `['no word']`."""
    path = ""
    for step in location:
        if isinstance(step, str) and step.isidentifier():
            path += f".{step}" if path else step
        else:
            path += f"[{step!r}]"
    return path
