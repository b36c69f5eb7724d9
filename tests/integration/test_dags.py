"""The Dags for real, in a sandbox of the test's own, on three days of real data: each once, then as things go wrong.

The tests build on each other, in this order.
"""

import json
import os
import re
import signal
import subprocess
import threading
import time
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import httpx
import polars as pl
import psycopg
import pytest
from playwright.sync_api import expect
from polars.testing import assert_frame_equal

from include.foundation.evidence.verdict import Verdict, text_digest
from include.foundation.lake import Lake, tables
from include.foundation.lake.change import Replace
from include.foundation.lake.commit import TableWriter, replace_days
from include.foundation.spec import load
from include.stages import registry
from include.stages.observability.panels import rows
from sandbox import metrics
from sandbox.airflow.api import DONE
from sandbox.supervisor.service import REPO, python
from tests.integration import trips

pytestmark = [pytest.mark.integration, pytest.mark.long, pytest.mark.timeout(900)]

SPEC = load("flight_delays")
TRIALS = 6
SERVED = {"crowding": {"class", "probabilities"}, "duration": {"value"}}  # what the kinds' answers say
DAYS = {"start_date": "", "end_date": ""}
PREFILLED = {
    "flight_delays.ingest": DAYS,
    "flight_delays.features": DAYS,
    "flight_delays.train": {
        **{name: str(getattr(SPEC.training, name)) for name in ("trials", "parallelism", "window_days", "seed")},
        **{"end_date": "", "rerun": "0"},
    },
    "flight_delays.promote": {"version": "", "until": "production"},
    "flight_delays.score": {**DAYS, "version": ""},
    "flight_delays.predictions": {},
    "flight_delays.monitor": {},
    "platform.replay": {"table": "quarantine.crowding__trips", **dict.fromkeys(("run", "reason"), ""), **DAYS},
    "platform.maintain": {"keep_days": "7", "orphan_days": "3", "min_files": "4", "dry_run": "on"},
}


@pytest.fixture(scope="module")
def api(sandbox):
    command = [str(python("sandbox")), "-m", "sandbox.demo.landing", "--from", "2013-01-01", "--to", "2013-01-03"]
    subprocess.run(command, cwd=REPO, env=sandbox.endpoints.shell_env, check=True)
    sandbox.api.wait_for_dags(
        *(f"{SPEC.name}.{stage}" for stage in ("ingest", "features", "train", "promote", "score"))
    )
    return sandbox.api


@pytest.fixture(scope="module")
def lake(sandbox):
    return Lake.from_env(sandbox.endpoints.trainer_env)


@pytest.fixture(scope="module")
def mlflow(sandbox):
    from mlflow import MlflowClient

    return MlflowClient(tracking_uri=sandbox.endpoints.url("mlflow"), registry_uri=sandbox.endpoints.url("mlflow"))


def task_states(api, dag_id, run_id):
    """State of each task."""
    return {task["task_id"]: task["state"] for task in api.tasks(dag_id, run_id)}


def finish(api, dag_id, run_id, *, timeout=300):
    """Wait for a run; returns its state and the failed tasks' logs."""
    logs = [
        api.log(dag_id, run_id, task["task_id"], try_number=task["try_number"], map_index=task["map_index"])
        for task in api.follow(dag_id, run_id, timeout=timeout)
        if task["state"] == "failed"
    ]
    return api.run(dag_id, run_id)["state"], "\n".join(logs)


def ingest(api, first, last):
    run_id = api.trigger("flight_delays.ingest", {"start_date": first, "end_date": last})
    state, logs = finish(api, "flight_delays.ingest", run_id)
    assert state == "success", logs
    return run_id


def next_run(api, dag_id, *, after, timeout=120):
    """The newest run of a Dag beyond the first `after` ones, when it has ended."""
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        runs = api.runs(dag_id)
        if len(runs) > after and all(run["state"] in {"success", "failed"} for run in runs):
            return runs[0]
        time.sleep(1)
    raise AssertionError(f"{dag_id} has {len(api.runs(dag_id))} runs after {timeout} s")


