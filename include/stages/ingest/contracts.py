"""The contract of a source, out of its use case's `contract.py`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from include.foundation.echo import cause, listing, quoted
from include.foundation.errors import InvalidInput
from include.foundation.spec import module
from include.foundation.spec.use_case import PREDICTIONS
from include.stages.ingest import predictions
from include.stages.quality import Contract

if TYPE_CHECKING:
    from include.foundation.spec import UseCase


def contract_of(spec: UseCase, name: str) -> Contract:
    """A contract of the use case. Raises InvalidInput if there is none of that name, or it is not one."""
    if name == PREDICTIONS:
        return predictions.contract(spec)
    written = module(spec.name, "contract")
    if not hasattr(written, name):
        there = [key for key, value in vars(written).items() if getattr(value, "__module__", "") == written.__name__]
        raise InvalidInput(f"{spec.name}: contract.py has no {name!r}, which use_case.yaml names; it has {there}")
    model = getattr(written, name)
    if not hasattr(model, "to_schema"):
        raise InvalidInput(f"{spec.name}/contract.py: {name} must be a class of pandera's, `pa.DataFrameModel`")
    try:
        contract = Contract.of(model)
    except InvalidInput:
        raise
    except Exception as error:
        raise InvalidInput(f"{spec.name}/contract.py: {name}: {type(error).__name__}: {cause(error)}") from error
    for source in spec.files:
        if source.contract == name:
            _check_new_values(spec, source.name, contract)
    return contract


def _check_new_values(spec: UseCase, source: str, contract: Contract) -> None:
    """See that the contract has the columns in which the spec looks for new values. Raises InvalidInput if not."""
    kinds = contract.silver()
    for column in spec.quality.daily.new_values.get(source, {}):
        where = f"{spec.name}/use_case.yaml: quality.daily.new_values.{source}: {quoted(column)}"
        if column not in kinds:
            raise InvalidInput(f"{where}: {contract.name} has no such column; it has {listing(kinds, len(kinds))}")
        if not (kinds[column] == pl.String or kinds[column].is_integer()):
            raise InvalidInput(f"{where} is {kinds[column]}: values are compared of texts and whole numbers")
