"""The warehouse at AWS: Athena over the tables of Glue's catalog.

https://docs.aws.amazon.com/athena/latest/APIReference/
"""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING, Any

from include.foundation.echo import cut
from include.foundation.errors import InvalidInput, ServiceUnavailable
from include.warehouse.columns import arrow
from include.warehouse.dialect import translated
from include.warehouse.question import Answer, Question

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from include.warehouse.statement import Statement

POLL_SECONDS = 0.5
TRANSIENT = frozenset({"InternalServerException", "TooManyRequestsException", "ThrottlingException"})


class AthenaWarehouse:
    """Athena.

    Args:
        client: boto3's `athena`.
        catalog: its name for the lake.
        workgroup: that runs and pays; its own limit of scanned bytes holds.
        output: where answers are kept (`s3://bucket/folder/`); empty where the workgroup says it.
    """

    name = "Athena"

    def __init__(
        self, client: Any, *, catalog: str = "AwsDataCatalog", workgroup: str = "primary", output: str = ""
    ) -> None:
        self._client, self._catalog = client, catalog
        self._where: dict[str, Any] = {"WorkGroup": workgroup}
        if output:
            self._where["ResultConfiguration"] = {"OutputLocation": output}

    def start(self, question: Question) -> _Execution:
        """Start to answer. Raises what `translated` raises, and ServiceUnavailable."""
        statement = translated(question, to="athena", catalog=self._catalog)
        context = {"Catalog": self._catalog}
        started = _asked(
            lambda: self._client.start_query_execution(
                QueryString=statement.sql, QueryExecutionContext=context, **self._where
            )
        )
        return _Execution(self._client, str(started["QueryExecutionId"]), statement, question)


class _Execution:
    """One query that Athena runs."""

    def __init__(self, client: Any, number: str, statement: Statement, question: Question) -> None:
        self._client, self._id, self._statement = client, number, statement
        self._limits, self._since = question.limits, time.monotonic()

    def answer(self) -> Answer:
        """Wait, then page through the rows until the limits."""
        while (status := self._status())["State"] in {"QUEUED", "RUNNING"}:
            if time.monotonic() - self._since > self._limits.seconds:
                self.cancel()
                raise InvalidInput(f"it took more than {self._limits.seconds:g} s: read fewer days, or aggregate")
            time.sleep(POLL_SECONDS)
        if status["State"] == "CANCELLED":
            raise InvalidInput("it was cancelled")
        if status["State"] != "SUCCEEDED":
            said = f"Athena says: {cut(str(status.get('StateChangeReason', 'nothing')), 1_000)}"
            system = status.get("AthenaError", {}).get("ErrorCategory") == 1
            raise (ServiceUnavailable if system else InvalidInput)(said)
        names, types, rows = list[str](), list[str](), list[list[str | None]]()
        size, cut_off = 0, False
        for page in self._pages():
            if not names:
                columns = page["ResultSet"]["ResultSetMetadata"]["ColumnInfo"]
                names, types = [each["Name"] for each in columns], [_type(each) for each in columns]
                page["ResultSet"]["Rows"] = page["ResultSet"]["Rows"][1:]  # the first row of a SELECT is its header
            for found in page["ResultSet"]["Rows"]:
                row = [each.get("VarCharValue") for each in found["Data"]]
                size += sum(len(each or "") for each in row)
                if len(rows) >= self._limits.rows or size > self._limits.answer_bytes:
                    cut_off = True
                    break
                rows.append(row)
            if cut_off:
                break
        return Answer(
            rows=arrow(names, types, rows),
            cut=cut_off,
            seconds=time.monotonic() - self._since,
            tables=self._statement.tables,
        )

    def cancel(self) -> None:
        """Stop it."""
        _asked(lambda: self._client.stop_query_execution(QueryExecutionId=self._id))

    def _status(self) -> dict[str, Any]:
        found: dict[str, Any] = _asked(lambda: self._client.get_query_execution(QueryExecutionId=self._id))
        return found["QueryExecution"]["Status"]  # type: ignore[no-any-return]

    def _pages(self) -> Iterator[dict[str, Any]]:
        asked: dict[str, Any] = {"QueryExecutionId": self._id, "MaxResults": 1000}
        while True:
            page = _asked(partial(self._client.get_query_results, **asked))
            yield page
            if not page.get("NextToken"):
                return
            asked["NextToken"] = page["NextToken"]


def _type(column: dict[str, Any]) -> str:
    if column["Type"] == "decimal":
        return f"decimal({column.get('Precision', 38)},{column.get('Scale', 0)})"
    return str(column["Type"])


def _asked(call: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        return call()
    except ClientError as error:
        said = error.response.get("Error", {})
        kind = ServiceUnavailable if said.get("Code") in TRANSIENT else InvalidInput
        raise kind(f"Athena says {said.get('Code')}: {cut(str(said.get('Message', '')), 1_000)}") from error
    except BotoCoreError as error:
        raise ServiceUnavailable(f"Athena does not answer: {cut(str(error), 300)}") from error