def test_a_range_of_days_becomes_silver_and_one_feature_run(api, lake):
    run_id = ingest(api, "2013-01-01", "2013-01-03")
    totals = api.xcom("flight_delays.ingest", run_id, "reconcile")
    assert totals["flights"]["landed"] == totals["flights"]["silver"] + totals["flights"]["quarantined"] == 2699
    run = next_run(api, "flight_delays.features", after=0)
    assert (run["state"], run["partition_key"]) == ("success", "2013-01")
    gold = tables.read(lake, SPEC.gold)
    assert gold.height == totals["flights"]["silver"]
    assert (gold["known_at"] <= gold["event_time"]).all()


def test_three_days_are_not_enough_for_the_policy(api):
    run = next_run(api, "flight_delays.train", after=0)
    states = {task["task_id"]: task["state"] for task in api.tasks("flight_delays.train", run["dag_run_id"])}
    assert (run["state"], states["due"], states["freeze"]) == ("success", "success", "skipped")


def test_days_again_and_out_of_order_leave_the_same_rows(api, lake):
    def silver():
        frame = tables.read(lake, SPEC.table("silver", "flights"))
        return frame.sort(frame.columns)

    before, gold = silver(), tables.read(lake, SPEC.gold).sort("id")
    ingest(api, "2013-01-03", "2013-01-03")
    ingest(api, "2013-01-01", "2013-01-02")
    assert silver().equals(before)
    next_run(api, "flight_delays.features", after=2)
    assert tables.read(lake, SPEC.gold).sort("id").equals(gold)


@pytest.mark.parametrize("prefilled", [False, True], ids=["by program", "by the browser's form"])
@pytest.mark.parametrize(
    ("form", "said"),
    [
        (("2014-01-01", "2014-01-02"), "is not within 2013-01-01 to 2013-12-30"),
        (("2013-01-02", "2013-01-01"), "start_date 2013-01-02 lies after end_date 2013-01-01"),
        ((None, None), "is not within 2013-01-01 to 2013-12-30"),
    ],
)
def test_a_form_that_asks_for_nothing_is_refused_at_once(api, form, said, prefilled):
    logical_date = datetime.now(UTC).isoformat() if prefilled else None
    run_id = api.trigger("flight_delays.ingest", dict(zip(("start_date", "end_date"), form, strict=True)), logical_date)
    state, logs = finish(api, "flight_delays.ingest", run_id)
    assert state == "failed"
    assert said in logs or (not logical_date and "this run has no data interval" in logs)


def test_a_failed_run_is_told_to_people_with_reason_and_remedy(api):
    told: list[str] = []

    class Webhook(BaseHTTPRequestHandler):
        def do_POST(self):
            told.append(json.loads(self.rfile.read(int(self.headers["content-length"])))["text"])
            self.send_response(200)
            self.end_headers()

    with HTTPServer(("127.0.0.1", 0), Webhook) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        where = {"conn_type": "http", "host": "127.0.0.1", "port": server.server_port}
        api.request("POST", "/connections", json={"connection_id": "notices", **where})
        run_id = api.trigger("flight_delays.ingest", {"start_date": "2013-01-03", "end_date": "2013-01-01"})
        assert finish(api, "flight_delays.ingest", run_id)[0] == "failed"
        deadline = time.monotonic() + 60
        while not told and time.monotonic() < deadline:
            time.sleep(0.2)
        api.request("DELETE", "/connections/notices")
        server.shutdown()
    (text,) = told
    assert text.startswith("*flight_delays.ingest failed*\n**plan** failed: ")
    assert f"/dags/flight_delays.ingest/runs/{run_id}" in text


def press(pages, dag_id, **fields):
    """Fill a Dag's trigger form in the browser, which must open as it should, and press its button."""
    form = pages.form(dag_id, asks=bool(PREFILLED[dag_id]))
    assert pages.values(form) == PREFILLED[dag_id]
    return pages.trigger(form, **fields)


