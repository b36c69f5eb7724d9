import re

import pytest

from sandbox.argocd import bodies
from sandbox.argocd.errors import ArgoError


@pytest.mark.parametrize(
    ("of", "body", "reason"),
    [
        (bodies.APPLICATION, {"metadata": {"name": 7}}, "number into Application.metadata.name of type string"),
        (bodies.APPLICATION, {"metadata": "x"}, "string into Application.metadata of type object"),
        (bodies.APPLICATION, [], "array into Application of type object"),
        (bodies.SPEC, {"source": {"path": {}}}, "object into ApplicationSpec.source.path of type string"),
        (bodies.SPEC, {"syncPolicy": {"syncOptions": [True]}}, "bool into ApplicationSpec.syncPolicy.syncOptions.0"),
        (bodies.SYNC, {"prune": "yes"}, "string into ApplicationSyncRequest.prune of type bool"),
        (bodies.SYNC, {"resources": [{"kind": []}]}, "array into ApplicationSyncRequest.resources.0.kind"),
        (bodies.ROLLBACK, {"id": [1]}, "array into ApplicationRollbackRequest.id of type int"),
        (bodies.TOKEN, {"expiresIn": "soon"}, "string into CreateTokenRequest.expiresIn of type int"),
    ],
)
def test_a_field_of_another_type_is_refused_by_its_name(of, body, reason):
    with pytest.raises(ArgoError, match=re.escape(f"json: cannot unmarshal {reason}")) as caught:
        bodies.check(body, of)
    assert caught.value.http_status == 400


def test_absent_null_and_unknown_fields_pass():
    bodies.check({"metadata": None, "spec": {"source": {"path": "x", "helm": 5}}, "status": 1}, bodies.APPLICATION)
