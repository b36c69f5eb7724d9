"""Observe two versions of a stage for a while, and fail where the new one is worse."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow.providers.standard.triggers.temporal import TimeDeltaTrigger
from airflow.sdk import BaseOperator

from flightline import notes
from flightline.failing import fail_fast
from include.foundation.spec import UseCase, load
from include.foundation.spec.promotion import Stage

if TYPE_CHECKING:
    from airflow.sdk import Context

    from include.stages.promotion.agreement import Agreement
    from include.stages.promotion.criteria import Judgement
    from include.stages.promotion.labelled import Labelled
    from include.stages.promotion.observation import Counts, Seen

Look = dict[str, dict[str, "Counts"]]  # role -> replica -> its counts
LOOKS = 6  # in a window, so that what is worse does not stay to its end
LEAST_SECONDS = 5.0
EVERYTHING = 100  # percent
MESSAGES = 100_000  # of the prediction log that a look reads


class ObserveOperator(BaseOperator):
    """Wait for the end of a step's window and compare the chosen version with the stable one.

    Between looks the task waits in the triggerer. Where too few requests came, or a replica of the chosen version does
    not tell its metrics, the window grows up to the spec's limit.
    A person hastens the step by marking this task as a success, and ends the rollout by marking it as failed.

    Args:
        use_case: name.
        stage: name.
        chosen: as `choose` returns it.
        step: what the step is called.
        weight: percent of the requests that the chosen version answers; with 100 there is nothing to compare with.
        mirror: percent of them of which it gets a copy.
        window_seconds: for which both are observed at least.

    Returns (XCom): `{"stable", "candidate", "labels"}`: what both did (`observation.Seen`), and what labels say.

    Raises:
        GateFailed: the version is worse, which is written to its tag `rejected`, or too few requests came in the limit.
        ServiceUnavailable: the cluster does not answer.
    """

    template_fields: Sequence[str] = ("chosen",)
    ui_color = "#cfe8d5"

    def __init__(
        self,
        *,
        use_case: str,
        stage: str,
        chosen: Any,
        step: str,
        weight: int = 0,
        mirror: int = 0,
        window_seconds: float,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.use_case = use_case
        self.stage = stage
        self.chosen = chosen
        self.step = step
        self.weight = weight
        self.mirror = mirror
        self.window_seconds = window_seconds

    def execute(self, context: "Context") -> None:  # noqa: ARG002 (Airflow's signature)
        """Take the first look."""
        self._wait(self._look(), time.time(), self._log_ends())

    def resume(
        self,
        context: "Context",
        event: Any,  # noqa: ARG002
        *,
        first: Mapping[str, Mapping[str, Mapping[str, Any]]],
        since: float,
        log: dict[str, int] | None,
    ) -> dict[str, Any]:
        """Look again; pass, fail or wait on."""
        from include.stages.promotion.observation import Counts, baseline, seen

        spec, look = load(self.use_case), self._look()
        before = {role: {pod: Counts(**each) for pod, each in pods.items()} for role, pods in first.items()}
        before["stable"] = baseline(before["stable"], look["stable"])
        did = {role: seen(before[role], look[role]) for role in look}
        passed = time.time() - since
        # The lake's labels are of the last hour at best: the first looks would tell nothing new.
        labels = self._labels(spec) if log is not None and passed >= self.window_seconds else None
        last = passed >= max(self.window_seconds, spec.promotion.limit_seconds)
        found = self._judged(spec, did, self._agreement(spec, since, log), labels, last=last)
        words = "; ".join(
            f"version {self._versions[role]} answered {each.requests} requests, {each.errors} failed, "
            + (f"p99 {each.p99 * 1000:.1f} ms" if each.p99 is not None else "no p99")
            + (f", {each.silent} of its replicas do not tell" if each.silent else "")
            for role, each in did.items()
        )
        self.log.info("%s, after %.0f s: %s", self.step, passed, words)
        told = str(labels or "no labels are known")
        with fail_fast():
            if found.worse:
                self._reject(context, f"at {self.step} of {self.stage}: {'; '.join(found.worse)}")
            if passed < self.window_seconds or not (found.enough or self._given_up(spec, did, passed, words)):
                self._wait(before, since, log)
        notes.say(context["ti"], "%s of %s: not worse in %.0f s. %s; %s", self.step, self.stage, passed, words, told)
        return {role: asdict(each) for role, each in did.items()} | {"labels": told}

    @property
    def _versions(self) -> Mapping[str, str]:
        return {"stable": self.chosen["stable"][self.stage], "candidate": self.chosen["version"]}

    def _wait(self, first: Look, since: float, log: dict[str, int] | None) -> None:
        pause = max(LEAST_SECONDS, self.window_seconds / LOOKS)
        left = since + self.window_seconds - time.time()
        self.defer(
            trigger=TimeDeltaTrigger(timedelta(seconds=min(pause, left) if left > 1 else pause)),
            method_name="resume",
            kwargs={
                "first": {role: {pod: asdict(each) for pod, each in pods.items()} for role, pods in first.items()},
                "since": since,
                "log": log,
            },
        )

    def _look(self) -> Look:
        from flightline.hooks.cluster import ClusterHook

        spec = load(self.use_case)
        place = _place(spec, self.stage)
        cluster = ClusterHook.of(place)
        return {
            role: {
                pod: self._told(pod, restarts, text)
                for pod, (restarts, text) in cluster.expositions(spec, version, place.namespace).items()
            }
            for role, version in self._versions.items()
        }

    def _told(self, pod: str, restarts: int, text: str) -> "Counts":
        """What a replica counts. One that tells what nobody understands tells nothing."""
        from include.foundation.errors import InvalidInput
        from include.stages.promotion.observation import Counts, counts

        try:
            return counts(text, restarts=restarts) if text else Counts(restarts=restarts, silent=True)
        except InvalidInput as error:
            self.log.warning("%s: %s", pod, error)
            return Counts(restarts=restarts, silent=True)

    def _log_ends(self) -> dict[str, int] | None:
        """Where the prediction log ends; None if there is none."""
        from flightline.hooks.kafka import KafkaHook

        log, kafka = load(self.use_case).predictions, KafkaHook()
        return kafka.ends(log.topic) if log and kafka.is_configured else None

    def _agreement(self, spec: UseCase, since: float, log: dict[str, int] | None) -> "Agreement | None":
        """What both versions answered to the same requests, where that is logged."""
        from flightline.hooks.kafka import KafkaHook
        from include.foundation.problem import problem
        from include.stages.promotion.agreement import ALL, agreement

        if log is None or not spec.predictions:
            return None
        found = agreement(
            KafkaHook().values(spec.predictions.topic, log, most=MESSAGES),
            **self._versions,
            stage=self.stage,
            since=datetime.fromtimestamp(since, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z"),
            by=[part.by for part in spec.gates.slices],
            problem=problem(spec.problem),
        )
        self.log.info("both answered the same requests: %s", found.counts.get(ALL, 0))
        return found

    def _labels(self, spec: UseCase) -> "Labelled | None":
        """How well both did on what was asked in this rollout, where its label has come; None if the lake is away."""
        import polars as pl

        from flightline.hooks.lake import LakeHook
        from include.foundation.echo import cause
        from include.foundation.errors import MissingInput
        from include.foundation.lake import tables
        from include.foundation.problem import problem
        from include.stages.promotion.labelled import COLUMNS, labelled

        longest = timedelta(seconds=spec.promotion.limit_seconds * (len(spec.promotion.steps) + 1))
        begin = (datetime.fromtimestamp(time.time(), UTC) - longest).date()
        try:
            rows = tables.read(LakeHook().lake, spec.predictions_table, start=begin, columns=COLUMNS)
        except MissingInput:  # nothing was joined yet
            rows = pl.DataFrame(schema={**dict.fromkeys(COLUMNS, pl.String), "scored_at": pl.Datetime("us", "UTC")})
        except Exception as error:  # noqa: BLE001 (labels are one criterion of several: no version is taken back for it)
            self.log.warning("labels are not known: %s", cause(error))
            return None
        found = labelled(
            rows,
            **self._versions,
            stage=self.stage,
            problem=problem(spec.problem),
            metric=spec.metric.name,
            criteria=spec.promotion.criteria,
        )
        self.log.info("labels: %s", found)
        return found

    def _judged(
        self,
        spec: UseCase,
        did: Mapping[str, "Seen"],
        agreement: "Agreement | None",
        labels: "Labelled | None",
        *,
        last: bool,
    ) -> "Judgement":
        from kubernetes.utils.quantity import parse_quantity

        from include.stages.promotion.criteria import judge

        answered = did["stable"].requests + (did["candidate"].requests if self.weight else 0)
        return judge(
            spec.promotion.criteria,
            stable=None if self.weight == EVERYTHING else did["stable"],
            candidate=did["candidate"],
            memory=float(parse_quantity(spec.serving.memory)),
            sent=answered * (self.weight or self.mirror) / EVERYTHING,
            last=last,
            agreement=agreement,
            labels=labels,
        )

    def _given_up(self, spec: UseCase, did: Mapping[str, "Seen"], passed: float, words: str) -> bool:
        """Whether to go on without requests enough.

        Raises:
            GateFailed: the limit has passed, and the spec does not say that this is fine.
        """
        from include.foundation.errors import GateFailed

        if passed < spec.promotion.limit_seconds:
            return False
        if spec.promotion.without_traffic == "go_on" and not did["candidate"].silent:
            return True
        raise GateFailed(
            f"{self.step} of {self.stage}: too few requests to compare in {passed:.0f} s, wanted are "
            f"{spec.promotion.criteria.min_requests} of each version ({words}). Promote when there are more, or say "
            "`promotion.without_traffic: go_on` in the spec"
        )

    def _reject(self, context: "Context", reason: str) -> None:
        from flightline.hooks.mlflow import MlflowHook
        from include.foundation.errors import GateFailed
        from include.stages import registry

        version = self.chosen["version"]
        words = f"{reason} (run {context['ti'].run_id})"
        registry.tag(MlflowHook().get_conn(), self.use_case, version, {registry.versions.REJECTED: words[:5000]})
        raise GateFailed(f"{self.use_case} version {version} is worse {reason}")


def _place(spec: UseCase, name: str) -> Stage:
    return next(stage for stage in spec.promotion.stages if stage.name == name)
