"""Where the lake is: the Iceberg catalog, S3 and the two buckets that hold no tables."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from include.foundation.lake.objects import S3, Objects

if TYPE_CHECKING:
    from pyiceberg.catalog import Catalog

CATALOG = "lake"
FILE_IO = "include.foundation.lake.file_io.ObjectFileIO"
PREFIX = f"PYICEBERG_CATALOG__{CATALOG.upper()}__"


@dataclass(frozen=True, kw_only=True)
class Lake:
    """How to reach the lake; opens nothing by itself.

    Args:
        catalog_properties: properties of the pyiceberg catalog named `lake` (`type`, `uri`, `warehouse`, ...). Where
            they do not say how to reach S3, `s3` does.
        s3: endpoint and keys; None leaves both to AWS's own defaults (profile, instance role, ...).
        landing: URI under which files land, such as `s3://landing`.
        models: URI under which model files lie.
    """

    catalog_properties: Mapping[str, str] = field(repr=False)
    s3: S3 | None = None
    landing: str
    models: str

    @classmethod
    def from_env(cls, environ: Mapping[str, str] = os.environ) -> "Lake":
        """The lake that the environment names (docs/ARCHITECTURE.md, "Where endpoints come from").

        Raises:
            KeyError: `FLIGHTLINE_LANDING` or `FLIGHTLINE_MODELS` is not set.
        """
        return cls(
            # pyiceberg's own rule for such names: `__` is a dot, `_` a dash.
            catalog_properties={
                name.removeprefix(PREFIX).lower().replace("__", ".").replace("_", "-"): value
                for name, value in environ.items()
                if name.startswith(PREFIX)
            },
            s3=S3.from_env(environ),
            landing=environ["FLIGHTLINE_LANDING"],
            models=environ["FLIGHTLINE_MODELS"],
        )

    def env(self) -> dict[str, str]:
        """The variables from which `from_env` makes the same lake: secrets are among them."""
        return {
            **(self.s3.env() if self.s3 else {}),
            **{
                PREFIX + name.upper().replace(".", "__").replace("-", "_"): value
                for name, value in self.catalog_properties.items()
            },
            "FLIGHTLINE_LANDING": self.landing,
            "FLIGHTLINE_MODELS": self.models,
        }

    def catalog(self) -> "Catalog":
        """The Iceberg catalog (opened once per `Lake`)."""
        return self._catalog

    def objects(self) -> Objects:
        """S3 objects (one client per `Lake`)."""
        return self._objects

    @cached_property
    def _catalog(self) -> "Catalog":
        from include.foundation.lake.catalog import open_catalog

        s3 = self.s3.iceberg() if self.s3 else {}
        return open_catalog(CATALOG, {"py-io-impl": FILE_IO, **s3, **self.catalog_properties})

    @cached_property
    def _objects(self) -> Objects:
        return Objects(self.s3)
