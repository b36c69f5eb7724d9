import socket

from sandbox.cluster import ports


def pod():
    containers = [
        {"name": "a", "ports": [{"containerPort": 8080, "name": "http"}, {"containerPort": 9090, "name": "metrics"}]},
        {"name": "b"},
    ]
    return {"metadata": {"annotations": {"own": "1"}}, "spec": {"containers": containers}}


def test_each_declared_port_is_mapped_once_and_kept():
    item = pod()
    ports.assign(item, set())
    first = ports.assigned(item)
    assert first.keys() == {"8080", "9090"}
    assert len(set(first.values())) == 2
    assert item["metadata"]["annotations"]["own"] == "1"
    ports.assign(item, set(first.values()))
    assert ports.assigned(item) == first


def test_taken_ports_are_avoided(monkeypatch):
    offered = iter([1, 1, 2, 3])
    monkeypatch.setattr(ports, "free_port", lambda: next(offered))
    item = pod()
    ports.assign(item, {1})
    assert sorted(ports.assigned(item).values()) == [2, 3]


def test_a_port_that_somebody_takes_is_busy_and_is_changed_alone():
    item = pod()
    ports.assign(item, set())
    first = ports.assigned(item)
    a, b = item["spec"]["containers"]
    assert ports.busy(item, a) == []
    with socket.create_server((ports.HOST, first["8080"])):
        assert ports.busy(item, a) == ["8080"]
        assert ports.busy(item, b) == []
        ports.assign(item, set(first.values()), ["8080"])
        assert ports.busy(item, a) == []
    assert ports.assigned(item)["8080"] != first["8080"]
    assert ports.assigned(item)["9090"] == first["9090"]


def test_targets_and_variables():
    item = pod()
    ports.assign(item, set())
    real = ports.assigned(item)
    assert ports.real_port(item, "http") == ports.real_port(item, 8080) == ports.real_port(item, "8080") == real["8080"]
    assert ports.real_port(item, 5432) == 5432  # not declared: it is what it says
    assert ports.real_port(item, "no-such-name") is None
    a, b = item["spec"]["containers"]
    assert ports.variables(item, a) == {
        "HOST": "127.0.0.1",
        "PORT": str(real["8080"]),
        "PORT_8080": str(real["8080"]),
        "PORT_9090": str(real["9090"]),
    }
    assert ports.variables(item, b) == {}
