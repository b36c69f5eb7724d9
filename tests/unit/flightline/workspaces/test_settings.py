"""What the cluster's owner says of workspaces, and what he lets a person have."""

import pytest

from flightline.workspaces.settings import Quota, Settings, Wanted
from include.foundation.errors import InvalidInput

URL = "https://{name}.desks.example.com:8443/"


def test_an_address_of_its_own_for_each():
    found = Settings.read({"url": URL})
    assert found.origin("ada-1") == "https://ada-1.desks.example.com:8443"
    assert found.host("ada-1") == "ada-1.desks.example.com"


@pytest.mark.parametrize(
    "said",
    [
        None,
        {},
        {"url": "https://desks.example.com/{name}"},  # one host for all: they would share their cookies
        {"url": "ftp://{name}.example.com"},
        {"url": URL, "quota": {"cpu": 1}},
        {"url": URL, "images": []},
        {"url": URL, "home": "a lot"},
        {"url": URL, "gateway": "no-namespace"},
    ],
)
def test_what_is_malformed_is_refused_with_the_place_to_mend(said):
    with pytest.raises(InvalidInput, match="in the extra of the Connection of the cluster"):
        Settings.read(said)


def test_only_listed_images():
    found = Settings.read({"url": URL, "images": ["team/desk:1", "team/gpu:1"]})
    assert [found.allowed(image) for image in (None, "", "team/gpu:1")] == ["team/desk:1", "team/desk:1", "team/gpu:1"]
    with pytest.raises(InvalidInput, match=r"'other:1' is none .*team/desk:1"):
        found.allowed("other:1")


@pytest.mark.parametrize(
    ("having", "wanted", "said"),
    [
        ([Wanted(), Wanted()], Wanted(), "workspaces 3 of 2"),
        ([Wanted(cpus=7)], Wanted(cpus=2), "cpus 9 of 8"),
        ([Wanted(memory_gib=30)], Wanted(memory_gib=4), "memory_gib 34 of 32"),
        ([Wanted(gpus=1)], Wanted(gpus=1), "gpus 2 of 1"),
        ([], Wanted(hours=13), "hours 13 of 12"),
    ],
)
def test_a_quota_counts_all_that_a_person_has(having, wanted, said):
    with pytest.raises(InvalidInput, match=said):
        Quota().require("ada", having, wanted)
    Quota().require("ada", having[:1], Wanted(cpus=1, memory_gib=1, hours=12))
