"""Deployments, forms and automations of `winnow deploy`, on a server with a worker."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from math import inf
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from prefect.flows import load_flow_from_entrypoint
from prefect.settings import PREFECT_API_URL, PREFECT_HOME, temporary_settings
from selenium import webdriver
from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.chrome.webdriver import WebDriver
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support import expected_conditions as expected
from selenium.webdriver.support.wait import WebDriverWait

from demo.__main__ import pinned
from deployments.deploy import deploy, deployments, prefect_yaml
from deployments.forms import form
from deployments.pools import POOLS
from deployments.serve import FLOWS
from flows.benchmark import benchmark
from flows.curate import curate
from flows.doctor import doctor
from flows.download_models import download_models
from flows.export import export
from flows.incremental import incremental
from flows.refilter import refilter
from flows.relabel import relabel
from flows.segment import segment
from tests.conftest import CHROMIUM, DEMO, ROOT, flows_run_on, published_rows, running_server
from tests.faults.test_browser import check_markup_is_inert, hostile_report
from winnow.errors import ChecksFailed, DeploymentFailed, OptionError
from winnow.runs.lock import lock_folder

CHROMEDRIVER = shutil.which("chromedriver")
PICTURES = os.environ.get("WINNOW_PICTURES")
CREATE_RUN = "/create_flow_run"
QUIET_SECONDS = 10.0  # after the last answer to a form, or a click that sent nothing
DEPLOYMENTS = yaml.safe_load((ROOT / "prefect.yaml").read_text())["deployments"]


@pytest.mark.parametrize("deployment", DEPLOYMENTS, ids=lambda deployment: deployment["entrypoint"])
def test_every_deployment_has_a_flow_valid_parameters_and_a_pool(deployment):
    flow = load_flow_from_entrypoint(deployment["entrypoint"])
    models = ["small.nemo", "large.nemo"]
    values = {"manifest": "corpus.jsonl", "output": "out", "small": models[0], "models": models}
    values |= {"run": "out", "form": "nemo"}
    required = {name: value for name, value in values.items() if name in flow.parameters.required}
    flow.validate_parameters(required | deployment.get("parameters", {}))
    assert deployment["work_pool"]["name"] in POOLS


def test_incremental_deployment_pins_the_demo_checkpoints():
    (incremental,) = (deployment for deployment in DEPLOYMENTS if "incremental" in deployment["entrypoint"])
    sums = (ROOT / "demo" / "SHA256SUMS").read_text()
    for role in ("small", "large"):
        path, _, digest = incremental["parameters"][role].partition("@sha256:")
        assert f"{digest}  {Path(path).name}\n" in sums


def numbers_of(schema: Any, path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield every number in a schema, wherever it is nested, and every value that may be a number."""
    if isinstance(schema, list):
        for item in schema:
            yield from numbers_of(item, path)
    elif isinstance(schema, dict):
        kinds = schema.get("type", [])
        if {"integer", "number"} & set(kinds if isinstance(kinds, list) else [kinds]):
            yield path, schema
        for name, part in schema.items():
            yield from numbers_of(part, f"{path}.{name}")


@pytest.mark.parametrize("flow", FLOWS, ids=lambda flow: flow.name)
def test_every_number_has_limits_that_a_database_can_store(flow):
    """Prefect's server stores what its form accepts, and answers 500 for ever if it is over 64 bits."""
    for schema in (form(flow), flow.parameters.model_dump_for_openapi()):
        for path, number in numbers_of(schema):
            low = max(number.get("minimum", -inf), number.get("exclusiveMinimum", -inf))
            high = min(number.get("maximum", inf), number.get("exclusiveMaximum", inf))
            assert -(2**53) < low < high < 2**53, f"{flow.name}{path}"
        values = [part for models in schema.get("definitions", {}).values() for part in models["properties"].items()]
        for name, field in [*schema["properties"].items(), *values]:
            assert {"type", "anyOf", "allOf", "$ref", "enum", "const"} & set(field), f"{name} accepts any value"


