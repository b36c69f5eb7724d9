"""A workspace as people use it: from Airflow's page into JupyterLab and the desktop; and what a second user finds.

The tests build on each other, in this order. Pictures for the documentation are left in .pytest_cache/screenshots.
"""

import base64
import json
import re
import subprocess
import time
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import urlsplit

import httpx
import pytest
from airflow.api_fastapi.auth.tokens import JWTGenerator
from playwright.sync_api import expect

from sandbox.airflow.api import AirflowApi
from sandbox.supervisor.service import REPO, python

pytestmark = [pytest.mark.integration, pytest.mark.workspace, pytest.mark.timeout(900)]
DAG, TRIALS, LAST = "platform.workspace", 4, "2013-01-05"
PICTURES = REPO / ".pytest_cache" / "screenshots"
SLOW_MS = 300_000


@pytest.fixture(scope="module")
def silver(sandbox):
    """Five days of real flights in silver."""
    command = [str(python("sandbox")), "-m", "sandbox.demo.landing", "--from", "2013-01-01", "--to", LAST]
    subprocess.run(command, cwd=REPO, env=sandbox.endpoints.shell_env, check=True)
    sandbox.api.wait_for_dags("flight_delays.ingest", "flight_delays.features", "flight_delays.train", DAG)
    run_id = sandbox.api.trigger("flight_delays.ingest", {"start_date": "2013-01-01", "end_date": LAST})
    assert {each["state"] for each in sandbox.api.follow("flight_delays.ingest", run_id)} == {"success"}


@pytest.fixture(scope="module")
def known():
    """What a test leaves for those after it."""
    return SimpleNamespace()


@pytest.fixture(scope="module")
def eve(sandbox):
    """A second user, who may start Dags and sees no Connections: his login, as Airflow's own makes it."""
    generator = JWTGenerator(
        secret_key=sandbox.endpoints.secrets.airflow_jwt_secret,
        audience="apache-airflow",
        issuer=None,
        valid_for=3600,
    )
    return generator.generate({"sub": "eve", "role": "user", "teams": None})


def test_one_starts_a_workspace_and_opens_it_at_the_notebook(sandbox, silver, pages, known):
    pages.page.goto("/plugin/flightline")
    frame = pages.page.frame_locator("iframe").first
    frame.get_by_role("link", name="Workspaces", exact=True).click()
    expect(frame.get_by_text("You have none.")).to_be_visible()
    frame.get_by_role("button", name="Start", exact=True).click()
    expect(frame.get_by_text("Asked for by")).to_be_visible()
    opens = frame.get_by_role("link", name="Open", exact=True)
    expect(opens).to_be_visible(timeout=SLOW_MS)
    pages.page.screenshot(path=PICTURES / "workspaces.png")
    (known.run,) = sandbox.api.runs(DAG)
    with pages.context.expect_page() as opened:
        opens.click()
    known.lab = opened.value
    known.lab.wait_for_url("**/lab/tree/silver_to_challenger.ipynb*")
    known.origin = "{0.scheme}://{0.netloc}".format(urlsplit(known.lab.url))
    known.name = urlsplit(known.lab.url).hostname.partition(".")[0]
    assert known.name.startswith("admin-")


def test_the_notebook_goes_from_silver_to_a_registered_challenger(sandbox, known):
    lab = known.lab
    expect(lab.get_by_text("Python 3 (ipykernel) | Idle")).to_be_visible(timeout=SLOW_MS)
    every = lab.get_by_role("menuitem", name="Run All Cells", exact=True)
    while not every.is_visible():  # a menu that opens while JupyterLab still loads closes again
        lab.keyboard.press("Escape")
        lab.get_by_role("menuitem", name="Run", exact=True).click()
        lab.wait_for_timeout(500)
    every.click()
    told = lab.locator(".jp-OutputArea-output", has_text="'feature code'")
    expect(told).to_be_visible(timeout=SLOW_MS)
    known.model = re.search(r"'model': '([0-9a-f]{64})'", told.inner_text())[1]
    expect(lab.get_by_text("official Jupyter news")).to_have_count(0)
    lab.set_viewport_size({"width": 1200, "height": 900})
    lab.screenshot(path=PICTURES / "workspace-notebook.png")
    url = f"{sandbox.endpoints.url('mlflow')}/api/2.0/mlflow/model-versions/get"
    version = httpx.get(url, params={"name": "flight_delays", "version": "1"}).json()["model_version"]
    tags = {each["key"]: each["value"] for each in version["tags"]}
    assert (tags["model_digest"], tags["gate"]) == (known.model, "failed"), "five days are too few for its gates"


