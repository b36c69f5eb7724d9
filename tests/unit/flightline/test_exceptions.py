"""The tree of errors is the one that its docstring draws, and the errors marked * are never retried."""

import inspect
import re

from airflow.sdk.exceptions import AirflowFailException

from flightline import exceptions

LINE = re.compile(r"^(?P<branches>[│ ]*(?:[├└]── )?)(?P<name>[A-Z]\w+)(?P<final> \*)?(?: {2,}.*)?$")


def drawn() -> dict[str, tuple[str | None, bool]]:
    """Each error that the docstring draws: its parent, and whether it is marked *."""
    tree: dict[str, tuple[str | None, bool]] = {}
    path: list[str] = []
    for line in inspect.getdoc(exceptions).splitlines()[1:]:
        if match := LINE.match(line):
            depth = len(match["branches"]) // 4
            path[depth:] = [match["name"]]
            tree[match["name"]] = (path[depth - 1] if depth else None, bool(match["final"]))
    return tree


def test_the_tree_is_the_one_drawn() -> None:
    ours = {
        name: error
        for name, error in vars(exceptions).items()
        if getattr(error, "__module__", "") == exceptions.__name__
    }
    found = {
        name: (
            next((base.__name__ for base in error.__bases__ if base.__name__ in ours), None),
            issubclass(error, AirflowFailException),
        )
        for name, error in ours.items()
    }
    assert len(found) > 1
    assert found == drawn()
