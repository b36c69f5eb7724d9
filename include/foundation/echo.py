"""What messages repeat of their input: never more than a line's worth of it, however long it is."""

from collections.abc import Collection

VALUE = 80  # characters
ITEMS = 5


def quoted(value: object, most: int = VALUE) -> str:
    """A value in quotes; of a long one its beginning and its length.

    Args:
        value: what to show, as `repr` does.
        most: characters to show.
    """
    if isinstance(value, str) and len(value) > most:
        return f"{value[:most]!r}... ({len(value):,} characters)"
    text = repr(value)
    return text if len(text) <= most + 2 else f"{text[:most]}... ({len(text):,} characters)"


def listing(items: Collection[object], most: int = ITEMS, *, separator: str = ", ", width: int = VALUE) -> str:
    """The first items and how many more there are, each cut to so many characters if it is long."""
    shown = separator.join(cut(str(item), width) for item, _ in zip(items, range(most), strict=False))
    more = len(items) - most
    return f"{shown}{separator if separator.strip() != ',' else ' '}and {more:,} more" if more > 0 else shown


def cause(error: BaseException) -> str:
    """What an error says, on one line, cut."""
    return cut(" ".join(str(error).split()) or type(error).__name__, 300)


def cut(text: str, most: int = VALUE) -> str:
    """The text, or its beginning if it is long."""
    return text if len(text) <= most else f"{text[:most]}..."
