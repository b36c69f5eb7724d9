from types import SimpleNamespace

import pytest
from airflow.sdk.execution_time.xcom import XCom

from flightline.links.argocd import ArgoCDLink


@pytest.mark.parametrize(("stored", "shown"), [("http://argocd/applications/argocd/web",) * 2, (None, "")])
def test_link_is_what_the_operator_pushed(monkeypatch, stored, shown):
    asked = []
    monkeypatch.setattr(XCom, "get_value", lambda **which: asked.append(which) or stored)
    ti = SimpleNamespace()
    assert ArgoCDLink().get_link(None, ti_key=ti) == shown
    assert asked == [{"ti_key": ti, "key": ArgoCDLink().xcom_key}]
