"""A version's page in MLflow, in words: what it was made from, what it showed, and its verdict."""

from collections.abc import Mapping, Sequence

from include.foundation.evidence.manifest import RunManifest


def tags(manifest: RunManifest) -> dict[str, str]:
    """What people filter versions by, one tag each; the manifest itself is one line of JSON."""
    return {
        "window": f"{manifest.window.start} to {manifest.window.end}",
        "holdout": f"{manifest.window.holdout_start} to {manifest.window.end}",
        "snapshot": ", ".join(f"{table} {snapshot}" for table, snapshot in sorted(manifest.snapshots.items())),
        "commit": manifest.commit + (" with changes" if manifest.dirty else ""),
        **({"sample": manifest.sample.words} if manifest.sample else {}),
    }


def describe(
    manifest: RunManifest, *, form: str | None = None, gates: Sequence[Mapping[str, object]] | None = None
) -> str:
    """The description, as Markdown.

    Args:
        manifest: of the version.
        form: of its model file, where the version says it.
        gates: of its report (`name`, `passed`, `detail`), once it was judged.
    """
    metrics = ", ".join(f"{name} **{value:.4f}**" for name, value in sorted(manifest.metrics.items()))
    made_from = tags(manifest)
    lines = [
        f"Trained on {made_from['window']}; on the holdout from {manifest.window.holdout_start} it shows {metrics}.",
        "",
        "| made from | |",
        "|---|---|",
        f"| data | {made_from['snapshot']} |",
        *([f"| learnt from | {made_from['sample']} |"] if manifest.sample else []),
        f"| code | {made_from['commit']} |",
        f"| trained by | {manifest.image} |",
        f"| served by | {manifest.serving_image or 'the image of that time'} |",
        f"| took over from | {'version ' + manifest.parent_version if manifest.parent_version else 'nothing'} |",
    ]
    if form:
        lines += [f"| form of the file | {form} (`model/forms.csv` of its run) |"]
    if gates is not None:
        failed = [gate for gate in gates if not gate["passed"]]
        lines += ["", f"**Gates: {'FAILED' if failed or not gates else 'passed'}** (`gates/report.md` of its run)", ""]
        lines += [f"- {'pass' if gate['passed'] else 'FAIL'} {gate['name']}: {gate['detail']}" for gate in gates]
    lines += ["", "Report, plots (`model/curves.html`) and manifest are artifacts of its run."]
    return "\n".join(lines)