def test_deployments_are_those_of_the_folder_unless_it_is_another_project(tmp_path):
    own, other, empty = (tmp_path / name for name in ("own", "other", "empty"))
    for folder in (own, other, empty):
        folder.mkdir()
    (own / "prefect.yaml").write_text((ROOT / "prefect.yaml").read_text().replace("demo/corpus", "mine"))
    (other / "prefect.yaml").write_text("name: other\ndeployments: [{name: x, entrypoint: a.b}]\n")
    assert prefect_yaml(own) == own / "prefect.yaml"
    assert [prefect_yaml(folder) for folder in (ROOT, other, empty)] == [ROOT / "prefect.yaml"] * 3
    (incremental,) = (row for row in deployments(prefect_yaml(empty), empty) if "incremental" in row["entrypoint"])
    assert not incremental.keys() & {"parameters", "schedules"}
    (other / "prefect.yaml").write_text("a: [")
    with pytest.raises(DeploymentFailed, match="cannot be read"):
        prefect_yaml(other)


@pytest.mark.parametrize(
    "listed",
    ["curate", "{name: a}", "[a]", "[{entrypoint: flows/curate.py:curate}]", "[{name: a, entrypoint: 1}]"],
)
def test_file_of_deployments_of_another_shape_is_refused_before_the_server_is_asked(listed, tmp_path, monkeypatch):
    (tmp_path / "prefect.yaml").write_text(f"name: winnow\ndeployments: {listed}\n")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DeploymentFailed, match="expected a list, in which each has a name and an entrypoint"):
        deploy()


def test_deployment_may_have_no_parameters(tmp_path):
    file = tmp_path / "prefect.yaml"
    file.write_text("deployments: [{name: a, entrypoint: flows/curate.py:curate, parameters: }]\n")
    assert deployments(file, tmp_path) == [{"name": "a", "entrypoint": "flows/curate.py:curate", "parameters": None}]


@pytest.mark.parametrize("url", ["slack", "ftp://host/x", "https://"])
def test_webhook_that_is_no_url_is_refused_before_the_server_is_asked(url):
    with pytest.raises(OptionError, match="--notify"):
        deploy(url)


def test_form_shows_unit_limits_and_choices_of_every_parameter():
    schema = form(curate)
    assert schema["required"] == ["manifest", "output", "small"]
    assert schema["properties"]["shard_hours"] | {"position": 0} == {
        "title": "Hours per shard",
        "description": "Hours of audio per shard, the unit of work and of resuming. Doubled until there are at most "
        "1,000 shards",
        "type": "number",
        "exclusiveMinimum": 0,
        "maximum": 1e9,
        "default": 1.0,
        "position": 0,
    }
    plain = [schema["properties"]["large"], schema["definitions"]["Filter"]["properties"]["min_duration"]]
    assert [item["type"] for item in plain] == ["string", "number"]  # what may be left out has one field, not two kinds
    assert not any("default" in item for item in plain)  # and the form sends nothing for it
    assert schema["properties"]["filter"]["default"] == {"preset": "winnow", "rules": [], "label_preset": "winnow"}
    assert schema["definitions"]["Filter"]["properties"]["rules"]["items"] == {"type": "string"}
    gate = schema["definitions"]["Gate"]["properties"]
    assert gate["preset"]["enum"] == ["bands", "guide", "everything", "budget"]
    described = [p for d in schema["definitions"].values() for p in d["properties"].values()]
    assert all(p["title"] and p["description"] for p in [*described, *schema["properties"].values()])


@dataclass
class DeployedServer:
    """A server with deployments and a worker.

    `printed` is what `deploy` printed, `notifications` what its automation has sent to `notify`.
    """

    api: str
    home: Path
    notify: str
    printed: list[str]
    notifications: list[dict[str, str]]
    client: httpx.Client

    def post(self, path: str, **body: Any) -> Any:
        return self.client.post(f"{self.api}/{path}", json=body).raise_for_status().json()

    def deployment(self, name: str) -> dict[str, Any]:
        return self.client.get(f"{self.api}/deployments/name/{name}").raise_for_status().json()

    def trigger(self, name: str, **parameters: Any) -> httpx.Response:
        """Start a run as the UI does; try again while the server's database is busy (503)."""
        address = f"{self.api}/deployments/{self.deployment(name)['id']}/create_flow_run"

        def answer() -> httpx.Response | None:
            response = self.client.post(address, json={"parameters": parameters})
            return None if response.status_code == 503 else response

        return wait_until(answer)

    def wait_for(self, run: dict[str, Any]) -> dict[str, Any]:
        """Return the run once it has ended."""
        address = f"{self.api}/flow_runs/{run['id']}"
        return wait_until(lambda: ended_or_none(self.client.get(address).json()), seconds=300)


