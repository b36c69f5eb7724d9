"""The tuning service, spoken to by SigOpt's own client."""

from typing import TYPE_CHECKING

from airflow.sdk import BaseHook

from flightline.hooks.address import base_url

if TYPE_CHECKING:
    from sigopt import Connection


class SigOptHook(BaseHook):
    """Turn a Connection of type `http` (password: the API token) into SigOpt's client."""

    conn_name_attr = "sigopt_conn_id"
    default_conn_name = "sigopt"
    hook_name = "SigOpt"

    def __init__(self, sigopt_conn_id: str = default_conn_name) -> None:
        super().__init__()
        self.sigopt_conn_id = sigopt_conn_id

    def get_conn(self) -> "Connection":
        """A client of the service."""
        import sigopt

        connection = self.get_connection(self.sigopt_conn_id)
        client = sigopt.Connection(client_token=connection.password)
        client.set_api_url(base_url(connection))
        return client
