"""SageMaker by the amazon provider's hook: calls whose errors say whether a retry can help, and training jobs.

Its import costs seconds: only where something is started or waited for.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

from airflow.providers.amazon.aws.hooks.sagemaker import SageMakerHook
from airflow.providers.amazon.aws.utils.connection_wrapper import AwsConnectionWrapper
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, ParamValidationError

from flightline.exceptions import SageMakerRefused, SageMakerUnavailable
from include.foundation.echo import cause

if TYPE_CHECKING:
    from airflow.sdk import Connection

ENDED = ("Completed", "Failed", "Stopped")
LOG_GROUP = "/aws/sagemaker/TrainingJobs"
CALLS = Config(retries={"mode": "standard", "total_max_attempts": 4}, connect_timeout=10, read_timeout=30)
# What passes by itself. An expired token is one: the next try asks for another.
PASSING = {
    *("ThrottlingException", "Throttling", "RequestLimitExceeded", "TooManyRequestsException", "RequestTimeout"),
    *("ServiceUnavailable", "ServiceUnavailableException", "InternalFailure", "InternalServerException"),
    *("ExpiredToken", "ExpiredTokenException", "RequestExpired"),
}
AWS = re.compile(r"(^|\.)amazonaws\.com(\.cn)?$")
NO_QUOTA = re.compile(r"\bis 0 \w+, with current utilization")


class AccountHook(SageMakerHook):
    """SageMaker in the account and region that a Connection of type `aws` leads to.

    Every error is a `SageMakerError` that says whether a retry can help.

    Args:
        conn_id: of the Connection.
        connection: it, where it has been read already.
    """

    def __init__(self, conn_id: str, *, connection: "Connection | None" = None) -> None:
        super().__init__(aws_conn_id=conn_id, config=CALLS)  # type: ignore[no-untyped-call]
        self._connection = connection

    @classmethod
    async def aopen(cls, conn_id: str) -> Self:
        """A hook whose Connection was read without blocking the event loop."""
        return cls(conn_id, connection=await cls.aget_connection(conn_id))

    @cached_property
    def conn_config(self) -> AwsConnectionWrapper:
        """The Connection. The provider would go on without one, by whatever credentials the machine has."""
        connection = self._connection or self.get_connection(str(self.aws_conn_id))
        return AwsConnectionWrapper(conn=connection, botocore_config=self._config)

    def _console(self, path: str) -> str:
        """Where a person looks; nowhere if another server than AWS's stands for SageMaker."""
        if not AWS.search(urlsplit(self.conn_config.endpoint_url or "https://amazonaws.com").hostname or ""):
            return ""
        region = self.conn_region_name
        return f"https://{region}.console.aws.amazon.com/sagemaker/home?region={region}#/{path}"


class TrainingJobsHook(AccountHook):
    """Training jobs: started once, found again, stopped, their last words read."""

    def create(self, request: dict[str, Any]) -> bool:
        """Start a job. False: its name is taken, so another task has started it meanwhile.

        Raises:
            SageMakerUnavailable: throttled, no capacity within the quota, no answer.
            SageMakerRefused: the request can never be granted.
        """
        name = request["TrainingJobName"]
        with named(f"CreateTrainingJob {name}"):
            try:
                self.get_conn().create_training_job(**request)
            except ClientError as error:
                if code(error) == "ResourceInUse":
                    return False
                raise
        return True

    def describe(self, name: str) -> dict[str, Any] | None:
        """The job; None if there never was one of this name."""
        with named(f"DescribeTrainingJob {name}"):
            try:
                found: dict[str, Any] = self.get_conn().describe_training_job(TrainingJobName=name)
            except ClientError as error:
                # The API has no code of its own for it.
                if code(error) == "ValidationException" and "not found" in str(error):
                    return None
                raise
        return found

    def stop(self, name: str) -> None:
        """Stop the job; nothing if it has ended."""
        job = self.describe(name)
        if job is None or job["TrainingJobStatus"] in ENDED:
            return
        with named(f"StopTrainingJob {name}"):
            try:
                self.get_conn().stop_training_job(TrainingJobName=name)
            except ClientError as error:
                if "in status" not in str(error):  # it has ended between the two calls
                    raise

    def last_lines(self, name: str, *, most: int) -> list[str]:
        """The end of the job's log; none where it cannot be read (yet): a verdict stands without."""
        try:
            logs = self.get_session().client(
                "logs", endpoint_url=self.conn_config.get_service_endpoint_url("logs"), config=CALLS
            )
            streams = logs.describe_log_streams(logGroupName=LOG_GROUP, logStreamNamePrefix=f"{name}/")["logStreams"]
            lines: list[str] = []
            for stream in streams:
                events = logs.get_log_events(logGroupName=LOG_GROUP, logStreamName=stream["logStreamName"], limit=most)
                lines += [event["message"].rstrip() for event in events["events"]]
        except (BotoCoreError, ClientError) as error:
            self.log.warning("the log of %s cannot be read: %s", name, cause(error))
            return []
        return lines[-most:]

    def page(self, name: str) -> str:
        """Where a person looks at the job."""
        return self._console(f"jobs/{name}")


@contextmanager
def named(call: str) -> Iterator[None]:
    """Raise the error that says whether a retry can help."""
    try:
        yield
    except (BotoCoreError, ClientError) as error:
        kind = SageMakerUnavailable if _passes(error) else SageMakerRefused
        raise kind(f"{call}: {cause(error)}") from error


def code(error: ClientError) -> str:
    """What the API calls the error."""
    return str(error.response["Error"]["Code"])


def _passes(error: BotoCoreError | ClientError) -> bool:
    if not isinstance(error, ClientError):
        return not isinstance(error, NoCredentialsError | ParamValidationError)
    # A quota that is used up is free again when others' jobs end; one of nothing is not.
    if code(error) == "ResourceLimitExceeded":
        return not NO_QUOTA.search(str(error))
    return code(error) in PASSING or int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)) >= 500
