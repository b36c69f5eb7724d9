"""What a version must show before it may be promoted. Pure: arrays in, report out."""

from include.gates.judge import judge
from include.gates.report import Gate, Report

__all__ = ["Gate", "Report", "judge"]
