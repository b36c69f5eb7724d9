from datetime import date

from include.foundation.evidence.manifest import RunManifest, Sampled, Window
from include.stages.registry.description import describe, tags

MANIFEST = RunManifest(
    use_case="toy",
    spec_digest="s",
    snapshots={"gold.toy": "7381420598231775109"},
    window=Window(
        start=date(2013, 1, 1),
        validation_start=date(2013, 3, 1),
        holdout_start=date(2013, 4, 1),
        end=date(2013, 4, 30),
    ),
    commit="c" * 40,
    dirty=True,
    image="flightline/trainer:1",
    serving_image="flightline/serving:1",
    feature_code="f",
    run_id="r",
    seed=0,
    parameters={},
    parent_version="3",
    metrics={"log_loss": 0.4, "auc": 0.795},
    artifacts={},
)


def test_a_version_is_found_by_window_snapshot_and_commit():
    assert tags(MANIFEST) == {
        "window": "2013-01-01 to 2013-04-30",
        "holdout": "2013-04-01 to 2013-04-30",
        "snapshot": "gold.toy 7381420598231775109",
        "commit": "c" * 40 + " with changes",
    }


def test_its_page_says_what_it_was_made_from_and_what_it_showed():
    text = describe(MANIFEST)
    assert "auc **0.7950**, log_loss **0.4000**" in text
    assert "| took over from | version 3 |" in text
    assert "| served by | flightline/serving:1 |" in text
    assert "Gates" not in text


def test_a_sample_is_told():
    sampled = MANIFEST.model_copy(update={"sample": Sampled(rows=1000, of=20_000, by="a rule")})
    assert "| learnt from | 1,000 of 20,000 rows before the holdout, a rule |" in describe(sampled)
    assert tags(sampled)["sample"] == "1,000 of 20,000 rows before the holdout, a rule"
    assert "learnt from" not in describe(MANIFEST)


def test_the_verdict_comes_with_each_gate_and_no_gates_are_no_pass():
    gates = [
        {"name": "floor", "passed": True, "detail": "auc at least"},
        {"name": "latency", "passed": False, "detail": "p99"},
    ]
    assert "- pass floor: auc at least\n- FAIL latency: p99" in describe(MANIFEST, gates=gates)
    assert "**Gates: FAILED**" in describe(MANIFEST, gates=gates)
    assert "**Gates: passed**" in describe(MANIFEST, gates=gates[:1])
    assert "**Gates: FAILED**" in describe(MANIFEST, gates=[])