def ended_or_none(run: dict[str, Any]) -> dict[str, Any] | None:
    return run if run["state"]["type"] in ("COMPLETED", "FAILED", "CRASHED", "CANCELLED") else None


def wait_until(ask: Callable[[], Any], seconds: float = 120) -> Any:
    """Ask until the answer is neither None nor []."""
    deadline = time.monotonic() + seconds
    while (answer := ask()) is None or answer == []:
        assert time.monotonic() < deadline
        time.sleep(0.5)
    return answer


@pytest.fixture(scope="module")
def server(empty_prefect_home, tmp_path_factory) -> Iterator[DeployedServer]:
    notifications: list[dict[str, str]] = []

    class Webhook(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            notifications.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    webhook = ThreadingHTTPServer(("127.0.0.1", 0), Webhook)
    threading.Thread(target=webhook.serve_forever, daemon=True).start()
    home = shutil.copytree(empty_prefect_home, tmp_path_factory.mktemp("prefect") / "home")
    with running_server(home) as api:
        own = {"PREFECT_HOME": str(home), "PREFECT_API_URL": api, "PREFECT_WORKER_QUERY_SECONDS": "1"}
        environment = os.environ | own
        notify = f"http://127.0.0.1:{webhook.server_port}"
        with temporary_settings({PREFECT_API_URL: api, PREFECT_HOME: home}), pytest.MonkeyPatch.context() as patch:
            patch.chdir(ROOT)
            patch.setenv("PREFECT_API_URL", api)
            patch.setenv("PREFECT_HOME", str(home))
            deploy(notify, (printed := []).append)
        line = [sys.executable, "-m", "prefect", "worker", "start", "--pool", "cpu"]
        with (home / "worker.log").open("w") as log:
            worker = subprocess.Popen(line, env=environment, stdout=log, stderr=log, start_new_session=True)
        with httpx.Client(timeout=120) as client:
            yield DeployedServer(api, home, notify, printed, notifications, client)
        os.killpg(worker.pid, signal.SIGKILL)
        worker.wait()
    webhook.shutdown()


def test_deploy_creates_pools_deployments_and_automations_once(server, run_command_here, monkeypatch):
    """The command finds what is there already."""
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("PREFECT_API_URL", server.api)
    monkeypatch.setenv("PREFECT_HOME", str(server.home))
    with temporary_settings({PREFECT_API_URL: server.api, PREFECT_HOME: server.home}):
        again = run_command_here("deploy", "--notify", server.notify).stdout.splitlines()
    assert server.printed == again
    assert again == [
        "work pools: cpu, gpu",
        "deployments: curate/cpu, curate/gpu, ensemble/cpu, ensemble/gpu, refilter/cpu, relabel/cpu, export/cpu, "
        "segment/cpu, incremental/cpu, download-models/cpu, download-models/gpu, doctor/cpu, doctor/gpu, "
        "benchmark/cpu, benchmark/gpu",
        f"from {ROOT / 'prefect.yaml'}; their runs start in {ROOT}",
        "automations: crash zombies, notify of failures",
        f"next: prefect worker start --pool cpu, then {server.api.removesuffix('/api')}/deployments",
    ]
    assert {pool["name"]: pool["concurrency_limit"] for pool in server.post("work_pools/filter")} == {
        "cpu": 1,
        "gpu": 1,
    }
    made = {item["entrypoint"]: item for item in server.post("deployments/filter")}
    flows = (
        *(
            "curate.curate",
            "ensemble.ensemble",
            "incremental.incremental",
            "refilter.refilter",
            "relabel.relabel",
            "export.export",
            "segment.segment",
            "download_models.download_models",
        ),
        "doctor.doctor",
        "benchmark.benchmark",
    )
    assert set(made) == {f"flows.{name}" for name in flows}
    assert {made[f"flows.{name}"]["work_pool_name"] for name in flows[2:7]} == {"cpu"}
    assert [item["name"] for item in server.post("automations/filter")] == ["crash zombies", "notify of failures"]
    assert server.deployment("curate/gpu")["parameters"] == {"devices": "local"}
    (step,) = server.deployment("curate/cpu")["pull_steps"]
    assert step["prefect.deployments.steps.set_working_directory"]["directory"] == str(ROOT)
    assert server.deployment("curate/cpu")["parameter_openapi_schema"]["properties"]["large"]["title"] == "Large model"


@pytest.mark.parametrize(
    "flow", [refilter, relabel, export, segment, download_models, doctor, benchmark], ids=lambda flow: flow.name
)
def test_forms_of_maintenance_flows_have_titles_and_descriptions(flow):
    schema = form(flow)
    described = [p for d in schema.get("definitions", {}).values() for p in d["properties"].values()]
    assert all(p["title"] and p["description"] for p in [*described, *schema["properties"].values()])
    assert not any("anyOf" in p and "default" not in p for p in schema["properties"].values())


def test_incremental_deployment_is_scheduled(server):
    name = server.deployment("incremental/cpu")["id"]
    chosen = {"deployments": {"id": {"any_": [name]}}, "flow_runs": {"state": {"type": {"any_": ["SCHEDULED"]}}}}
    run = wait_until(lambda: server.post("flow_runs/filter", limit=1, **chosen))[0]
    assert run["auto_scheduled"]
    assert run["expected_start_time"][14:19] == "00:00"


@pytest.mark.parametrize(
    ("parameters", "error"),
    [
        ({"shard_hours": 0}, "Validation failed for field 'shard_hours'. Failure reason: 0 is less than or equal to"),
        ({"gate": {"preset": "all"}}, "'all' is not one of ['bands', 'guide', 'everything', 'budget']"),
        ({"small": None}, "None is not of type 'string'"),
        ({"largest": "x.nemo"}, "'largest' was unexpected"),
        ({"languages": {"de": {"large": "x.nemo"}}}, "'small' is a required property"),
    ],
)
def test_wrong_value_is_refused_when_a_run_is_triggered(server, parameters, error):
    answer = server.trigger("curate/cpu", **{"manifest": "a.jsonl", "output": "out", "small": "a.nemo"} | parameters)
    assert answer.status_code in (409, 422)
    assert error in answer.json()["detail"]


def test_failed_run_has_one_sentence_as_its_state_and_sends_it(server, manifest, hears, tmp_path):
    corpus = manifest({"audio_filepath": "a.wav", "text": "hello"})
    small = hears(small={"a.wav": "hello"})["small"]
    parameters = {"manifest": str(corpus), "small": small, "large": None, "output": str(tmp_path / "taken")}
    (tmp_path / "taken").mkdir()
    with lock_folder(tmp_path / "taken", {"name": "another run"}):
        refused = server.wait_for(server.trigger("curate/cpu", **parameters).raise_for_status().json())
    assert refused["state"]["type"] == "FAILED"
    assert f"{tmp_path / 'taken'} is in use by another run" in refused["state"]["message"]
    assert refused["state"]["message"] in wait_until(lambda: server.notifications)[0]["text"]
    about_the_refused = [refused["state"]["message"] in notification["text"] for notification in server.notifications]
    assert all(about_the_refused)  # a busy server may deliver one twice


class Browser:
    """Chromium without a screen. WINNOW_PICTURES is the folder that pictures go to; without it none are taken."""

    def __init__(self, driver: WebDriver, ui: str) -> None:
        self.driver, self.ui = driver, ui
        self.unanswered: dict[str, str] = {}
        self.answers: list[int] = []

    def find(self, xpath: str) -> WebElement:
        """Return the element at an XPath as soon as it can be clicked."""
        patient = WebDriverWait(self.driver, 60, ignored_exceptions=[StaleElementReferenceException])
        return patient.until(expected.element_to_be_clickable((By.XPATH, xpath)))

    def open(self, path: str, shows: str) -> None:
        """Open a page, and wait until it shows these words."""
        self.driver.get(f"{self.ui}/{path}")
        self.find(f"//*[contains(text(), '{shows}')]")

    def fill(self, label: str, value: str) -> None:
        """Type into the parameter of this title."""
        self.find(f"//label[starts-with(normalize-space(.), '{label}')]/following::textarea[1]").send_keys(value)

    def submit(self) -> None:
        """Submit the form until the page leaves it, but never while an earlier click may still create a run.

        The server's database may be busy (503). Any other error that the page shows fails with its text.
        """
        form, deadline, quiet_since = self.driver.current_url, time.monotonic() + 120, -inf
        while self.driver.current_url == form:
            self.read_network()
            assert not (error := self.error()) or self.answers[-1:] == [503], f"{error} {self.answers}"
            assert time.monotonic() < deadline, f"the form is still there: {self.unanswered} {self.answers}"
            if self.unanswered:
                quiet_since = time.monotonic()
            elif time.monotonic() > quiet_since + QUIET_SECONDS:
                self.find("//button[normalize-space(.)='Submit']").click()
                quiet_since = time.monotonic()
            time.sleep(0.5)

    def read_network(self) -> None:
        """Note which requests of a submitted form, its check and the creation of the run, have no answer yet.

        `answers` are the statuses of those that create a run.
        """
        for entry in self.driver.get_log("performance"):
            event = json.loads(entry["message"])["message"]
            request = event["params"].get("requestId")
            if event["method"] == "Network.requestWillBeSent":
                url = event["params"]["request"]["url"]
                if url.endswith(("/ui/schemas/validate", CREATE_RUN)):
                    self.unanswered[request] = url
            elif event["method"] in ("Network.responseReceived", "Network.loadingFailed"):
                url = self.unanswered.pop(request, "")
                if url.endswith(CREATE_RUN) and "response" in event["params"]:
                    self.answers.append(event["params"]["response"]["status"])

    def error(self) -> str:
        """Return the text of the errors that the page shows."""
        return self.driver.execute_script(
            "return [...document.querySelectorAll(arguments[0])].map(shown => shown.innerText).join('\\n')",
            "[data-sonner-toast][data-type=error], form p.text-destructive",
        )

    def picture(self, name: str, height: int, top: str = "//body") -> None:
        if PICTURES:
            self.driver.set_window_size(1400, height)
            self.driver.execute_script("arguments[0].scrollIntoView()", self.find(top))
            time.sleep(3)  # until nothing moves any more
            self.driver.save_screenshot(str(Path(PICTURES) / name))


@pytest.fixture
def output() -> Iterator[str]:
    """A folder with a short name, for the pictures."""
    with tempfile.TemporaryDirectory(prefix="out-") as folder:
        yield folder


@pytest.fixture
def some_rows(tmp_path) -> Path:
    """A manifest of some rows of the demo, also with hypotheses; the pictures show all of it."""
    rows = list(map(json.loads, (DEMO / "corpus" / "manifest.jsonl").read_text().splitlines()[:12]))
    own = ({"audio_filepath": str(DEMO / "corpus" / row["audio_filepath"]), "pred_text": row["text"]} for row in rows)
    lines = [json.dumps(row | replaced) for row, replaced in zip(rows, own, strict=True)]
    (tmp_path / "some.jsonl").write_text("\n".join(lines))
    return tmp_path / "some.jsonl"


@pytest.fixture
def browser(server) -> Iterator[Browser | None]:
    if not CHROMIUM or not CHROMEDRIVER:
        assert not PICTURES, "pictures need chromium and its driver"
        yield None
        return
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    flags = ["headless=new", "no-sandbox", "disable-gpu", "window-size=1400,1500", "disable-background-networking"]
    for flag in [*flags, "force-prefers-reduced-motion"]:
        options.add_argument(f"--{flag}")
    options.set_capability("goog:loggingPrefs", {"performance": "ALL"})
    driver = webdriver.Chrome(options, Service(CHROMEDRIVER))
    yield Browser(driver, f"{server.api.removesuffix('/api')}/v2")
    driver.quit()


def test_run_is_started_from_the_form_and_its_report_is_shown(server, browser, some_rows, output, tmp_path):
    """As the documentation describes it, where it takes pictures; otherwise with stand-ins for the models.

    Without a browser it is triggered as a form does it.
    """
    if PICTURES:
        small, large = "demo/small.nemo", "demo/large.nemo"
    else:
        small, large = str(tmp_path / "small.jsonl"), str(tmp_path / "large.jsonl")
        Path(large).write_text(some_rows.read_text())
        Path(small).write_text(some_rows.read_text().replace('"pred_text": "', '"pred_text": "um um um '))
    manifest = "demo/corpus/manifest.jsonl" if PICTURES else str(some_rows)
    deployment_id = server.deployment("curate/cpu")["id"]
    if browser:
        browser.open(f"deployments/deployment/{deployment_id}/run", "Small model")
        browser.fill("Manifest", manifest)
        browser.fill("Output", output)
        browser.fill("Small model", small)
        browser.fill("Large model", large)
        trust = "//label[starts-with(normalize-space(.), 'Trust unpinned')]"
        browser.find(f"{trust}/following::button[@role='switch'][1]").click()
        browser.picture("form.png", 1500, "//label[starts-with(normalize-space(.), 'Manifest')]")
        browser.submit()
    else:
        values = {"manifest": manifest, "output": output, "small": small, "large": large, "trust_unpinned": True}
        server.trigger("curate/cpu", **values).raise_for_status()
    runs = {"flow_runs": {"deployment_id": {"any_": [deployment_id]}}}
    (run,) = wait_until(
        lambda: [
            item for item in server.post("flow_runs/filter", **runs) if item["parameters"].get("large") is not None
        ]
    )
    assert (run["parameters"]["small"], run["parameters"]["large"]) == (small, large)
    assert run["parameters"]["trust_unpinned"]
    assert server.wait_for(run)["state"]["type"] == "COMPLETED"
    artifacts = {item["key"]: item for item in server.post("artifacts/filter", artifacts=of_flow_run(run))}
    assert {"progress", "quality-report", "reasons"} <= artifacts.keys()
    assert PICTURES or "**12 of 12 utterances kept**" in artifacts["quality-report"]["data"]
    if browser:
        if PICTURES:
            browser.open(f"runs/flow-run/{run['id']}", "Completed")
            browser.picture("run.png", 1200)
        browser.open(f"artifacts/artifact/{artifacts['quality-report']['id']}", "utterances kept")
        assert browser.driver.find_elements(By.XPATH, "//img[starts-with(@src, 'data:image/png')]")
        if PICTURES:
            browser.driver.get((Path(output) / "report.html").as_uri())
            browser.picture("report.png", 1600)


@pytest.mark.skipif(not CHROMIUM, reason="needs chromium")
def test_row_38_markup_in_an_artifact_runs_nothing_and_fetches_nothing_in_both_uis(server, tmp_path):
    with hostile_report() as (texts, text, _, requested):
        artifact = {"key": "quality-report", "type": "markdown", "data": text}
        name = server.post("artifacts/", **artifact)["id"]
        for ui in ("", "/v2"):
            page = f"{server.api.removesuffix('/api')}{ui}/artifacts/artifact/{name}"
            check_markup_is_inert(page, texts, tmp_path / "profile")
        assert requested == []


def test_flows_record_what_they_found(server, manifest, hears, tmp_path, monkeypatch):
    """The doctor's process that would import torch finds none, which takes less time."""
    (tmp_path / "torch.py").write_text("raise ImportError('not here')")
    small = pinned("small")
    corpus = manifest({"audio_filepath": "a.wav", "text": "hello"}, {"audio_filepath": "b.wav", "text": "goodbye"})
    models = hears(one={"a.wav": "hello", "b.wav": "hello"}, german={"c.wav": "hallo"})
    routes = {"de": {"small": models["german"]}}
    with flows_run_on(server.api, server.home):
        download_models(models=[small])
        benchmark(manifest=corpus, models=[models["one"]], output=tmp_path / "figures")
        incremental(manifest=corpus, small=models["one"], languages=routes, output=tmp_path / "increments")
        monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), str(ROOT)]))
        with pytest.raises(ChecksFailed, match=r"no\.nemo: no such file \(remedy: give another model: "):
            doctor(small=str(tmp_path / "no.nemo"))
    assert [row["decision"] for row in published_rows(tmp_path / "increments" / "0001")] == ["keep", "drop"]
    names = ("download-models", "benchmark", "incremental", "doctor")
    runs = {name: server.post("flow_runs/filter", flows={"name": {"any_": [name]}})[0] for name in names}
    assert [run["state"]["type"] for run in runs.values()] == [*["COMPLETED"] * 3, "FAILED"]
    assert "no.nemo: no such file (remedy: give another model: " in runs["doctor"]["state"]["message"]
    tables = {
        artifact["key"]: artifact["data"]
        for run in runs.values()
        for artifact in server.post("artifacts/filter", artifacts=of_flow_run(run))
    }
    (row,) = json.loads(tables["download-models"])
    assert (row["model"], row["sha256"], row["cause"]) == (small, small.partition("@sha256:")[2], None)
    assert "## Memory by batch size" in tables["benchmark"]
    assert "| one.jsonl | automatic (600 s) |  | 50.00% (0.00% to 100.00%) |" in tables["benchmark"]
    states = {artifact["check"]: artifact["state"] for artifact in json.loads(tables["doctor"])}
    assert (states["packages"], states["server"]) == ("ok", "ok")
    assert (states["NeMo, torch"], states["no.nemo"]) == ("failed", "failed")


def of_flow_run(run: dict[str, Any]) -> dict[str, Any]:
    return {"flow_run_id": {"any_": [run["id"]]}}
