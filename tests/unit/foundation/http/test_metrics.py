from prometheus_client.parser import text_string_to_metric_families

from include.foundation.http.metrics import RequestMetrics


def test_each_process_has_metrics_of_its_own() -> None:
    one, other = RequestMetrics("test"), RequestMetrics("test")
    one.requests.labels("predict", 200).inc()
    found = [
        {family.name: family for family in text_string_to_metric_families(each.text().decode())}
        for each in (one, other)
    ]
    assert found[0]["flightline_test_requests"].samples[0].value == 1
    assert found[1]["flightline_test_requests"].samples == []
    assert "this replica" in found[0]["flightline_test_requests"].documentation


def test_every_sample_carries_the_labels_of_its_process() -> None:
    metrics = RequestMetrics("test", stage="production")
    metrics.requests.labels("predict", 200).inc()
    metrics.seconds.labels("predict").observe(0.1)
    for _ in range(2):  # a scrape leaves nothing behind
        samples = [
            sample for each in text_string_to_metric_families(metrics.text().decode()) for sample in each.samples
        ]
        assert {sample.labels["stage"] for sample in samples} == {"production"}
    assert {"endpoint", "code", "stage"} in [set(sample.labels) for sample in samples]
