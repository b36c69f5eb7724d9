"""Outside work as one description that every backend understands, and the record that a finished job leaves."""

from include.foundation.jobs.job import TRAINER, Job, Resources
from include.foundation.jobs.record import RESULT, address, find, write

__all__ = ["RESULT", "TRAINER", "Job", "Resources", "address", "find", "write"]
