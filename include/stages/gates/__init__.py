"""What a version must show before it may be promoted. Pure: arrays in, report out."""

from include.stages.gates.judge import judge
from include.stages.gates.report import Gate, Report

__all__ = ["Gate", "Report", "judge"]
