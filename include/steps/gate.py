"""Judge a version on the frozen holdout."""

from dataclasses import asdict
from typing import Literal

import numpy as np

from include.foundation.artifact import score, store
from include.foundation.errors import InvalidInput
from include.foundation.evidence.verdict import Verdict, text_digest
from include.foundation.problem.protocol import Answers
from include.stages.gates import Report, judge
from include.stages.gates.judge import Holdout
from include.stages.gates.latency import time_answers
from include.stages.registry import ModelVersion, champion, description, get, tag
from include.stages.registry.versions import DIGEST, FORM, GATE, JUDGED_AGAINST, URI
from include.stages.training import runs
from include.stages.training.fitting import answer
from include.stages.training.runs import Training

ANSWERS = 500  # rows whose answers are timed


def gate(training: Training, version: str | None) -> Report:
    """Judge the run's model file on the frozen holdout, write the report to the run and the verdict to run and version.

    Args:
        training: the run.
        version: the registered version to tag; None tags the run only.

    Raises:
        InvalidInput: the version is not of this run and its model file.
        DigestMismatch: stored bytes are not those of the run or of the champion.
    """
    client, spec = training.client, training.spec
    uri, model = (training.tag(name, "run fit first") for name in (URI, DIGEST))
    if version is not None:
        found = get(client, spec.name, version)
        if (found.run_id, found.digest) != (training.run_id, model):
            raise InvalidInput(
                f"{spec.name} version {version} is model {found.digest} of run {found.run_id}, not {model} of "
                f"{training.run_id}: judge it by its own run"
            )
        # An earlier verdict does not outlive a judgement that breaks.
        tag(client, spec.name, version, {GATE: "judging"})
    part, held, scorer = training.part, training.data.holdout, store.scorer(training.lake.objects(), uri, model)
    reference = champion(client, spec.name)
    if reference and reference.version == version:
        reference = None  # judged once more, the champion is no rival of its own
    rival, words = _champion(training, reference) if reference else (None, None)
    few = held.head(ANSWERS)
    report = judge(
        spec.gates,
        Holdout(
            labels=held.labels.astype(np.float64),
            candidate=answer(part, scorer, held),
            baseline=held.each(lambda rows: part.baseline(training.data.fit, rows)),
            champion=rival,
            columns={each.by: held.texts(each.by) for each in spec.gates.slices},
            timing=time_answers(lambda row: score(part, scorer, few[row]), few.height),
            classes=training.data.classes,
        ),
        problem=training.problem,
        metric=spec.metric.name,
        subject=f"{spec.name} version {version or '-'} (run {training.run_id}, model {scorer.digest[:12]})",
        champion=words,
        seed=training.frozen.seed,
    )
    texts = {"gates/report.json": report.json(), "gates/report.md": report.markdown()}
    for path, text in texts.items():
        client.log_text(training.run_id, text, path)
    word: Literal["passed", "failed"] = "passed" if report.passed else "failed"
    runs.log(client, training.run_id, tags={"flightline.gate": word})
    if version is not None:
        verdict = Verdict(
            gate=word,
            champion=reference.version if reference else "none",
            run_manifest=found.manifest().digest,
            model=model,
            reports={path: text_digest(text) for path, text in texts.items()},
        )
        gates = [asdict(each) for each in report.gates]
        text = description.describe(found.manifest(), form=found.tags.get(FORM), gates=gates)
        client.update_model_version(spec.name, version, text)
        # The word comes last: it is believed only beside its verdict.
        tag(client, spec.name, version, {**verdict.tags(), JUDGED_AGAINST: verdict.champion, GATE: word})
    return report


def _champion(training: Training, version: ModelVersion) -> tuple[Answers, str]:
    """The champion's answers on the same rows, and who it is; NaN, so that the gate fails, and why, if it has none."""
    name = f"champion version {version.version} (model {version.digest[:12]})"
    held = training.data.holdout
    try:
        scorer = store.scorer(training.lake.objects(), version.file(training.lake.models), version.digest)
        if (scorer.metadata.problem, scorer.metadata.classes) != (training.spec.problem, training.data.classes):
            raise InvalidInput(
                f"it answers {scorer.metadata.problem} {list(scorer.metadata.classes)}, the rows are "
                f"{training.spec.problem} {list(training.data.classes)}"
            )
        return answer(training.part, scorer, held), name
    except InvalidInput as error:
        remedy = "Bring back what it needs, or promote a version that can"
        return np.full(held.height, np.nan), f"{name}, which cannot answer on these rows: {error}. {remedy}"