def test_the_desktop_is_seen(pages, known):
    desktop = pages.context.new_page()
    desktop.set_viewport_size({"width": 1200, "height": 900})
    desktop.goto(f"{known.origin}/desktop/")
    expect(desktop.get_by_text("Connected")).to_be_visible()
    colours = "() => { const c = document.querySelector('canvas'); const d = c.getContext('2d').getImageData(0, 0, \
c.width, c.height).data; const s = new Set(); for (let i = 0; i < d.length; i += 4) s.add(d[i] << 16 | d[i+1] << 8 | \
d[i+2]); return s.size; }"
    deadline = time.monotonic() + 120
    while (seen := desktop.evaluate(colours)) < 100:  # a screen without a session is grey, or black
        assert time.monotonic() < deadline, f"the screen has {seen} colours"
        desktop.wait_for_timeout(500)
    desktop.screenshot(path=PICTURES / "workspace-desktop.png")
    desktop.close()


def test_a_second_user_sees_opens_and_stops_nothing(sandbox, pages, known, eve):
    at = sandbox.endpoints
    page = httpx.Client(base_url=f"{at.url('airflow')}/flightline/", cookies={"_token": eve})
    listed = page.get("workspaces")
    assert listed.status_code == 200, listed.text
    assert "You have none." in listed.text
    assert known.name not in listed.text
    assert page.get(f"workspaces/{known.name}/open").status_code == 404
    form = {"token": re.search(r'name="token" value="([^"]+)"', listed.text)[1], "hours": "8"}
    for action in ("stop", "extend"):
        assert page.post(f"workspaces/{known.name}/{action}", data=form).status_code == 404
    window = pages.context.browser.new_context().new_page()
    assert window.goto(f"{known.origin}/lab").url.startswith(f"{known.origin}/login"), "no token, no entry"
    window.context.close()
    # Outside of a browser no name below localhost is this machine: the gateway is asked for it.
    gateway = {"Host": urlsplit(known.origin).netloc}
    for path in ("api/contents", "api/terminals", "desktop/", "desktop-websockify/"):
        assert httpx.get(f"{at.url('gateway')}/{path}", headers=gateway).status_code in {302, 403}
    wrong = httpx.get(f"{at.url('gateway')}/api/contents", headers={**gateway, "Authorization": "token wrong"})
    assert wrong.status_code == 403
    assert httpx.get(f"{at.url('gateway')}/lab", headers={"Host": "evil.localhost"}).status_code == 404


def test_the_token_is_nowhere_that_airflow_or_a_log_keeps(sandbox, known):
    at, api = sandbox.endpoints, sandbox.api
    headers = {"Authorization": f"Bearer {at.secrets.cluster_token}"}
    url = f"{at.url('cluster')}/api/v1/namespaces/flightline-workspaces"
    held = httpx.get(f"{url}/secrets/{known.name}", headers=headers).json()["data"]["token"]
    token = base64.b64decode(held).decode()
    assert len(token) == 43
    run_id = known.run["dag_run_id"]
    for task in api.tasks(DAG, run_id):
        assert task["state"] == "success"
        assert token not in json.dumps(task)
        assert token not in api.log(DAG, run_id, task["task_id"])
        entries = f"/dags/{DAG}/dagRuns/{run_id}/taskInstances/{task['task_id']}/xcomEntries"
        assert token not in json.dumps(api.get(entries))
    assert token not in httpx.get(f"{url}/pods/{known.name}/log", headers=headers).text
    assert token not in httpx.get(f"{url}/pods/{known.name}", headers=headers).text
    logs = [path for path in Path(sandbox.home).rglob("*.log") if path.stat().st_size < 50_000_000]
    assert logs
    assert [path for path in logs if token in path.read_text(errors="replace")] == []
    assert known.run["triggering_user_name"] == "admin"


def test_a_workspace_is_the_second_users_own_and_opens_nothing_without_his_keys(sandbox, known, eve):
    at = sandbox.endpoints
    api = AirflowApi(url=at.url("airflow"), username="eve", password="")
    api._http.headers["Authorization"] = f"Bearer {eve}"
    run_id = api.trigger(DAG, {"cpus": 1, "memory_gib": 1})
    assert {each["task_id"]: each["state"] for each in api.follow(DAG, run_id)} == {
        "start": "success",
        "ready": "success",
    }
    headers = {"Authorization": f"Bearer {at.secrets.cluster_token}"}
    pods = httpx.get(f"{at.url('cluster')}/api/v1/namespaces/flightline-workspaces/pods", headers=headers).json()
    (hers,) = [each for each in pods["items"] if each["metadata"]["annotations"]["flightline/user"] == "eve"]
    (process,) = [path for path in Path("/proc").glob("[0-9]*") if _is(path, hers["metadata"]["name"])][:1]
    names = {word.partition(b"=")[0] for word in (process / "environ").read_bytes().split(b"\0")}
    assert not {b"AWS_SECRET_ACCESS_KEY", b"MLFLOW_TRACKING_URI", b"SIGOPT_API_TOKEN"} & names
    page = httpx.Client(base_url=f"{at.url('airflow')}/flightline/", cookies={"_token": eve})
    listed = page.get("workspaces").text
    assert hers["metadata"]["name"] in listed
    assert known.name not in listed


