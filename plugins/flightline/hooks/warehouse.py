"""SQL over the lake: by the engine that the Connection `warehouse` is of, else by DuckDB on the Connection `lake`."""

from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseHook
from airflow.sdk.exceptions import AirflowNotFoundException

from include.foundation.errors import InvalidInput

if TYPE_CHECKING:
    from include.warehouse import Warehouse


class WarehouseHook(BaseHook):
    """Turn a Connection into a warehouse.

    Without the Connection it is DuckDB. One of type `aws` is Athena (extra: `catalog`, `workgroup`, `output`), one of
    type `trino` Trino (extra: `catalog`); how these are reached and asked who one is, is their providers' matter.
    """

    conn_name_attr = "warehouse_conn_id"
    default_conn_name = "warehouse"
    hook_name = "Warehouse"

    def __init__(self, warehouse_conn_id: str = default_conn_name) -> None:
        super().__init__()
        self.warehouse_conn_id = warehouse_conn_id

    def get_conn(self) -> "Warehouse":
        """The warehouse.

        Raises:
            InvalidInput: the Connection is of a type that is no engine here.
        """
        try:
            connection: Any = self.get_connection(self.warehouse_conn_id)
        except AirflowNotFoundException:
            from flightline.hooks.lake import LakeHook
            from include.warehouse.duck import DuckWarehouse

            return DuckWarehouse(LakeHook().lake)
        extra = connection.extra_dejson
        if connection.conn_type == "aws":
            from airflow.providers.amazon.aws.hooks.athena import AthenaHook

            from include.warehouse.athena import AthenaWarehouse

            said = {name: str(extra[name]) for name in ("catalog", "workgroup", "output") if extra.get(name)}
            return AthenaWarehouse(AthenaHook(aws_conn_id=self.warehouse_conn_id).get_conn(), **said)
        if connection.conn_type == "trino":
            from airflow.providers.trino.hooks.trino import TrinoHook

            from include.warehouse.trino import TrinoWarehouse

            hook: Any = TrinoHook(trino_conn_id=self.warehouse_conn_id)  # type: ignore[no-untyped-call]
            return TrinoWarehouse(hook.get_conn(), catalog=str(extra.get("catalog") or "iceberg"))
        raise InvalidInput(
            f"Connection {self.warehouse_conn_id} is of type {str(connection.conn_type)[:40]!r}; SQL over the lake is "
            "asked of Athena (type aws), of Trino (type trino), or of DuckDB, where there is no such Connection"
        )
