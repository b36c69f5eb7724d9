"""Outside work as one description that every backend understands, and the record that a finished job leaves."""

from include.foundation.jobs.job import PERMANENT, TRAINER, Job, Resources
from include.foundation.jobs.record import RESULT, address, fail, failure, find, write

__all__ = ["PERMANENT", "RESULT", "TRAINER", "Job", "Resources", "address", "fail", "failure", "find", "write"]