@pytest.mark.parametrize(
    ("dag_id", "fields", "state", "said"),
    [
        ("flight_delays.ingest", {}, "failed", "is not within 2013-01-01 to 2013-12-30"),
        (
            "flight_delays.ingest",
            {"start_date": "2013-01-02", "end_date": "2013-01-01"},
            "failed",
            "lies after end_date",
        ),
        (
            "flight_delays.ingest",
            {"start_date": "2013-01-03", "end_date": "2013-01-03"},
            "success",
            "flights 914 landed",
        ),
        ("flight_delays.features", {}, "failed", "this run has no data interval"),
        (
            "flight_delays.features",
            {"start_date": "2013-01-03", "end_date": "2013-01-03"},
            "success",
            "gold of 2013-01-",
        ),
        ("flight_delays.promote", {"version": "999"}, "failed", "999"),
        (
            "flight_delays.score",
            {"start_date": "2013-01-01", "end_date": "2013-01-03"},
            "failed",
            "there is no champion to score with",
        ),
        ("flight_delays.predictions", {}, "failed", "nothing was logged yet"),
        ("flight_delays.monitor", {}, "failed", "there is no champion to watch"),
        ("platform.replay", {"reason": "cold"}, "failed", "nothing was ingested, so nothing is to be judged again"),
        ("platform.maintain", {"dry_run": True}, "success", "rows; in a dry run"),
    ],
)
def test_a_form_in_the_browser_does_what_it_says_or_shows_why_not(api, pages, dag_id, fields, state, said):
    run_id = press(pages, dag_id, **fields)
    assert finish(api, dag_id, run_id)[0] == state
    for task in api.tasks(dag_id, run_id):
        if task["state"] == "success":
            log = api.log(dag_id, run_id, task["task_id"], map_index=task["map_index"])
            assert "Returned value was" not in log
    expect(pages.run(dag_id, run_id).get_by_text(said).first).to_be_visible()


def test_the_menu_leads_to_the_systems_beside_airflow(pages, sandbox):
    pages.page.goto("/")
    for name, url in (("MLflow", sandbox.endpoints.url("mlflow")), ("Endpoints", "/flightline/endpoints")):
        pages.page.get_by_role("button", name="Browse", exact=True).click()
        with pages.context.expect_page() as opened:
            pages.page.get_by_role("menuitem", name=name).click()
        expect(opened.value).to_have_url(re.compile(re.escape(url)))
        expect(opened.value).to_have_title(re.compile(name))
        opened.value.close()


def trial_processes():
    """Process ids of the trial workers, by worker."""
    found = {}
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().split(b"\0")
        except OSError:
            continue
        if b"include.steps" in words and b"trial" in words and b"python" in words[0]:
            found[words[words.index(b"--worker") + 1].decode()] = int(path.parent.name)
    return found


