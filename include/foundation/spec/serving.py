"""Read by `stages/promotion`, which renders the deployment: what a serving pod may take."""

from include.foundation.spec.part import Part


class Serving(Part):
    """What one serving pod may take; how many there are is said per stage."""

    memory: str = "512Mi"
    cpu: str = "500m"
