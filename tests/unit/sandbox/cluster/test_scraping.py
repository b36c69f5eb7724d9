from types import SimpleNamespace

from sandbox.cluster import scraping

SERVICE = {"metadata": {"namespace": "n", "name": "s", "labels": {"app.kubernetes.io/part-of": "flightline"}}}
SUBSET = {
    "addresses": [{"ip": "127.0.0.1", "targetRef": {"name": "ready"}}],
    "notReadyAddresses": [{"ip": "127.0.0.1"}],
    "ports": [{"port": 4711, "name": "http"}],
}


def test_every_address_of_a_service_is_a_target() -> None:
    named = [{"metadata": {"namespace": "n", "name": name}, "subsets": [SUBSET]} for name in ("s", "without a service")]
    store = SimpleNamespace(list=lambda _: named, find=lambda *key: SERVICE if key == ("services", "n", "s") else None)
    ready, other = scraping.targets(store)
    assert ready["targets"] == other["targets"] == ["127.0.0.1:4711"]
    assert ready["labels"] == {
        "__meta_kubernetes_namespace": "n",
        "__meta_kubernetes_service_name": "s",
        "__meta_kubernetes_pod_name": "ready",
        "__meta_kubernetes_service_label_app_kubernetes_io_part_of": "flightline",
    }
    assert other["labels"]["__meta_kubernetes_pod_name"] == ""