def test_training_survives_a_killed_worker_and_a_killed_scheduler(api, sandbox, mlflow, pages):
    run_id = press(pages, "flight_delays.train", trials=str(TRIALS), parallelism="2", window_days="3")
    deadline = time.monotonic() + 120
    while len(workers := trial_processes()) < 2 and time.monotonic() < deadline:
        time.sleep(0.2)
    assert sorted(workers) == ["worker-0", "worker-1"]
    time.sleep(3)
    os.kill(workers["worker-0"], signal.SIGKILL)
    os.kill(sandbox.services()["scheduler"]["pid"], signal.SIGKILL)

    most = 0
    done = threading.Event()

    def watch():
        nonlocal most
        at = sandbox.endpoints
        headers = {"Authorization": f"Bearer {at.secrets.cluster_token}"}
        while not done.wait(0.5):
            pods = httpx.get(f"{at.url('cluster')}/api/v1/namespaces/flightline/pods", headers=headers).json()["items"]
            running = [
                pod["spec"]["containers"][0]["args"][-1]
                for pod in pods
                if pod["status"]["phase"] in {"Pending", "Running"}
            ]
            most = max(most, *(running.count(worker) for worker in ("worker-0", "worker-1")))

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        state, logs = finish(api, "flight_delays.train", run_id, timeout=600)
    finally:
        done.set()
        watcher.join()
    prepared = api.xcom("flight_delays.train", run_id, "freeze")
    states = task_states(api, "flight_delays.train", run_id)
    gate = registry.get(mlflow, "flight_delays", "1").gate
    # One day of holdout may be too little for the gates; then the verdict fails closed, and nothing else does.
    assert (state, gate) in {("success", "passed"), ("failed", "failed")}, logs
    assert {task for task, state in states.items() if state != "success"} <= {"verdict"}, logs
    assert most == 1, "two pods of one worker at once"
    parent = mlflow.get_run(prepared["run_id"])
    trials = mlflow.search_runs(
        [parent.info.experiment_id], f"tags.`mlflow.parentRunId` = '{parent.info.run_id}'", max_results=100
    )
    finished = [trial for trial in trials if trial.info.status == "FINISHED"]
    names = [trial.info.run_name for trial in finished]
    assert len(names) == len(set(names)) <= TRIALS
    assert len(finished) >= TRIALS - 1, "only the killed worker's open trial may be lost"
    assert [each.version for each in mlflow.search_model_versions("name = 'flight_delays'")] == ["1"]


def answer(api, run_id, option, *, use_case="flight_delays", timeout=120):
    """Answer each time the run asks: Airflow may lose an answer that comes at once, and then it asks again."""
    dag_id, deadline = f"{use_case}.promote", time.monotonic() + timeout
    while (state := task_states(api, dag_id, run_id).get("approve")) != "success":
        assert time.monotonic() < deadline, f"approve is {state}"
        if state == "awaiting_input":
            api.approve(dag_id, run_id, "approve", option=option)
        time.sleep(1)


def pass_gates(mlflow, version):
    """Write the verdict that gates write when all pass."""
    found = registry.get(mlflow, "flight_delays", version)
    texts = {path: "true\n" if path.endswith("md") else "{}" for path in ("gates/report.md", "gates/report.json")}
    for path, text in texts.items():
        mlflow.log_text(found.run_id, text, path)
    verdict = Verdict(
        gate="passed",
        champion="none",
        run_manifest=found.manifest().digest,
        model=found.digest,
        reports={path: text_digest(text) for path, text in texts.items()},
    )
    tags = {**verdict.tags(), "gate_champion": "none", "gate": "passed"}
    registry.tag(mlflow, "flight_delays", version, tags)


def promote(api, version):
    run_id = api.trigger("flight_delays.promote", {"version": version})
    answer(api, run_id, "Approve")
    return (run_id, *finish(api, "flight_delays.promote", run_id))


def served(sandbox, stage):
    at = sandbox.endpoints
    headers = {"Authorization": f"Bearer {at.secrets.cluster_token}"}
    url = f"{at.url('cluster')}/apis/apps/v1/namespaces/flightline-{stage}/deployments"
    query = {"labelSelector": "app.kubernetes.io/name=flight-delays"}
    (deployment,) = httpx.get(url, headers=headers, params=query).json()["items"]
    return deployment["metadata"]["annotations"]["flightline/model-version"]


def answer_in_browser(api, pages, run_id, option):
    """The same, pressed by a person who has read the question; returns it."""
    deadline, text = time.monotonic() + 240, ""
    while (state := task_states(api, "flight_delays.promote", run_id).get("approve")) != "success":
        assert time.monotonic() < deadline, f"approve is {state}"
        if state == "awaiting_input":
            text = pages.question("flight_delays.promote", run_id, "approve")
            pages.answer(option)
        time.sleep(1)
    return text


