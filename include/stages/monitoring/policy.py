"""When drift starts a training run: signals that last, a pause, a budget, and a challenger that is better today."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from include.foundation.problem.bootstrap import Interval
from include.foundation.spec.monitoring import Retraining
from include.stages.monitoring.observation import Observation

YEAR = timedelta(days=365)


@dataclass(frozen=True, kw_only=True)
class Decision:
    """Whether to train, and why (not), in words."""

    train: bool
    reason: str
    gain: Interval | None = None


def decide(
    rules: Retraining,
    observations: Sequence[Observation],
    *,
    today: date,
    trained: Sequence[date],
    challenge: Callable[[], Interval],
) -> Decision:
    """Decide.

    Args:
        rules: the spec's.
        observations: of the champion, oldest first.
        today: the day of the decision.
        trained: the days of all trainings, the champion's among them.
        challenge: the gain of a model fitted on recent rows over the champion, on the newest rows with labels that
            neither has seen. Dear, so it is asked for only when all else says yes.
    """
    latest = list(observations[-rules.windows :])
    shown = [each for each in latest if each.signals]
    if not latest or not latest[-1].signals or len(shown) < rules.signals:
        return Decision(
            train=False, reason=f"{len(shown)} of the last {len(latest)} windows show a signal, {_newest(latest)}"
        )
    seen = ", ".join(sorted({signal for each in shown for signal in each.signals}))
    why = f"{seen} in {len(shown)} of the last {len(latest)} windows"
    since = min(((today - day).days for day in trained), default=rules.pause_days)
    if since < rules.pause_days:
        return Decision(
            train=False, reason=f"{why}; the last training was {since} days ago, the pause is {rules.pause_days}"
        )
    spent = sum(day > today - YEAR for day in trained)
    if spent >= rules.per_year:
        return Decision(train=False, reason=f"{why}; {spent} trainings in 365 days, the budget is {rules.per_year}")
    gain = challenge()
    said = f"{why}; a challenger gains {gain.value:+.4f} ({gain.low:+.4f} to {gain.high:+.4f})"
    if gain.low > rules.margin:  # false for NaN: what cannot be told is no gain
        return Decision(train=True, reason=f"{said}", gain=gain)
    return Decision(
        train=False, reason=f"{said}, which is not above {rules.margin:g}: training would not help", gain=gain
    )


def _newest(latest: Sequence[Observation]) -> str:
    if not latest:
        return "none was looked at"
    return "the newest too" if latest[-1].signals else "not the newest"