def _is(path, name):
    try:
        words, environ = (path / "cmdline").read_bytes(), (path / "environ").read_bytes()
    except OSError:
        return False
    return b"jupyterlab" in words and f"POD_NAME={name}".encode() in environ


def test_one_extends_it_and_stops_it_and_all_that_it_was_goes(sandbox, pages, known):
    at = sandbox.endpoints
    pages.page.goto("/flightline/workspaces")
    row = pages.page.locator("tr", has_text=known.name)
    before = row.inner_text()
    row.get_by_role("button", name="Extend").click()
    expect(row).not_to_have_text(before)
    row.get_by_role("button", name="Stop").click()
    expect(pages.page.locator("tr", has_text=known.name)).to_have_count(0, timeout=SLOW_MS)
    url = f"{at.url('cluster')}/api/v1/namespaces/flightline-workspaces"
    headers = {"Authorization": f"Bearer {at.secrets.cluster_token}"}
    deadline = time.monotonic() + 60
    while httpx.get(f"{url}/secrets/{known.name}", headers=headers).status_code != 404:
        assert time.monotonic() < deadline
        time.sleep(0.5)
    claims = httpx.get(f"{url}/persistentvolumeclaims", headers=headers).json()["items"]
    assert "home-admin" in {each["metadata"]["name"] for each in claims}


def test_the_dags_own_form_refuses_too_much_in_words_and_leads_to_what_it_started(sandbox, pages):
    form = pages.form(DAG)
    assert pages.values(form) == {"image": "", "cpus": "2", "memory_gib": "4", "gpus": "0", "hours": "8"}
    refused = pages.trigger(form, hours="100", cpus="1")
    assert {each["state"] for each in sandbox.api.follow(DAG, refused)} == {"failed", "upstream_failed"}
    expect(pages.run(DAG, refused).get_by_text("hours 100 of 12: ask for less").first).to_be_visible()
    run_id = pages.trigger(pages.form(DAG), cpus="1", memory_gib="1", hours="2")
    assert {each["state"] for each in sandbox.api.follow(DAG, run_id)} == {"success"}
    expect(pages.run(DAG, run_id).get_by_text("is ready, until").first).to_be_visible()
    pages.page.goto(f"/dags/{DAG}/runs/{run_id}/tasks/ready/details")
    pages.page.get_by_role("link", name="Open the workspace").click()
    pages.page.wait_for_url("**/lab/tree/silver_to_challenger.ipynb*")
    name = urlsplit(pages.page.url).hostname.partition(".")[0]
    pages.page.goto("/flightline/workspaces")
    row = pages.page.locator("tr", has_text=name)
    expect(row).to_contain_text("1 CPUs, 1 GiB")
    row.get_by_role("button", name="Stop").click()
    expect(row).to_have_count(0, timeout=SLOW_MS)


def test_notebook_shell_and_dag_give_one_digest(sandbox, known):
    at, api = sandbox.endpoints, sandbox.api
    env = {**at.shell_env, "PYTHONPATH": str(sandbox.checkout), "FLIGHTLINE_ALLOW_DIRTY": "1", "PATH": "/usr/bin:/bin"}

    def step(*words):
        command = [str(python("trainer")), "-m", "include.steps", *words]
        done = subprocess.run(command, cwd=sandbox.checkout, env=env, check=False, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(done.stdout.strip().splitlines()[-1])

    opened = step("prepare", "flight_delays", "--trials", str(TRIALS), "--parallelism", "1", "--rerun", "1")
    step("trial", "--run-id", opened["run_id"])
    shell = step("fit", "--run-id", opened["run_id"])["digest"]
    run_id = api.trigger("flight_delays.train", {"trials": TRIALS, "parallelism": 1, "rerun": 2})
    ended = {each["task_id"]: each["state"] for each in api.follow("flight_delays.train", run_id)}
    assert ended["fit"] == "success"
    dag = api.xcom("flight_delays.train", run_id, "fit")
    runs = {opened["run_id"], api.xcom("flight_delays.train", run_id, "freeze")["run_id"]}
    assert len(runs) == 2, "each was tuned and fitted by itself"
    assert {known.model, shell, dag["digest"]} == {known.model}
