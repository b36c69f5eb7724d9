from dataclasses import replace

import pytest

from include.foundation.evidence.manifest import RunManifest
from include.stages.promotion import approval
from include.stages.promotion.approval import Request, Version, body, diff
from include.stages.promotion.served import Served

GAIN = "auc 0.7900 against the champion's 0.7800: +0.0100, whose 95% interval [+0.0050, +0.0150] must lie above 0"


def version(number, *, auc, until):
    window = {"start": "2013-01-01", "validation_start": "2013-03-18", "holdout_start": "2013-04-01", "end": until}
    manifest = RunManifest.model_construct(
        **{"version": 1, "use_case": "rain", "spec_digest": "s", "snapshots": {}, "dirty": False, "image": "i"},
        **{"window": RunManifest.model_fields["window"].annotation.model_validate(window), "commit": "c0ffee" * 7},
        **{"run_id": "r", "seed": 1, "parameters": {}, "parent_version": None, "metrics": {"auc": auc}},
        artifacts={"model.onnx": number * 64},
    )
    return Version(number=number, manifest=manifest)


REQUEST = Request(
    title="Rain",
    candidate=version("3", auc=0.79, until="2013-04-30"),
    champion=version("2", auc=0.78, until="2013-03-31"),
    judged_against="2",
    report={"rows": 27000, "gates": [{"name": "champion", "detail": GAIN}]},
    table="| gate | verdict |\n|---|---|\n| floor | pass |\n",
    served=(Served(stage="staging", version="2"), Served(stage="production", version=None)),
    until="production",
    before={"rain/staging/deployment.yaml": "version: 2\n"},
    after={"rain/staging/deployment.yaml": "version: 3\n"},
    links={"Version in MLflow": "http://mlflow/3", "production in Argo CD": "http://argocd/rain-production"},
)


def test_it_holds_what_a_decision_needs():
    text = body(REQUEST)
    for part in (
        f"version 3 against today's champion, version 2: {GAIN}.",
        "|  | version 3 | version 2 (champion) |",
        "| learned from | 2013-01-01 to before 2013-04-01 | 2013-01-01 to before 2013-04-01 |",
        "| judged on | 2013-04-01 to 2013-04-30 | 2013-04-01 to 2013-03-31 |",
        "| labelled rows judged on | 27000 | - |",
        "| auc on its holdout | 0.7900 | 0.7800 |",
        "| code | `c0ffeec0ffee` | `c0ffeec0ffee` |",
        "| staging | version 2 | version 3 |",
        "| production | nothing | version 3 |",
        "**Approve** deploys version 3 stage by stage up to production",
        "makes it the champion",
        "**Reject** changes nothing that serves",
        "[Version in MLflow](http://mlflow/3) · [production in Argo CD](http://argocd/rain-production)",
        "| floor | pass |",
        "-version: 2\n+version: 3",
    ):
        assert part in text, part


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"champion": None, "judged_against": "none"}, "there is no champion today"),
        ({"champion": REQUEST.candidate}, "version 3 **is the champion already**: approving deploys it once more"),
        ({"judged_against": "1"}, "judged against version 1, **not against today's champion, version 2**"),
        ({"judged_against": "none"}, "judged against no champion at all, **not against today's champion, version 2**"),
        ({"until": "staging"}, "stops before production: the champion stays"),
    ],
)
def test_it_says_how_things_stand(changes, words):
    text = body(replace(REQUEST, **changes))
    assert words in text
    if "champion" in changes:
        assert "(champion)" not in text
    if "until" in changes:
        assert "| production | nothing | stays |" in text


def test_a_diff_is_bounded_and_stays_in_its_block():
    long = diff({}, {"a": "\n".join(f"line {number}" for number in range(1000))})
    assert len(long.splitlines()) == approval.DIFF_LINES + 3
    assert "... and 883 more lines" in long
    assert diff({"a": "x"}, {"a": "x"}) == "Nothing: Git has these files already."
    assert diff({}, {"a": "```\nfree"}).count("```") == 2


def test_an_unknown_metric_and_a_changed_tree_are_said():
    dirty = version("2", auc=0.7, until="2013-03-31")
    dirty = replace(dirty, manifest=dirty.manifest.model_copy(update={"dirty": True, "metrics": {"brier": 0.1}}))
    text = body(replace(REQUEST, champion=dirty))
    assert "| brier on its holdout | - | 0.1000 |" in text
    assert "`c0ffeec0ffee` with changes" in text
