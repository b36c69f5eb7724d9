"""What the approver is shown, as Markdown: enough to decide without leaving the page. Pure: facts in, text out."""

import difflib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from include.foundation.evidence.manifest import RunManifest
from include.stages.promotion.served import Served

DIFF_LINES = 120  # of all files together: Airflow keeps the text in its database


@dataclass(frozen=True, kw_only=True)
class Version:
    """A version as the page shows it: its number and its run manifest."""

    number: str
    manifest: RunManifest


@dataclass(frozen=True, kw_only=True)
class Request:
    """What is asked.

    Attributes:
        title: of the use case.
        candidate: the version to promote.
        champion: the champion of today; None if there is none.
        judged_against: the champion that the gates compared with, or `none`.
        report: the gates' report, as its JSON document.
        table: the same as a Markdown table.
        served: what each stage serves now, in order.
        until: the last stage to go to.
        before: files of the stages as Git has them, path -> content.
        after: the same as the promotion would commit them.
        links: words -> URL.
    """

    title: str
    candidate: Version
    champion: Version | None
    judged_against: str
    report: Mapping[str, Any]
    table: str
    served: Sequence[Served]
    until: str
    before: Mapping[str, str]
    after: Mapping[str, str]
    links: Mapping[str, str]


def body(request: Request) -> str:
    """The page's text. The deadline is not in it: it counts from the moment of asking."""
    return "\n\n".join(
        [
            f"**{request.title}**: {_against(request)}",
            _facts(request),
            _stages(request),
            _effects(request),
            " · ".join(f"[{words}]({url})" for words, url in request.links.items()),
            "#### Gates",
            request.table.strip(),
            "#### What the commits would change",
            diff(request.before, request.after),
        ]
    )


def diff(before: Mapping[str, str], after: Mapping[str, str]) -> str:
    """A unified diff of files in a code block, at most DIFF_LINES long."""
    lines: list[str] = []
    for path in sorted(before.keys() | after.keys()):
        old, new = before.get(path, "").splitlines(), after.get(path, "").splitlines()
        lines += difflib.unified_diff(old, new, path if path in before else "nothing", path, n=1, lineterm="")
    if not lines:
        return "Nothing: Git has these files already."
    left_out = [f"... and {len(lines) - DIFF_LINES} more lines"] if len(lines) > DIFF_LINES else []
    return "\n".join(["```diff", *(line.replace("```", "'''") for line in lines[:DIFF_LINES]), *left_out, "```"])


def _against(request: Request) -> str:
    """The comparison with today's champion, in words."""
    number, champion, judged = request.candidate.number, request.champion, request.judged_against
    if champion is None:
        return f"there is no champion today, so version {number} was held against the floor and the baseline only."
    if champion.number == number:
        return f"version {number} **is the champion already**: approving deploys it once more."
    if judged != champion.number:
        other = "no champion at all" if judged == "none" else f"version {judged}"
        return (
            f"version {number} was judged against {other}, **not against today's champion, version "
            f"{champion.number}**. "
            "The numbers below are each version's own, on different days: they do not compare."
        )
    gates = {gate.get("name"): gate for gate in request.report.get("gates", ())}
    words = gates.get("champion", {}).get("detail", "see the table")
    return f"version {number} against today's champion, version {champion.number}: {words}."


def _facts(request: Request) -> str:
    versions = [request.candidate]
    if request.champion and request.champion.number != request.candidate.number:
        versions.append(request.champion)
    titles = [f"version {version.number}" for version in versions]
    if len(titles) > 1:
        titles[1] += " (champion)"
    manifests = [version.manifest for version in versions]
    metrics = sorted({name for manifest in manifests for name in manifest.metrics})
    rows = [
        ("learned from", [f"{each.window.start} to before {each.window.holdout_start}" for each in manifests]),
        ("judged on", [f"{each.window.holdout_start} to {each.window.end}" for each in manifests]),
        ("labelled rows judged on", [str(request.report.get("rows", "?")), "-"][: len(manifests)]),
        *((f"{name} on its holdout", [_number(each.metrics.get(name)) for each in manifests]) for name in metrics),
        ("code", [f"`{each.commit[:12]}`{' with changes' if each.dirty else ''}" for each in manifests]),
        ("model file", [f"`{each.artifacts.get('model.onnx', '?')[:12]}`" for each in manifests]),
        ("run manifest", [f"`{each.digest[:12]}`" for each in manifests]),
    ]
    return _table(["", *titles], [[name, *cells] for name, cells in rows])


def _stages(request: Request) -> str:
    names = [stage.stage for stage in request.served]
    reached = names[: names.index(request.until) + 1]
    rows = [
        [
            stage.stage,
            f"version {stage.version}" if stage.version else "nothing",
            f"version {request.candidate.number}" if stage.stage in reached else "stays",
        ]
        for stage in request.served
    ]
    return _table(["stage", "serves now", "after approval"], rows)


def _effects(request: Request) -> str:
    last = request.served[-1].stage
    then = "makes it the champion" if request.until == last else f"stops before {last}: the champion stays"
    return (
        f"**Approve** deploys version {request.candidate.number} stage by stage up to {request.until}, each checked by "
        f"real requests, and {then}; if a check fails, all is taken back. **Reject** changes nothing that serves: "
        "it is written to the version, with your name, and this run ends as failed."
    )


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def report(text: str) -> dict[str, Any]:
    """The gates' report from its JSON text."""
    return dict(json.loads(text))
