"""The promotion that runs, as the page of a use case shows it."""


def test_the_step_of_a_running_rollout_is_shown(site):
    site.login("viewer")
    assert "(deferred)" not in site.get("models/flight_delays").text
    site.promotion = "running"
    page = site.get("models/flight_delays").text
    assert "production, canary_10: observe (deferred)" in page
    assert 'href="/dags/flight_delays.promote/runs/run%201"' in page
    assert "staging: smoke" not in page


def test_without_an_answer_of_airflow_the_rest_is_shown(site, monkeypatch):
    from flightline.exceptions import AirflowAsked

    def refuse(*_, **__):
        raise AirflowAsked("Airflow answers 500")

    monkeypatch.setattr("flightline.ui.airflow_api.AirflowApi.get", refuse)
    page = site.login("viewer").get("models/flight_delays").text
    assert "whether a promotion runs is not known: Airflow answers 500" in page
    assert "version 2" in page
