"""Workspaces on the page: one's own alone, but for who runs the cluster; the token goes nowhere but home."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from flightline.ui import workspaces as page
from flightline.workspaces import objects
from flightline.workspaces.objects import Workspace
from flightline.workspaces.settings import Settings, Wanted
from include.foundation.errors import MissingInput
from tests.unit.flightline.ui.conftest import EVIL

NOW = datetime(2026, 1, 1, tzinfo=UTC)
TOKEN = "t0ken-of-the-workspace"


def desk(user, **changes):
    said = {"image": "team/desk:1", "size": Wanted(), "state": "ready", "why": "", "uid": "u"}
    times = {"began": NOW, "until": NOW + timedelta(hours=1)}
    return Workspace(**{"name": objects.name_of(user, "r"), "user": user, **said, **times, **changes})


class Hook:
    """Stands for the cluster, with a workspace of two people's; asks as the real one does whose it is."""

    def __init__(self, *, settings=True):
        place = SimpleNamespace(settings=Settings(url="https://{name}.desks.example.com"))
        self.places = [place] if settings else []
        self.desks = [desk("user"), desk("eve", why=EVIL)]
        self.done = []

    def every(self):
        return [(self.places[0], each) for each in self.desks]

    def of(self, user):
        return [(place, each) for place, each in self.every() if each.user == user]

    def find(self, name, *, user):
        for _, each in self.every() if user is None else self.of(user):
            if each.name == name:
                return each
        raise MissingInput("there is no workspace of yours")

    def token(self, name, *, user):
        found = self.find(name, user=user)
        return self.places[0].settings.origin(found.name), TOKEN

    def extend(self, name, hours, *, user):
        self.done.append(("extend", self.find(name, user=user).user, hours))

    def stop(self, name, *, user):
        self.done.append(("stop", self.find(name, user=user).user))


@pytest.fixture
def hook(monkeypatch):
    made = Hook()
    monkeypatch.setattr(page, "WorkspaceHook", lambda: made)
    return made


NAME, EVES = objects.name_of("user", "r"), objects.name_of("eve", "r")


def test_one_sees_ones_own_and_who_runs_the_cluster_all(site, hook):
    mine = site.login("user").get("workspaces").text
    assert NAME in mine
    assert EVES not in mine
    every = site.login("admin").get("workspaces/list").text
    assert NAME in every
    assert EVES in every
    assert EVIL not in every
    assert "/open" not in every, "nobody opens another's"
    assert "You have none" in site.login("viewer").get("workspaces").text


def test_the_token_is_in_no_address_and_the_page_may_send_it_there_alone(site, hook):
    answer = site.login("user").get(f"workspaces/{NAME}/open")
    assert answer.text.count(f'value="{TOKEN}"') == 2
    assert f'action="https://{NAME}.desks.example.com/login"' in answer.text
    assert f"?token={TOKEN}" not in answer.text
    policy = answer.headers["content-security-policy"]
    assert f"form-action https://{NAME}.desks.example.com;" in policy
    assert "frame-ancestors 'none'" in policy
    assert answer.headers["cache-control"] == "no-store"
    assert TOKEN not in site.get("workspaces").text


@pytest.mark.parametrize("who", ["viewer", "admin"])
def test_nobody_opens_or_extends_anothers(site, hook, who):
    token = site.login(who).token()
    assert site.get(f"workspaces/{NAME}/open").status_code == 404
    assert site.post(f"workspaces/{NAME}/extend", token=token, hours="8").status_code == 404
    assert hook.done == []


def test_one_extends_and_stops_ones_own_and_who_runs_the_cluster_stops_all(site, hook):
    token = site.login("user").token()
    assert site.post(f"workspaces/{NAME}/extend", token=token, hours="8").status_code == 200
    assert site.post(f"workspaces/{NAME}/stop", token=token).status_code == 200
    assert site.post(f"workspaces/{EVES}/stop", token=token).status_code == 404
    token = site.login("admin").token()
    assert site.post(f"workspaces/{EVES}/stop", token=token).status_code == 200
    assert hook.done == [("extend", "user", 8), ("stop", "user"), ("stop", "eve")]


@pytest.mark.parametrize("path", ["start", f"{NAME}/stop", f"{NAME}/extend"])
def test_another_site_can_press_nothing(site, hook, path):
    site.login("user")
    fields = {"cpus": "1", "memory_gib": "1", "gpus": "0", "hours": "1"}
    assert site.post(f"workspaces/{path}", token="made up", **fields).status_code == 403
    fields["token"] = site.token()
    assert site.post(f"workspaces/{path}", headers={"Sec-Fetch-Site": "cross-site"}, **fields).status_code == 403
    assert (hook.done, site.started) == ([], [])


def test_a_start_is_the_dags_and_goes_by_ones_own_login(site, hook):
    token = site.login("user").token()
    fields = {"cpus": "1", "memory_gib": "2", "gpus": "0", "hours": "3"}
    answer = site.post("workspaces/start", token=token, image="", **fields)
    assert answer.status_code == 200, answer.text
    conf = {"image": None, "cpus": 1, "memory_gib": 2, "gpus": 0, "hours": 3}
    assert site.started == [("platform.workspace", {"logical_date": None, "conf": conf})]
    token = site.login("viewer").token()
    assert site.post("workspaces/start", token=token, **fields).status_code == 403


def test_where_there_are_none_the_page_says_so(site, monkeypatch):
    monkeypatch.setattr(page, "WorkspaceHook", lambda: SimpleNamespace(places=[], of=lambda _: [], every=list))
    text = site.login("user").get("workspaces").text
    assert "does not say <code>workspaces</code>" in text
