"""SQL over the lake: by the engine that the Connection `warehouse` names, else by DuckDB on the Connection `lake`."""

from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseHook
from airflow.sdk.exceptions import AirflowNotFoundException

from include.foundation.errors import InvalidInput

if TYPE_CHECKING:
    from include.warehouse import Warehouse


class WarehouseHook(BaseHook):
    """Turn a Connection into a warehouse.

    Without the Connection it is DuckDB; another engine of `include.warehouse.Warehouse` is named by the Connection's
    extra `engine`. There is no other one yet.
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
            InvalidInput: the Connection names an engine that is none here.
        """
        try:
            connection: Any = self.get_connection(self.warehouse_conn_id)
        except AirflowNotFoundException:
            from flightline.hooks.lake import LakeHook
            from include.warehouse.duck import DuckWarehouse

            return DuckWarehouse(LakeHook().lake)
        engine = connection.extra_dejson.get("engine", "")
        raise InvalidInput(f"Connection {self.warehouse_conn_id} names the engine {str(engine)[:40]!r}; there is: none")
