"""A version as a model marketplace shows it: its card, a sample, and whether its copy there answers as it does."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from include.foundation.errors import GateFailed
from include.foundation.problem import problem
from include.foundation.spec import UseCase
from include.stages.promotion.smoke import check_answers, first_difference

INPUT, OUTPUT, JSON = "input", "results.json", "application/json"  # as the serving image's interface names them
MAX_BYTES = 1 << 20  # of one input: what serving takes
RUN_MS = STATUS_MS = 60_000
SHORT = 250  # characters of the line under a model's name
CPU = 1  # the marketplace's number for "no GPU, not ARM"


def version_of(version: str) -> str:
    """A registered version's number as marketplaces want versions, `<major>.<minor>.<patch>`."""
    return f"{version}.0.0"


def card(
    spec: UseCase,
    *,
    version: str,
    digest: str,
    manifest: str,
    image: str,
    made_from: str,
    judged: str,
    records: Sequence[Mapping[str, Any]],
    expected: Sequence[Mapping[str, float] | float],
) -> dict[str, Any]:
    """What is published; plain JSON.

    Args:
        spec: the use case.
        version: the registered version.
        digest: SHA-256 of the model file, hex.
        manifest: SHA-256 of the run manifest, hex.
        image: of the container, with its bundle.
        made_from: what it was made from, Markdown.
        judged: what its gates said, Markdown.
        records: of the test run, as callers send them.
        expected: the numbers of their answers (see `Problem.numbers`).
    """
    mark = f"model sha256:{digest}, run manifest sha256:{manifest}"
    how = f'Send `{INPUT}`: a JSON record, or `{{"records": [...]}}`; `{OUTPUT}` is a JSON object for each.'
    return {
        "use_case": spec.name,
        "name": spec.title,
        "version": version_of(version),
        "image": image,
        "digest": digest,
        "mark": mark,
        "description": " ".join(spec.description.split())[:SHORT],
        "tags": [spec.slug, spec.problem],
        "metadata": {
            "requirement": {"requirementId": CPU},
            "timeout": {"run": RUN_MS, "status": STATUS_MS},
            "inputs": [{"name": INPUT, "acceptedMediaTypes": JSON, "maximumSize": MAX_BYTES, "description": "records"}],
            "outputs": [{"name": OUTPUT, "mediaType": JSON, "maximumSize": MAX_BYTES, "description": "answers"}],
            "statistics": [],
            "processing": {"minimumParallelCapacity": 0, "maximumParallelCapacity": 1},
            "longDescription": f"{spec.description.strip()}\n\n{how}",
            "technicalDetails": f"{made_from.strip()}\n\n{mark}",
            "performanceSummary": judged.strip(),
        },
        "sample": json.dumps({"records": list(records)}),
        "expected": list(expected),
    }


def check(spec: UseCase, answers: Any, *, expected: Sequence[Mapping[str, float] | float], digest: str) -> None:
    """Compare a marketplace's answers with those that the model file gives offline.

    Raises:
        GateFailed: an answer is wrong.
        DigestMismatch: another model answered.
    """
    kind = problem(spec.problem)
    found = check_answers(200, answers, kind=kind, count=len(expected), digest=digest)
    if differ := first_difference(kind, found, expected):
        raise GateFailed(differ)