def test_the_approver_can_decide_on_one_page_and_reject(api, mlflow, pages):
    for waiting in api.runs("flight_delays.promote"):  # the one that the model asset started
        if waiting["state"] != "failed":
            answer(api, waiting["dag_run_id"], "Reject")
            finish(api, "flight_delays.promote", waiting["dag_run_id"])
    pass_gates(mlflow, "1")  # whatever three days of data said
    run_id = press(pages, "flight_delays.promote", version="1")
    text = answer_in_browser(api, pages, run_id, "Reject")
    for words in (
        "Promote flight_delays version 1 to production?",
        "there is no champion today",
        "2013-01-01 to before 2013-01-03",
        "serves now",
        "Reject changes nothing that serves",
        "If nobody answers by",
        "Curves",
        "staging in Argo CD",
    ):
        assert words in text
    state, logs = finish(api, "flight_delays.promote", run_id)
    assert state == "failed"
    assert "was rejected by admin at" in logs
    expect(pages.run("flight_delays.promote", run_id).get_by_text("was rejected by admin").first).to_be_visible()
    assert registry.champion(mlflow, "flight_delays") is None


def test_an_approved_version_is_served_and_becomes_champion(api, sandbox, mlflow, pages):
    run_id = press(pages, "flight_delays.promote", version="1")
    answer_in_browser(api, pages, run_id, "Approve")
    state, logs = finish(api, "flight_delays.promote", run_id)
    assert state == "success", logs
    champion = registry.champion(mlflow, "flight_delays")
    assert champion.version == "1"
    assert any(
        key.startswith("answer.") and value.startswith("approved by admin") for key, value in champion.tags.items()
    )
    assert served(sandbox, "staging") == served(sandbox, "production") == "1"
    endpoint = api.xcom("flight_delays.promote", run_id, "rollout.production.smoke", key="endpoint")
    assert httpx.get(f"{endpoint}/v2/health/ready").status_code == 200


def test_every_panel_of_the_dashboard_has_something_to_show(sandbox):
    """By what the Dags pushed and the endpoints say; what a monitor has seen is not there before there was one."""
    if not metrics.programs():
        pytest.skip("Prometheus is not there: `make .venv/prometheus/ready` fetches it where apt-get can")
    url = sandbox.endpoints.url("prometheus")
    empty = [("none", "was asked yet")]

    def series(query):
        answer = httpx.get(f"{url}/api/v1/query", params={"query": query.expr})
        return answer.raise_for_status().json()["data"]["result"]

    panels = [panel for row in rows(SPEC).values() for panel in row]
    deadline = time.monotonic() + 120
    while empty and time.monotonic() < deadline:
        time.sleep(2)
        empty = [
            (panel.title, query.expr)
            for panel in panels
            for query in panel.queries
            if "flightline_monitor_" not in query.expr and not series(query)
        ]
    assert not empty
    rules = httpx.get(f"{url}/api/v1/rules").json()["data"]["groups"]
    assert {rule["health"] for group in rules for rule in group["rules"]} == {"ok"}


def test_links_of_tasks_lead_to_pages_that_answer(api, sandbox, pages):
    train = next(run for run in api.runs("flight_delays.train") if run["run_type"] == "manual")
    promotion = api.runs("flight_delays.promote")[0]
    shown = {
        ("flight_delays.train", train["dag_run_id"], "freeze", "MLflow run"): "holdout_auc",
        ("flight_delays.promote", promotion["dag_run_id"], "approve", "Model version"): "Trained on 2013-01-01",
        ("flight_delays.promote", promotion["dag_run_id"], "set_champion", "Model version"): "model_digest",
        ("flight_delays.promote", promotion["dag_run_id"], "rollout.staging.smoke", "Endpoint"): "flight_delays",
    }
    for (dag_id, run_id, task_id, name), words in shown.items():
        page = pages.linked(dag_id, run_id, task_id, name)
        expect(page.get_by_text(words).first).to_be_visible()
        page.close()


