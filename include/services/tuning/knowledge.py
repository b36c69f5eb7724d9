"""What the optimiser may know when it makes a suggestion, so that the same trials come whatever the timing.

With several workers the order in which outcomes arrive is chance. An experiment that says how many workers it has
(`parallel_bandwidth`) therefore lets suggestion `n` know the outcomes of the trials up to `n - lag(workers)` and no
others; those between are to it as if they still ran, and it waits for none but these.
"""

from collections.abc import Sequence

from include.services.tuning.records import Experiment, Observation, Suggestion
from include.services.tuning.refusal import Refusal

LOST_SECONDS = 600  # after which a trial holds up nobody, unless others take long, too
LOST_FACTOR = 4  # of the longest trial so far


def lag(workers: int) -> int:
    """How many trials before a suggestion its knowledge ends.

    A worker alone knows all that went before. With several, half as many again as there are workers leave room for slow
    trials: 93 to 96% of the workers' time is used where trials' durations spread by 30%; with as many as there are
    workers it were 77 to 90%.
    """
    return workers + workers // 2


def known(
    experiment: Experiment,
    suggestions: Sequence[Suggestion],
    observations: Sequence[Observation],
    *,
    number: int,
    start: int,
    now: float,
) -> tuple[list[Observation], list[Suggestion]]:
    """The observations that suggestion `number` knows, and the suggestions that count as running to it.

    Args:
        experiment: the experiment.
        suggestions: all that are not deleted, oldest first.
        observations: all, oldest first. Those that are of no suggestion are known from the beginning.
        number: of the suggestion that is to be made.
        start: up to this number suggestions are made without a model: they need to know nothing.
        now: seconds since 1970.

    Raises:
        Refusal: 425, an outcome that must be known is not there yet.
    """
    if experiment.parallel_bandwidth is None:
        return list(observations), [each for each in suggestions if each.open]
    horizon = number - lag(experiment.parallel_bandwidth) if number > start else 0
    numbers = {each.id: each.number for each in suggestions}
    placed = sorted(observations, key=lambda each: numbers.get(each.suggestion or 0, 0))
    for each in suggestions:
        if each.open and each.number <= horizon and now - each.created <= _patience(suggestions, observations):
            raise Refusal(
                f"Suggestion {number} waits for the observation of suggestion {each.id}, number {each.number}",
                status=425,
            )
    return (
        [each for each in placed if numbers.get(each.suggestion or 0, 0) <= horizon],
        [each for each in suggestions if each.number > horizon],
    )


def _patience(suggestions: Sequence[Suggestion], observations: Sequence[Observation]) -> int:
    """Seconds that a trial may run until its worker is given up."""
    began = {each.id: each.created for each in suggestions}
    took = (each.created - began[each.suggestion] for each in observations if each.suggestion in began)
    return max(LOST_SECONDS, LOST_FACTOR * max(took, default=0))
