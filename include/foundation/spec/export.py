"""Read by `stages/export`: which form of the fitted model ships."""

from pydantic import Field

from include.foundation.spec.part import Margin, Part


class Export(Part):
    """The fastest form of the model file ships whose metric is near enough to that of float32."""

    margin: Margin = Field(
        0.001, description="how far the metric on the holdout may lie below that of float32, in its unit"
    )
    faster: float = Field(
        1.2, ge=1.1, le=100, description="how many times faster than float32 one row's answer must be to take its place"
    )
