"""The parameters of a network, checked before anything is fitted."""

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from include.foundation.errors import InvalidInput

Precision = Literal["auto", "float32", "mixed"]


class Settings(BaseModel):
    """How a network is built and fitted.

    Attributes:
        epochs: the most passes over the rows.
        batch_size: rows a step.
        learning_rate: of AdamW, constant, so that fewer epochs are the first ones of more.
        weight_decay: of AdamW.
        hidden: units of a hidden layer.
        layers: hidden layers of a table's network; an image's has one after its convolutions.
        channels: of an image's first convolution; the second has twice as many.
        dropout: share of units left out in a step.
        patience: epochs without a lower validation loss before the fit ends.
        precision: `mixed` computes in bfloat16 where that is safe; `auto` is mixed on a GPU and float32 on a CPU.
        compile: `torch.compile`, which takes a minute and a C++ compiler first: for long fits.
        processes: how many share a fit (torchrun), each with a GPU of its own; 0 is one for each GPU of the pod, 1
            without one.
        num_threads: the machine's, of each process.
        device: the machine's.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    epochs: int = Field(30, ge=1, le=100_000)
    batch_size: int = Field(256, ge=1)
    learning_rate: float = Field(1e-3, gt=0)
    weight_decay: float = Field(0.01, ge=0)
    hidden: int = Field(128, ge=1, le=65_536)
    layers: int = Field(2, ge=1, le=64)
    channels: int = Field(16, ge=1, le=4096)
    dropout: float = Field(0.0, ge=0, lt=1)
    patience: int = Field(5, ge=1)
    precision: Precision = "auto"
    compile: bool = False
    processes: int = Field(0, ge=0, le=64)
    num_threads: int = Field(1, ge=1)
    device: Literal["cpu", "gpu"] = "cpu"

    @classmethod
    def of(cls, params: Mapping[str, Any]) -> "Settings":
        """Read parameters.

        Raises:
            InvalidInput: one is unknown or out of its bounds; the message names all of them.
        """
        if unknown := {*params} - {*cls.model_fields}:
            raise InvalidInput(f"parameters: no {', '.join(sorted(unknown))}; there are: {', '.join(cls.model_fields)}")
        try:
            return cls(**params)
        except ValidationError as error:
            faults = [f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors()[:10]]
            raise InvalidInput(f"parameters: {'; '.join(faults)[:1000]}") from error

    @property
    def mixed(self) -> bool:
        """Whether steps are computed in mixed precision."""
        return self.precision == "mixed" or (self.precision == "auto" and self.device == "gpu")
