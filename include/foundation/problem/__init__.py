"""Problem kinds: what is predicted, how it is judged, drawn and answered. Nothing outside knows what kinds there are.

`kinds` names them with their metrics and output (light: specs are checked with it where Airflow parses), `protocol`
says what each does, and a file each does it. A new kind is an entry in `kinds`, a file, and a word in `problem` below.
"""

from typing import TYPE_CHECKING

from include.foundation.problem.kinds import KINDS, Kind, Metric, Output, kind

if TYPE_CHECKING:
    from include.foundation.problem.protocol import Problem

__all__ = ["KINDS", "Kind", "Metric", "Output", "kind", "problem"]


def problem(name: str) -> "Problem":
    """The problem kind of that name.

    Raises:
        InvalidInput: there is none.
    """
    from include.foundation.problem.binary import Binary
    from include.foundation.problem.multiclass import Multiclass
    from include.foundation.problem.regression import Regression

    members: dict[str, Problem] = {each.kind.name: each for each in (Binary(), Multiclass(), Regression())}
    return members[kind(name).name]
