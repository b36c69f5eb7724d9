"""A workspace as objects: made, and read again."""

import base64
import json
from datetime import UTC, datetime, timedelta

import pytest

from flightline.workspaces import objects
from flightline.workspaces.objects import Workspace
from flightline.workspaces.settings import Settings, Wanted

SETTINGS = Settings(url="https://{name}.desks.example.com", storage_class="fast")
NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
WANTED = Wanted(cpus=3, memory_gib=6, gpus=1, hours=4)


def made(user="ada", wanted=WANTED):
    name = objects.name_of(user, "run")
    pod = objects.pod(name, user, wanted, SETTINGS, image="team/desk:1", now=NOW)
    pod["metadata"] |= {"creationTimestamp": NOW.isoformat(), "uid": "u1"}
    return pod


def test_what_was_asked_for_is_read_from_the_pod():
    found = Workspace.of(made(), cluster="c-1")
    assert (found.user, found.image, found.cluster) == ("ada", "team/desk:1", "c-1")
    assert (found.size.cpus, found.size.memory_gib, found.size.gpus) == (3, 6, 1)
    assert found.until == NOW + timedelta(hours=4)
    assert found.name == objects.name_of("ada", "run") != objects.name_of("ada", "another run")


def test_a_pod_has_no_root_no_rights_of_its_own_and_an_end():
    spec = made()["spec"]
    (container,) = spec["containers"]
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["automountServiceAccountToken"] is False
    assert spec["activeDeadlineSeconds"] == 7 * 86_400
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert container["resources"]["limits"] == {"cpu": "3", "memory": "6Gi", "nvidia.com/gpu": "1"}
    assert container["envFrom"] == [{"secretRef": {"name": "rights-ada", "optional": True}}]
    assert "nvidia.com/gpu" not in str(made(wanted=Wanted())["spec"])


def test_the_token_is_in_the_secret_alone_and_all_goes_with_the_pod():
    found = Workspace.of(made())
    *others, secret = objects.belongings(found, SETTINGS, token="t0ken-of-ada")
    assert [each["kind"] for each in others] == ["NetworkPolicy", "Service", "HTTPRoute"]
    assert base64.b64decode(secret["data"]["token"]) == b"t0ken-of-ada"
    assert "t0ken-of-ada" not in json.dumps([others, made()])
    assert {each["metadata"]["ownerReferences"][0]["uid"] for each in (*others, secret)} == {"u1"}
    assert others[2]["spec"]["hostnames"] == [f"{found.name}.desks.example.com"]
    assert others[0]["spec"]["podSelector"]["matchLabels"] == {"app.kubernetes.io/name": found.name}


def test_a_home_is_a_persons_and_not_a_workspaces():
    home = objects.home("ada", SETTINGS)
    assert (home["metadata"]["name"], home["spec"]["storageClassName"]) == ("home-ada", "fast")
    assert "ownerReferences" not in home["metadata"]
    assert made()["spec"]["volumes"][0]["persistentVolumeClaim"] == {"claimName": "home-ada"}


def test_no_two_logins_share_a_name():
    logins = ["ada", "Ada", "ada.l@example.com", "ada-l-example-com", "ÄÖ", "", "a" * 200, "-", "ada-0123abcd", "$ada"]
    slugs = [objects.slug(login) for login in logins]
    assert len({*slugs}) == len(logins)
    assert objects.slug("ada") == "ada"
    assert all(objects._PLAIN.fullmatch(each) for each in slugs)
    assert all(len(objects.name_of(login, "r")) <= 63 for login in logins)


def test_a_login_is_a_value_and_never_yaml():
    evil = 'x"}, {"flightline/user": "ada'
    assert made(evil)["metadata"]["annotations"]["flightline/user"] == evil
    assert Workspace.of(made(evil)).user == evil


@pytest.mark.parametrize(
    ("status", "state", "why"),
    [
        ({}, "starting", ""),
        (
            {"phase": "Pending", "conditions": [{"status": "False", "message": "no node has room"}]},
            "starting",
            "no node",
        ),
        (
            {"containerStatuses": [{"state": {"waiting": {"reason": "ErrImagePull", "message": "not found"}}}]},
            "starting",
            "ErrImagePull not found",
        ),
        ({"phase": "Running", "containerStatuses": [{"ready": True}]}, "ready", ""),
        ({"phase": "Failed", "reason": "DeadlineExceeded"}, "ended", "DeadlineExceeded"),
    ],
)
def test_states_as_people_say_them(status, state, why):
    found = Workspace.of({**made(), "status": status})
    assert found.state == state
    assert found.why.startswith(why)


def test_what_is_deleted_is_stopping():
    pod = made()
    pod["metadata"]["deletionTimestamp"] = NOW.isoformat()
    assert Workspace.of(pod).state == "stopping"


def test_over_its_time_or_without_one_it_is_to_go():
    found = Workspace.of(made())
    assert found.over(NOW + timedelta(hours=3)) == ""
    assert "its time was over at 2026-01-01 16:00" in found.over(NOW + timedelta(hours=4))
    for said in ("", "tomorrow", "2026-01-01T16:00:00"):  # the last one of no time zone
        pod = made()
        pod["metadata"]["annotations"][objects.UNTIL] = said
        assert Workspace.of(pod).over(NOW)
    assert Workspace.of({**made(), "status": {"phase": "Succeeded"}}).over(NOW) == "it has ended"


def test_it_is_extended_by_no_more_than_the_quota_and_never_beyond_a_week():
    found = Workspace.of(made())
    assert found.later(SETTINGS, 2, NOW) == found.until, "never shortened"
    assert found.later(SETTINGS, 8, NOW) == NOW + timedelta(hours=8)
    assert found.later(SETTINGS, 100, NOW) == NOW + timedelta(hours=12)
    assert found.later(SETTINGS, 12, NOW + timedelta(days=6, hours=20)) == NOW + timedelta(days=7)
