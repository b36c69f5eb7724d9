"""The settings of a serving process, from its environment (docs/ARCHITECTURE.md, "Where endpoints come from")."""

from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict, Field, Json, ValidationError

from include.foundation.errors import InvalidInput


class Settings(BaseModel):
    """Read once at the start; each field is filled from the variable named by its alias."""

    model_config = ConfigDict(frozen=True)

    use_case: str = Field(alias="FLIGHTLINE_USE_CASE", min_length=1)
    stage: str = Field(default="none", alias="FLIGHTLINE_STAGE", pattern=r"^[A-Za-z0-9._-]{1,64}$")
    model_uri: str = Field(alias="FLIGHTLINE_MODEL_URI", pattern=r"^(s3://[^/]+|file://)/.+")
    model_digest: str = Field(alias="FLIGHTLINE_MODEL_DIGEST", pattern=r"^[0-9a-f]{64}$")
    model_version: str = Field(default="unknown", alias="FLIGHTLINE_MODEL_VERSION", pattern=r"^[A-Za-z0-9._-]{1,64}$")
    model_run: str = Field(default="unknown", alias="FLIGHTLINE_MODEL_RUN", pattern=r"^[A-Za-z0-9._-]{1,64}$")
    feature_code: str = Field(default="", alias="FLIGHTLINE_FEATURE_CODE", pattern=r"^([0-9a-f]{64})?$")
    online_dsn: str = Field(
        alias="FLIGHTLINE_ONLINE_DSN",
        min_length=1,
        repr=False,
        description="of the online table (libpq); `file:///…`: a folder of history in files instead",
    )
    host: str = Field(default="127.0.0.1", alias="HOST")
    port: int = Field(default=8080, alias="PORT", ge=0, le=65535)
    max_body: int = Field(default=1 << 20, alias="FLIGHTLINE_MAX_BODY", ge=1024, description="bytes of one request")
    max_in_flight: int = Field(
        default=256, alias="FLIGHTLINE_MAX_IN_FLIGHT", ge=1, description="requests; more get 503"
    )
    allowed_hosts: str = Field(
        default="",
        alias="FLIGHTLINE_ALLOWED_HOSTS",
        description="names, apart by spaces, beside addresses and a cluster's own names",
    )
    marketplace_port: int | None = Field(
        default=None, alias="PSC_MODEL_PORT", ge=1, le=65535, description="of Modzy's interface (gRPC); none without it"
    )
    drain_seconds: float = Field(
        default=5.0, alias="FLIGHTLINE_DRAIN_SECONDS", ge=0, description="served while not ready"
    )
    kafka: Json[dict[str, str | int | float | bool]] = Field(
        default="{}",
        alias="FLIGHTLINE_KAFKA",
        validate_default=True,
        description="librdkafka's settings of the prediction log, a JSON object; empty: predictions are not logged",
    )
    kafka_username: str | None = Field(default=None, alias="FLIGHTLINE_KAFKA_USERNAME", repr=False)
    kafka_password: str | None = Field(default=None, alias="FLIGHTLINE_KAFKA_PASSWORD", repr=False)
    access_log: bool = Field(default=True, alias="FLIGHTLINE_ACCESS_LOG")

    @property
    def brokers(self) -> dict[str, str | int | float | bool]:
        """Librdkafka's settings, credentials included; empty where predictions are not logged."""
        secret = {"sasl.username": self.kafka_username, "sasl.password": self.kafka_password}
        return self.kafka and {**self.kafka, **{name: value for name, value in secret.items() if value}}

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> "Settings":
        """Settings from the environment.

        Raises:
            InvalidInput: a variable is missing or malformed; the message names each.
        """
        try:
            return cls.model_validate(dict(environ))
        except ValidationError as error:
            faults = "; ".join(f"{e['loc'][0]}: {e['msg']}" for e in error.errors())
            raise InvalidInput(f"environment: {faults}") from error
