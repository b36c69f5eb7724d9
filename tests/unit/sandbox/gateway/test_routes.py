import pytest

from sandbox.gateway.routes import Configuration, Unsupported

READY = {("n", "old", 80): [("127.0.0.1", 1001)], ("n", "new", 80): [("127.0.0.1", 2001), ("127.0.0.1", 2002)]}
STRIP = {"type": "URLRewrite", "urlRewrite": {"path": {"type": "ReplacePrefixMatch", "replacePrefixMatch": "/"}}}


def route(*, weights=(("old", 90), ("new", 10)), filters=(STRIP,), match=None):
    path = {"path": {"type": "PathPrefix", "value": "/production/rain"}} if match is None else match
    backends = [{"name": name, "port": 80, "weight": weight} for name, weight in weights]
    rule = {"matches": [path], "filters": list(filters), "backendRefs": backends}
    return {"metadata": {"namespace": "n", "name": "rain"}, "spec": {"rules": [rule]}}


def configured(made):
    configuration = Configuration()
    configuration.add(made, lambda *key: READY.get(key))
    return configuration


def test_weights_and_a_path_that_is_taken_away():
    http = configured(route()).document()["http"]
    assert http["services"]["n-rain-0"] == {
        "weighted": {"services": [{"name": "n-old-80", "weight": 90}, {"name": "n-new-80", "weight": 10}]}
    }
    servers = http["services"]["n-new-80"]["loadBalancer"]["servers"]
    assert servers == [{"url": "http://127.0.0.1:2001"}, {"url": "http://127.0.0.1:2002"}]
    assert http["middlewares"]["n-rain-0"] == {"stripPrefix": {"prefixes": ["/production/rain"]}}
    assert http["routers"]["n-rain-0"]["rule"] == "Path(`/production/rain`) || PathPrefix(`/production/rain/`)"


def test_a_mirror_is_beside_who_answers():
    copy = {"type": "RequestMirror", "requestMirror": {"backendRef": {"name": "new", "port": 80}, "percent": 50}}
    services = configured(route(weights=(("old", 100), ("new", 0)), filters=(STRIP, copy))).document()["http"][
        "services"
    ]
    assert services["n-rain-0"] == {
        "mirroring": {"service": "n-rain-0-answered", "mirrors": [{"name": "n-new-80", "percent": 50}]}
    }
    assert services["n-rain-0-answered"]["weighted"]["services"] == [{"name": "n-old-80", "weight": 100}]


def test_a_service_that_is_not_there_is_told_and_has_no_servers():
    found = configured(route(weights=(("gone", 1),)))
    assert found.missing == {"n/gone"}
    assert found.document()["http"]["services"]["n-gone-80"] == {"loadBalancer": {"servers": []}}


@pytest.mark.parametrize(
    "change",
    [
        {"filters": [{"type": "RequestRedirect"}]},
        {"match": {"path": {"type": "RegularExpression", "value": "/.*"}}},
        {"match": {"headers": [{"name": "x", "value": "y"}]}},
        {"match": {"path": {"type": "PathPrefix", "value": "/`) || Path(`/"}}},
    ],
)
def test_what_is_left_out_is_refused_and_nothing_of_the_route_stays(change):
    configuration = Configuration()
    with pytest.raises(Unsupported):
        configuration.add(route(**change), lambda *key: READY.get(key))
    assert configuration.document() == {}


def test_host_names_keep_routes_apart():
    made = route(match={})
    made["spec"]["hostnames"] = ["ada.localhost", "eve.localhost"]
    rule = configured(made).document()["http"]["routers"]["n-rain-0"]["rule"]
    assert rule == "(Host(`ada.localhost`) || Host(`eve.localhost`)) && (Path(`/`) || PathPrefix(`/`))"
    for name in ("*.localhost", "a`) || Host(`b"):
        made["spec"]["hostnames"] = [name]
        with pytest.raises(Unsupported, match="host names"):
            configured(made)
