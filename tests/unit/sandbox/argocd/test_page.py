from sandbox.argocd import page

EVIL = "<script>alert(1)</script>"


def test_everything_is_escaped():
    app = {
        "metadata": {"name": EVIL, "namespace": "argocd"},
        "spec": {"source": {"path": EVIL}},
        "status": {
            "operationState": {"phase": "Failed", "message": EVIL},
            "conditions": [{"type": "ComparisonError", "message": EVIL}],
            "history": [{"id": 0, "revision": EVIL, "deployedAt": "now", "initiatedBy": {"username": EVIL}}],
        },
    }
    node = {"kind": "Pod", "name": EVIL, "health": {"status": "Degraded", "message": EVIL}}
    for text in (page.applications([app]), page.application(app, [node])):
        assert EVIL not in text
        assert "&lt;script&gt;" in text
