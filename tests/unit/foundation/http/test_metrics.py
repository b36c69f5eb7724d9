from prometheus_client.parser import text_string_to_metric_families

from include.foundation.http.metrics import RequestMetrics


def test_each_process_has_metrics_of_its_own() -> None:
    one, other = RequestMetrics(), RequestMetrics()
    one.requests.labels("predict", 200).inc()
    found = [
        {family.name: family for family in text_string_to_metric_families(each.text().decode())}
        for each in (one, other)
    ]
    assert found[0]["flightline_requests"].samples[0].value == 1
    assert found[1]["flightline_requests"].samples == []
    assert "this replica" in found[0]["flightline_requests"].documentation
