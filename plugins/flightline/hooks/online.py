"""The online table's database."""

from airflow.sdk import BaseHook


class OnlineHook(BaseHook):
    """Turn a Connection of type `postgres` into the DSN that the online table and its readers take."""

    conn_name_attr = "online_conn_id"
    default_conn_name = "online"
    hook_name = "Online table"

    def __init__(self, online_conn_id: str = default_conn_name) -> None:
        super().__init__()
        self.online_conn_id = online_conn_id

    def get_conn(self) -> str:
        """The libpq DSN; it may hold a password, so do not log it."""
        from psycopg.conninfo import make_conninfo

        connection = self.get_connection(self.online_conn_id)
        return make_conninfo(
            host=connection.host,
            port=connection.port,
            user=connection.login,
            password=connection.password or None,
            dbname=connection.schema,
            **connection.extra_dejson,
        )
