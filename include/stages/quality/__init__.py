"""Contracts: what a row must be to enter silver, and why it is not."""

from include.stages.quality.contract import Contract
from include.stages.quality.uniqueness import Keys
from include.stages.quality.verdict import Verdict, judge

__all__ = ["Contract", "Keys", "Verdict", "judge"]
