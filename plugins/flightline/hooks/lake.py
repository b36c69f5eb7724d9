"""The lake: S3 and the Iceberg catalog, as one Connection says."""

from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseHook

if TYPE_CHECKING:
    from include.foundation.lake import Lake


class LakeHook(BaseHook):
    """Turn a Connection of type `aws` into a `Lake`.

    Login and password are the S3 keys (none: the default credential chain). Extra: `endpoint_url` and `region_name` as
    for every AWS Connection; `catalog`, the properties of a pyiceberg catalog; `landing` and `models`, S3 URIs.
    """

    conn_name_attr = "lake_conn_id"
    default_conn_name = "lake"
    hook_name = "Lake"

    def __init__(self, lake_conn_id: str = default_conn_name) -> None:
        super().__init__()
        self.lake_conn_id = lake_conn_id

    @cached_property
    def lake(self) -> "Lake":
        """The lake that the Connection describes."""
        from include.foundation.lake import S3, Lake

        connection = self.get_connection(self.lake_conn_id)
        extra = connection.extra_dejson
        return Lake(
            catalog_properties={key: str(value) for key, value in extra.get("catalog", {}).items()},
            s3=S3(
                endpoint=extra.get("endpoint_url"),
                region=extra.get("region_name", "us-east-1"),
                access_key=connection.login,
                secret_key=connection.password,
            ),
            landing=extra.get("landing", "s3://landing"),
            models=extra.get("models", "s3://models"),
        )

    def get_conn(self) -> Any:
        """The lake."""
        return self.lake