def test_the_plots_of_a_version_are_drawn_where_the_approver_is_led(api, pages):
    run_id = api.runs("flight_delays.promote")[0]["dag_run_id"]
    url = re.search(r"\[Curves\]\((\S+?)\)", api.xcom("flight_delays.promote", run_id, "choose")["body"])[1]
    page = pages.context.new_page()
    page.goto(url)
    plots = page.frame_locator("iframe").first
    for title in ("ROC", "Precision and recall", "Calibration"):
        expect(plots.get_by_text(title, exact=True)).to_be_visible()
    assert plots.locator("svg").first.bounding_box()["height"] > 100
    page.close()


def test_from_airflows_menu_to_which_model_serves_and_why(pages, lake):
    """The pages of Discover on what the Dags really left: the way of a new user, by what is seen alone."""
    pages.page.goto("/")
    pages.page.get_by_role("link", name="Flightline", exact=True).click()
    shown = pages.page.frame_locator("iframe")
    card = shown.locator("section.card").filter(has_text="flight_delays")
    for words in ("champion since", "2013-01-01 to 2013-01-03", "approved by admin", "production: version 1"):
        expect(card).to_contain_text(words)
    card.get_by_role("link", name="version 1").first.click()
    expect(shown.get_by_role("heading", name="Version 1")).to_be_visible()
    expect(shown.get_by_role("link", name="Its training in Airflow")).to_be_visible()
    expect(shown.locator("svg").first).to_be_visible()
    shown.get_by_role("link", name=SPEC.gold, exact=True).click()
    expect(shown.locator("h1")).to_contain_text(SPEC.gold)
    expect(shown.locator("body")).to_contain_text(f"{tables.read(lake, SPEC.gold).height:,}")
    shown.get_by_role("link", name="Query", exact=True).click()
    shown.locator("#sql").fill(f"SELECT carrier, count(*) AS flights FROM {SPEC.gold} GROUP BY carrier ORDER BY 2 DESC")
    shown.get_by_role("button", name="Run").click()
    expect(shown.locator("body")).to_contain_text("rows in")
    shown.get_by_role("button", name="Draw").click()
    expect(shown.locator("#chart svg")).to_be_visible()


def test_argo_cds_page_asks_for_the_login_that_the_sandbox_prints(sandbox, pages):
    at = sandbox.endpoints
    url = f"{at.url('argocd')}/applications/argocd/flight-delays-production"
    assert pages.context.request.get(url).status == 401
    login = {"username": "admin", "password": at.secrets.argocd_password}
    context = pages.context.browser.new_context(http_credentials=login)
    page = context.new_page()
    page.goto(url)
    for words in ("stand-in for Argo CD", "Healthy", "Deploy flight_delays version 1 to production"):
        expect(page.get_by_text(words).first).to_be_visible()
    context.close()


@pytest.fixture(scope="module")
def second(mlflow):
    """The first version once more."""
    first = mlflow.get_model_version("flight_delays", "1")
    return mlflow.create_model_version("flight_delays", first.source, first.run_id, tags=dict(first.tags)).version


def mark(api, run_id, task_id, state, *, timeout=180):
    """Set a task's state as the button of its page does, once it observes."""
    dag_id, deadline = "flight_delays.promote", time.monotonic() + timeout
    while task_states(api, dag_id, run_id).get(task_id) not in {"running", "deferred"}:
        assert time.monotonic() < deadline, f"{task_id}: {task_states(api, dag_id, run_id)}"
        time.sleep(0.5)
    api.request("PATCH", f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}", json={"new_state": state})


def test_a_person_hastens_a_rollout_and_ends_it(api, sandbox, mlflow, second):
    run_id = api.trigger("flight_delays.promote", {"version": second})
    answer(api, run_id, "Approve")
    mark(api, run_id, "rollout.production.shadow_50.observe", "success")
    mark(api, run_id, "rollout.production.canary_10.observe", "failed")
    state, logs = finish(api, "flight_delays.promote", run_id)
    assert state == "failed"
    assert "version 2 was not promoted, and its commits are reverted by" in logs
    assert "rollout.production.canary_10.observe" in logs
    assert registry.champion(mlflow, "flight_delays").version == "1"
    assert served(sandbox, "staging") == served(sandbox, "production") == "1"
    assert "rejected" not in mlflow.get_model_version("flight_delays", second).tags


