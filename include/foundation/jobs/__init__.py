"""Outside work as one description that every backend understands, and the record that a finished job leaves."""

from include.foundation.jobs.job import GPU, PERMANENT, TRAINER, Job, Resources
from include.foundation.jobs.record import RESULT, address, fail, failure, find, write

__all__ = ["GPU", "PERMANENT", "RESULT", "TRAINER", "Job", "Resources", "address", "fail", "failure", "find", "write"]
