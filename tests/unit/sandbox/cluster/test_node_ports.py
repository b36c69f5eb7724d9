import pytest

from sandbox.cluster.status import ApiError


def service(name, kind="NodePort", **port):
    return {"metadata": {"name": name}, "spec": {"type": kind, "ports": [{"port": 80, **port}]}}


def number(item):
    return item["spec"]["ports"][0].get("nodePort")


def test_a_service_keeps_its_number_over_its_types_and_its_deletion(registry):
    assert number(registry.create("services", "n", service("a"))) == 30000
    assert number(registry.create("services", "n", service("b", "ClusterIP"))) is None
    assert number(registry.create("services", "n", service("c"))) == 30002
    assert number(registry.replace("services", "n", "b", service("b"))) == 30001
    assert number(registry.replace("services", "n", "a", service("a", "ClusterIP"))) is None
    registry.delete("services", "n", "a")
    assert number(registry.create("services", "n", service("d"))) == 30003
    assert number(registry.create("services", "n", service("a"))) == 30000


def test_numbers_can_be_asked_for(registry):
    assert number(registry.create("services", "n", service("a", nodePort=30002))) == 30002
    for asked, why in ((30002, "already allocated"), (40000, "not in the valid range")):
        with pytest.raises(ApiError, match=why):
            registry.create("services", "n", service("b", nodePort=asked))
    moved = registry.replace("services", "n", "a", service("a", nodePort=30003))
    assert number(moved) == 30003
    assert number(registry.create("services", "n", service("b", nodePort=30002))) == 30002


def test_when_none_is_left_the_dead_make_room(registry):
    for name in "abcd":
        registry.create("services", "n", service(name))
    with pytest.raises(ApiError, match="all ports of 30000-30003 are taken"):
        registry.create("services", "n", service("e"))
    registry.delete("services", "n", "c")
    assert number(registry.create("services", "n", service("e"))) == 30002
    with pytest.raises(ApiError, match="are taken"):
        registry.create("services", "n", service("c"))


def test_a_dry_run_reserves_nothing(registry):
    assert number(registry.create("services", "n", service("a"), dry_run=True)) == 30000
    assert number(registry.create("services", "n", service("b"))) == 30000