def test_a_promotion_that_fails_goes_back_by_itself(api, sandbox, mlflow, second):
    with psycopg.connect(sandbox.endpoints.dsn("online")) as connection:
        # From here on the endpoint computes other features than training did: the smoke test must see it.
        connection.execute("DELETE FROM online.history WHERE view <> 'register'")
    _, state, logs = promote(api, second)
    assert state == "failed"
    assert re.search(
        r"version 2 was not promoted, and its commits are reverted by [0-9a-f]{12}; the champion is still 1", logs
    )
    assert "rollout.staging.smoke: GateFailed: record" in logs
    assert registry.champion(mlflow, "flight_delays").version == "1"
    assert served(sandbox, "staging") == served(sandbox, "production") == "1"


def test_a_version_that_failed_its_gates_is_not_promoted(api, mlflow):
    mlflow.set_model_version_tag("flight_delays", "2", "gate", "failed")
    run_id = api.trigger("flight_delays.promote", {"version": "2"})
    state, logs = finish(api, "flight_delays.promote", run_id)
    assert state == "failed"
    assert "only a version that passed is promoted" in logs
    assert "nothing had been committed" in logs


def backfilled(api, dag_id, start, end):
    """Run the schedule's own runs from `start` to `end` (ISO 8601), one after the other."""
    body = {"dag_id": dag_id, "from_date": start, "to_date": end, "max_active_runs": 1}
    api.request("POST", "/backfills", json=body)
    deadline = time.monotonic() + 300
    while not (runs := api.runs(dag_id)) or any(run["state"] not in DONE for run in runs):
        assert time.monotonic() < deadline, runs
        time.sleep(1)
    return runs


def test_each_hour_is_ingested_by_its_own_run(api, lake):
    trips.land(lake, "duration")
    runs = backfilled(api, "duration.ingest", "2024-03-01T00:00:00Z", "2024-03-01T01:00:00Z")
    ended = [finish(api, "duration.ingest", run["dag_run_id"]) for run in runs]
    assert [state for state, _ in ended] == ["success", "success"], ended
    silver = tables.read(lake, "silver.duration__trips")
    assert sorted(silver["at"].dt.hour().unique()) == [0, 1]
    landed = [api.xcom("duration.ingest", run["dag_run_id"], "publish")[0]["landed"] for run in runs]
    assert silver.height == max(landed) < trips.ROWS


def promotion_of(api, name, *, timeout=600):
    """The promotion that the use case's own Dags start; fails as soon as one of them does."""
    deadline = time.monotonic() + timeout
    while not (runs := api.runs(f"{name}.promote")):
        for dag_id in (f"{name}.{stage}" for stage in ("ingest", "features", "train")):
            for run in api.runs(dag_id):
                assert run["state"] != "failed", finish(api, dag_id, run["dag_run_id"])
        assert time.monotonic() < deadline, f"nothing promotes {name} after {timeout} s"
        time.sleep(1)
    return runs[0]["dag_run_id"]


def test_a_use_case_of_each_kind_goes_from_files_to_an_endpoint(api, lake):
    trips.land(lake, "crowding")
    asked = {"start_date": str(trips.DAYS[0]), "end_date": str(trips.DAYS[-1])}
    for name in SERVED:  # both at once: they wait for processes that start more than for each other
        api.trigger(f"{name}.ingest", asked)
    for name, fields in SERVED.items():
        waiting = promotion_of(api, name)
        answer(api, waiting, "Approve", use_case=name)
        state, logs = finish(api, f"{name}.promote", waiting)
        assert state == "success", logs
        endpoint = api.xcom(f"{name}.promote", waiting, "rollout.production.smoke", key="endpoint")
        record = {"at": "2024-03-10T08:00:00Z", "place": "north", "hour": 8, "warmth": 0.5}
        (said,) = httpx.post(f"{endpoint}/v1/models/{name}/predict", json={"records": [record]}).json()
        assert fields < {*said}
        assert tables.read(lake, f"gold.{name}").height == len(trips.DAYS) * trips.ROWS


