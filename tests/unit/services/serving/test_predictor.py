from collections.abc import Callable
from datetime import UTC, datetime
from types import ModuleType

import polars as pl
import pytest
from pydantic import BaseModel

from include.foundation.errors import InvalidInput
from include.foundation.http.refusal import Refusal
from include.services.serving.predictor import Predictor


class Plain(BaseModel):
    """Its moments may lack an offset."""

    at: datetime
    shop: str = "north"
    size: str = "S"
    weight: float | None = None
    count: int = 1
    opened: datetime | None = None

    @property
    def event_time(self) -> datetime:
        return self.at


@pytest.fixture
def plain(features: ModuleType, make_predictor: Callable[..., Predictor]) -> Predictor:
    module = ModuleType("plain")
    module.__dict__.update(features.__dict__, Request=Plain)
    return make_predictor(features=module)


@pytest.mark.parametrize("zone", ["UTC", "America/New_York"])
def test_a_moment_is_the_same_whatever_the_servers_clock(
    plain: Predictor, monkeypatch: pytest.MonkeyPatch, zone: str
) -> None:
    monkeypatch.setenv("TZ", zone)
    good = {"at": "2024-07-01T14:00:00+02:00"}
    (answer,) = plain.predict([Plain.model_validate(good)])
    assert answer.event_time == datetime(2024, 7, 1, 12, tzinfo=UTC)
    for name in ("at", "opened"):
        with pytest.raises(Refusal, match=f"{name}: must have an offset from UTC") as caught:
            plain.predict([Plain.model_validate(good | {name: "2024-07-01T12:00:00"})])
        assert caught.value.status == 422


def test_a_model_of_other_features_is_refused(features: ModuleType, make_predictor: Callable[..., Predictor]) -> None:
    module = ModuleType("other")
    module.__dict__.update(features.__dict__, FEATURES={"size": pl.String})
    with pytest.raises(InvalidInput, match="the model is of the features"):
        make_predictor(features=module)
