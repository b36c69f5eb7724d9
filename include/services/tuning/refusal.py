"""What the service answers when it will not do what it is asked."""

from include.foundation.http import refusal as http


class Refusal(http.Refusal):
    """An answer of 4xx or 503, in SigOpt's shape.

    Attributes:
        details: further members of the body beside `message` and `status`.
    """

    def __init__(self, message: str, *, status: int = 400, **details: str) -> None:
        super().__init__(status, message)
        self.details = details