def told_by(api, dag_id, *, timeout=120):
    """Assets of which a Dag made events; Airflow answers with 500 while a run that an asset started is queued."""
    deadline = time.monotonic() + timeout
    while True:
        try:
            return {event["name"] for event in api.get("/assets/events", source_dag_id=dag_id)["asset_events"]}
        except httpx.HTTPStatusError:
            assert time.monotonic() < deadline
            time.sleep(1)


def test_rows_that_a_mended_contract_lets_in_reach_silver_gold_and_scores(api, lake):
    bronze, quarantine, silver = (f"{layer}.crowding__trips" for layer in ("bronze", "quarantine", "silver"))
    day, said = trips.DAYS[1], {"run_key": "too strict", "run_id": "too strict"}
    before = tables.read(lake, silver)
    refused = tables.read(lake, bronze, start=day, end=day).head(3)
    held = refused.with_columns(reasons=pl.concat_list(pl.lit("warmth: too cold")), run_id=pl.lit("too strict"))
    replace_days(lake, quarantine, held, [day], said)
    kept = before.filter(pl.col("event_date") == day, ~pl.col("trip").is_in(refused["trip"].implode()))
    replace_days(lake, silver, kept, [day], said)
    runs = {stage: len(api.runs(f"crowding.{stage}")) for stage in ("features", "score")}

    run_id = api.trigger("platform.replay", {"table": quarantine, "run": "too strict", "reason": "cold"})
    state, logs = finish(api, "platform.replay", run_id)
    assert state == "success", logs
    rows = {"landed": trips.ROWS, "silver": trips.ROWS, "quarantined": 0}
    assert api.xcom("platform.replay", run_id, "reconcile") == rows
    assert_frame_equal(tables.read(lake, silver), before, check_row_order=False)
    for stage, count in runs.items():
        run = next_run(api, f"crowding.{stage}", after=count)
        assert (run["state"], run["partition_key"]) == ("success", "2024-03"), stage

    scores, gold = tables.read(lake, "scores.crowding"), tables.read(lake, "gold.crowding")
    assert scores.height == gold.height == len(trips.DAYS) * trips.ROWS
    assert {*scores["version"]} == {"1"}
    assert scores.select(pl.col("probabilities").list.len()).to_series().unique().to_list() == [len(trips.CLASSES)]
    assert told_by(api, "platform.replay") == {silver}, "no other use case is told"

    asked = {"start_date": str(day), "end_date": str(day), "version": "1"}
    run_id = api.trigger("crowding.score", asked)
    assert finish(api, "crowding.score", run_id)[0] == "success"
    assert task_states(api, "crowding.score", run_id)["score"] == "skipped", "what is up to date is not done again"


def test_upkeep_merges_small_files_and_leaves_the_rows_as_they_are(api, lake):
    name, day = "silver.crowding__trips", trips.DAYS[0]
    before = tables.read(lake, name)
    rows = before.filter(pl.col("event_date") == day)
    writer = TableWriter(lake, name, schema=rows.schema, change=Replace(frozenset([day])))
    for part in rows.iter_slices(50):
        writer.write(part)
    writer.commit({})

    run_id = api.trigger("platform.maintain", {"min_files": 2})
    state, logs = finish(api, "platform.maintain", run_id)
    assert state == "success", logs
    names = api.xcom("platform.maintain", run_id, "tables")
    done = {
        each: api.xcom("platform.maintain", run_id, "maintain", map_index=index) for index, each in enumerate(names)
    }
    assert {"bronze.crowding__trips", name, "gold.crowding", "gold.duration"} < {*done}
    assert done[name]["merged"] == 3
    assert_frame_equal(tables.read(lake, name), before, check_row_order=False)
