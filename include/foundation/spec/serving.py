"""Read by `stages/promotion`, which renders the deployment, and by `services/serving`."""

from pydantic import Field

from include.foundation.spec.part import Part


class Serving(Part):
    """What one serving pod may take, in Kubernetes' quantities, and whether it logs what it answers.

    How many pods there are is said per stage.
    """

    memory: str = Field("512Mi", pattern=r"^[1-9][0-9]{0,8}(Ki|Mi|Gi|Ti|k|M|G|T)$", description="such as 512Mi or 2Gi")
    cpu: str = Field(
        "500m",
        pattern=r"^([1-9][0-9]{0,5}m?|[0-9]{1,3}\.[0-9]{0,2}[1-9])$",
        coerce_numbers_to_str=True,
        description="cores, such as 2 or 0.5, or thousandths of one, such as 500m",
    )
    prediction_log: bool = Field(
        True,
        description="whether answers go to the topic `predictions.<use case>`, where there is a Connection `kafka`",
    )
