"""What the service answers when it will not do what it is asked."""


class Refusal(Exception):
    """An answer of 4xx or 503.

    Attributes:
        status: HTTP status.
        details: further members of the body beside `message` and `status`.
    """

    def __init__(self, message: str, *, status: int = 400, **details: str) -> None:
        super().__init__(message)
        self.status = status
        self.details = details
