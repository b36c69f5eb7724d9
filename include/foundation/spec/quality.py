"""Read by `stages/ingest`: how much may fail the contract."""

from include.foundation.spec.part import Fraction, Part


class Quality(Part):
    """How many of a run's rows of one source may be quarantined before nothing is published."""

    quarantine_budget: Fraction = 0.05
