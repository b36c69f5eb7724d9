"""LightGBM's own limits, met before anything is fitted: what it does not know, and what ONNX cannot say."""

import difflib
from collections.abc import Mapping
from functools import cache
from typing import Any

from include.foundation.errors import InvalidInput

# Set by the platform: a use case's problem kind, seed and data decide them.
TAKEN = frozenset(
    {
        *("objective", "num_class", "seed", "deterministic", "task", "data", "valid", "output_model", "input_model"),
        *("categorical_feature", "label_column", "weight_column", "group_column", "ignore_column", "header"),
    }
)
# Canonical name -> the values that the exported trees answer alike with; of the others they would answer differently.
EXPORTED: Mapping[str, tuple[Any, ...]] = {
    "boosting": ("gbdt", "gbrt", "dart"),
    "linear_tree": (False,),
    "sigmoid": (1,),
    "use_missing": (True,),
    "zero_as_missing": (False,),
}


def check(params: Mapping[str, Any]) -> None:
    """See that parameters are LightGBM's, each said once, and that the model can be exported.

    Raises:
        InvalidInput: a parameter is not; the message names all of them.
    """
    canonical = _canonical()
    faults, said = [], dict[str, str]()
    for name, value in params.items():
        known = canonical.get(name)
        if known is None:
            close = [canonical[like] for like in difflib.get_close_matches(name, canonical, 1)]
            faults.append(f"LightGBM has no parameter {name}" + (f" (did you mean {close[0]}?)" if close else ""))
        elif known in TAKEN:
            faults.append(f"{name} is set by the platform")
        elif known in said:
            faults.append(f"{said[known]} and {name} are one parameter")
        elif known == "num_iterations" and name != "n_estimators":
            faults.append(f"call {name} n_estimators")
        elif known in EXPORTED and _plain(value) not in EXPORTED[known]:
            faults.append(f"{name}={str(value)[:40]} cannot be exported to ONNX: leave it out")
        if known:
            said[known] = name
    if faults:
        raise InvalidInput(f"parameters: {'; '.join(faults[:10])}")


def rounds(params: Mapping[str, Any]) -> int:
    """`n_estimators`, 100 if it is not given.

    Raises:
        InvalidInput: it is not a whole number above 0.
    """
    value = params.get("n_estimators", 100)
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = 0
    if number < 1 or not number.is_integer():
        raise InvalidInput(f"parameters: n_estimators is {str(value)[:40]!r}: it must be a whole number above 0")
    return int(number)


@cache
def _canonical() -> dict[str, str]:
    """Every name that LightGBM takes -> the parameter that it means."""
    from lightgbm.basic import _ConfigAliases  # a private name, but the library's own list

    aliases: dict[str, list[str]] = _ConfigAliases._get_all_param_aliases()
    return {name: known for known, names in aliases.items() for name in (known, *names)}


def _plain(value: Any) -> Any:
    text = str(value).lower()
    return {"true": True, "false": False, "1": 1, "1.0": 1}.get(text, text) if not isinstance(value, bool) else value
