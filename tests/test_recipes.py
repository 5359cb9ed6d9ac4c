"""The recipes in deployments/: they parse and name only what exists."""

import configparser
import copy
import json
import os
import re
import shutil
import ssl
import subprocess
import sys
import time
from contextlib import suppress
from typing import Any

import boto3
import dask.config
import pytest
import yaml
from distributed.cli import dask_scheduler, dask_worker
from distributed.security import Security
from prefect import get_client
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.exceptions import ObjectNotFound
from prefect.utilities.templating import apply_values

from cli.app import app
from deployments.pools import POOLS, create_pools
from tests.conftest import ROOT
from tests.kubernetes_schema import faults
from tests.object_store import running_bucket
from winnow.parameters.placement import Dask

HERE = ROOT / "deployments"
COMPOSE = yaml.safe_load((HERE / "docker-compose.yaml").read_text())
DASK = list(yaml.safe_load_all((HERE / "kubernetes" / "dask.yaml").read_text()))
POOL = json.loads((HERE / "kubernetes" / "work-pool.json").read_text())
SCRIPT = HERE / "worker.sh"

STAND_IN = """#!/usr/bin/env bash
sleep 60 &
trap 'kill $!; echo "ended" >> "$STARTED"; exit' TERM
echo "${CUDA_VISIBLE_DEVICES-any} $*" >> "$STARTED"
wait
"""


CLUSTER_STAND_IN = """#!/usr/bin/env bash
printf '%s\\n' "$(basename "$0") $*" >> "$STARTED"
case "$(basename "$0") ${1-}" in
    "dask scheduler") echo '{}' > "${@: -1}"; exec sleep 60 ;;
    "dask worker") exec sleep 5 > /dev/null 2>&1 ;;
    srun*) while [ "$1" != bash ]; do shift; done; exec "$@" ;;
    winnow*) while ! grep -q "^dask worker" "$STARTED"; do sleep 0.05; done; exit 3 ;;
esac
"""


@pytest.fixture
def start_worker(tmp_path, monkeypatch):
    """Return a function that runs worker.sh with a stand-in for `prefect`, which logs its arguments."""
    (tmp_path / "prefect").write_text(STAND_IN)
    (tmp_path / "prefect").chmod(0o755)
    root = tmp_path / "checkout" / "deployments"
    root.mkdir(parents=True)
    shutil.copy(SCRIPT, root)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setenv("PREFECT_API_URL", "http://server:4200/api")
    monkeypatch.setenv("STARTED", str(tmp_path / "started"))

    def run(pool, workers=0, **environment):
        line = [root / "worker.sh", *([pool] if pool else [])]
        process = subprocess.Popen(line, env=os.environ | environment, stderr=subprocess.PIPE, text=True)
        log = tmp_path / "started"
        log.touch()
        while process.poll() is None and len(log.read_text().splitlines()) < workers:
            time.sleep(0.05)
        if workers:
            process.terminate()
        errors = process.communicate(timeout=60)[1]
        return process.returncode, errors, sorted(log.read_text().splitlines())

    return run


def test_script_starts_a_worker_per_gpu_and_ends_them(start_worker):
    name = os.uname().nodename
    code, _, lines = start_worker("gpu", workers=2, CUDA_VISIBLE_DEVICES="0,2")
    assert lines == [
        f"0 worker start --pool gpu --name {name}:gpu:0 --limit 1",
        f"2 worker start --pool gpu --name {name}:gpu:1 --limit 1",
        "ended",
        "ended",
    ]
    assert code == 0


def test_script_starts_one_worker_for_another_pool(start_worker):
    assert start_worker("cpu", workers=1)[2] == [
        f"any worker start --pool cpu --name {os.uname().nodename}:cpu --limit 1",
        "ended",
    ]


@pytest.mark.parametrize(
    ("pool", "environment", "cause"),
    [
        ("", {}, "no work pool given"),
        ("cpu", {"PREFECT_API_URL": ""}, "PREFECT_API_URL is not set"),
        ("gpu", {"CUDA_VISIBLE_DEVICES": ""}, "no GPU found"),
    ],
)
def test_worker_that_cannot_start_prints_the_cause(start_worker, pool, environment, cause):
    code, error, lines = start_worker(pool, **environment)
    assert (code, lines) == (2, [])
    assert cause in error


def test_systemd_unit_starts_the_script():
    unit = configparser.RawConfigParser()
    unit.optionxform = str
    unit.read(HERE / "systemd" / "winnow-worker@.service")
    command, pool = unit["Service"]["ExecStart"].split()
    assert command == f"{unit['Service']['WorkingDirectory']}/deployments/worker.sh"
    assert pool == "%i"
    assert os.access(SCRIPT, os.X_OK)


def test_slurm_job_runs_on_its_own_workers_and_leaves_no_key(tmp_path):
    folder, started = tmp_path / ".venv" / "bin", tmp_path / "started"
    folder.mkdir(parents=True)
    for name in ("dask", "srun", "winnow"):
        (folder / name).write_text(CLUSTER_STAND_IN)
        (folder / name).chmod(0o755)
    job = {"SLURM_JOB_ID": "7", "SLURM_CPUS_PER_TASK": "8", "SLURM_GPUS_PER_TASK": "1", "SLURM_PROCID": "0"}
    environment = os.environ | job | {"STARTED": str(started)}
    line = [HERE / "slurm" / "curate.sbatch", "my.jsonl", "--output", "out"]
    ended = subprocess.run(line, cwd=tmp_path, env=environment, timeout=60, capture_output=True, text=True)
    assert ended.returncode == 3, ended.stderr
    assert [path.name for path in tmp_path.iterdir() if path not in (started, folder.parent)] == []
    lines = {
        line.split()[0] + " " + line.split()[1]: line for line in started.read_text().splitlines() if line[0] != " "
    }
    shared = tmp_path / ".slurm-7"
    tls = [f"--tls-ca-file {shared}/cert.pem", f"--tls-cert {shared}/cert.pem", f"--tls-key {shared}/key.pem"]
    options = " ".join(one.replace("--", "--dask.") for one in tls)
    assert lines["winnow curate"] == f"winnow curate my.jsonl --output out --devices {shared}/scheduler.json {options}"
    for name, command in (("scheduler", dask_scheduler.main), ("worker", dask_worker.main)):
        given = lines[f"dask {name}"].replace(str(shared), "").replace("CPU=8 GPU=1", "CPU=8,GPU=1").split()[2:]
        arguments = [re.sub(r"^/\w+\.pem", str(SCRIPT), word).replace(",", " ") for word in given]
        parameters = command.make_context(f"dask {name}", arguments).params
        assert parameters["scheduler_file"] == "/scheduler.json"
        assert parameters["tls_ca_file"] == parameters["tls_cert"] == parameters["tls_key"] == str(SCRIPT)
    assert parameters["resources"] == "CPU=8 GPU=1"


def test_image_copies_existing_files():
    lines = [line for line in (HERE / "Dockerfile").read_text().splitlines() if line.startswith("COPY")]
    for name in {word for line in lines for word in line.split()[1:-1] if not word.startswith("--")}:
        assert (ROOT / name).exists(), name


def test_services_run_existing_commands():
    services = COMPOSE["services"]
    build = services["server"]["build"]
    assert (HERE / build["context"]).resolve() == ROOT
    assert (ROOT / build["dockerfile"]).exists()
    for name, service in services.items():
        for other in service.get("depends_on", {}):
            assert other in services, name
        for volume in service.get("volumes", []):
            source = re.split(r"(?<!\?):(?=/)", volume)[0]
            assert source.startswith("${") or source in COMPOSE["volumes"], name
    assert services["deploy"]["command"] == ["winnow", "deploy"]
    assert app["deploy"]
    for pool in ("cpu", "gpu"):
        script, argument = services[pool]["command"]
        assert (ROOT / script) == SCRIPT
        assert argument == pool in POOLS


@pytest.mark.parametrize(("name", "command"), [("scheduler", dask_scheduler.main), ("worker", dask_worker.main)])
def test_dask_accepts_the_options_of_its_service(name, command):
    service, scheduler = COMPOSE["services"][f"dask-{name}"], COMPOSE["services"]["dask-scheduler"]
    program, verb, *options = service["command"]
    assert (program, verb) == ("dask", name)
    arguments = [re.sub(r"/tls/.*", str(SCRIPT), option) for option in options]  # a file that there is
    parameters = command.make_context(f"dask {name}", arguments).params
    assert parameters["tls_ca_file"] == parameters["tls_cert"] == parameters["tls_key"] == str(SCRIPT)
    assert "tls:/tls:ro" in service["volumes"]
    if name == "worker":
        assert parameters["scheduler"] == "tls://dask-scheduler:8786"
        assert "--port=8786" in scheduler["command"]
    assert "ports" not in scheduler  # whoever reaches it with the key can run any code


def test_run_of_the_cluster_uses_its_scheduler_store_and_key():
    program, command, devices, *files = COMPOSE["services"]["curate"]["entrypoint"]
    assert (program, command, devices) == ("winnow", "curate", "--devices=tls://dask-scheduler:8786")
    assert Dask(**{file.split("=")[0].removeprefix("--dask.").replace("-", "_"): file.split("=")[1] for file in files})
    stores = {
        COMPOSE["services"][name]["environment"]["AWS_ENDPOINT_URL"] for name in ("curate", "dask-worker", "bucket")
    }
    assert stores == {"http://store:9000"}
    assert "store" in COMPOSE["services"]


def test_service_makes_the_bucket_once():
    program, option, code = COMPOSE["services"]["bucket"]["command"]
    assert (program, option) == ("python", "-c")
    with running_bucket("another"):
        for _ in range(2):
            exec(code)
        assert {"another", "winnow"} <= {bucket["Name"] for bucket in boto3.client("s3").list_buckets()["Buckets"]}


@pytest.mark.skipif(not shutil.which("openssl"), reason="openssl is not installed")
def test_service_makes_a_key_that_dask_accepts(tmp_path):
    shell, option, code = COMPOSE["services"]["key"]["command"]
    for _ in range(2):
        subprocess.run([shell, option, code.replace("/tls/", f"{tmp_path}/")], check=True, capture_output=True)
    certificate, key = str(tmp_path / "cert.pem"), str(tmp_path / "key.pem")
    security = Security(tls_ca_file=certificate, tls_scheduler_cert=certificate, tls_scheduler_key=key)
    assert security.get_listen_args("scheduler")["ssl_context"].verify_mode == ssl.CERT_REQUIRED


@pytest.mark.parametrize(
    "command", [COMPOSE["services"]["server"]["command"], ["prefect", "worker", "start", "--pool", "--name", "--limit"]]
)
def test_prefect_accepts_the_options_used(command):
    words = [word for word in command[1:] if word.isalpha()]
    line = [sys.executable, "-m", "prefect", *words, "--help"]
    help_text = subprocess.run(line, capture_output=True, text=True, check=True).stdout
    assert set(command) & set(re.findall(r"--[a-z-]+", help_text)) == {
        word for word in command if word.startswith("--")
    }


@pytest.mark.parametrize(("name", "command"), [("scheduler", dask_scheduler.main), ("worker", dask_worker.main)])
def test_dask_accepts_the_options_of_its_manifest(name, command):
    (deployment,) = (
        part for part in DASK if part["kind"] == "Deployment" and part["metadata"]["labels"]["part"] == name
    )
    pod = deployment["spec"]["template"]
    assert deployment["spec"]["selector"]["matchLabels"] == pod["metadata"]["labels"]
    (container,) = pod["spec"]["containers"]
    program, verb, *options = container["args"]
    assert (program, verb) == ("dask", name)
    arguments = [re.sub(r"/tls/.*", str(SCRIPT), option) for option in options]  # a file that there is
    parameters = command.make_context(f"dask {name}", arguments).params
    assert parameters["tls_ca_file"] == parameters["tls_cert"] == parameters["tls_key"] == str(SCRIPT)
    if name == "worker":
        assert parameters["scheduler"] == f"tls://{DASK[0]['metadata']['name']}:{DASK[0]['spec']['ports'][0]['port']}"
        assert parameters["resources"].split()[0] == "GPU=1"
        assert container["resources"]["limits"]["nvidia.com/gpu"] == 1
    else:
        assert int(parameters["port"]) == DASK[0]["spec"]["ports"][0]["port"]
        assert container["env"] == [{"name": "DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES", "value": "0"}]
        arguments = dask.config.collect_env({one["name"]: one["value"] for one in container["env"]})
        assert dask.config.get("distributed.scheduler.allowed-failures", config=arguments) == 0
    mounted = {mount["name"] for mount in container["volumeMounts"]}
    assert mounted == {volume["name"] for volume in pod["spec"]["volumes"]}


def test_job_template_uses_only_declared_variables():
    variables = set(re.findall(r"{{ (\w+) }}", json.dumps(POOL["job_configuration"])))
    assert variables == set(POOL["variables"]["properties"])
    (container,) = POOL["job_configuration"]["job_manifest"]["spec"]["template"]["spec"]["containers"]
    pod = POOL["job_configuration"]["job_manifest"]["spec"]["template"]["spec"]
    assert {mount["name"] for mount in container["volumeMounts"]} == {volume["name"] for volume in pod["volumes"]}
    described = POOL["variables"]["properties"].values()
    assert all(variable["title"] and variable["description"] and variable["type"] for variable in described)


def job_of_a_run() -> dict[str, Any]:
    """Return the job that Prefect makes of the template, with the defaults of its variables."""
    values = {name: variable.get("default") for name, variable in POOL["variables"]["properties"].items()}
    values |= {"name": "run", "env": [{"name": "A", "value": "b"}], "labels": {"a": "b"}, "command": ["prefect"]}
    values |= {"service_account_name": "winnow"}
    return apply_values(POOL["job_configuration"]["job_manifest"], values)


def test_manifests_have_only_fields_that_kubernetes_knows():
    for content in (*DASK, job_of_a_run()):
        assert faults(content) == [], content["metadata"]


def test_misspelled_field_and_value_of_another_type_are_found():
    worker = copy.deepcopy(DASK[-1])
    (container,) = worker["spec"]["template"]["spec"]["containers"]
    container["arg"] = container.pop("args")
    assert faults(worker) == ["Deployment.spec.template.spec.containers[0].arg: no such field"]
    worker["spec"]["replicas"] = "4"
    assert faults(worker) == ["Expected `int | null`, got `str` - at `$.spec.replicas`"]


def test_existing_pool_keeps_its_type_and_limit(prefect_server):
    with get_client(sync_client=True) as client:
        for name in POOLS:
            with suppress(ObjectNotFound):
                client.delete_work_pool(name)
        made = WorkPoolCreate(name="gpu", type="kubernetes", base_job_template=POOL, concurrency_limit=8)
        client.create_work_pool(made)
        create_pools()
        create_pools()
        pools = {name: client.read_work_pool(name) for name in POOLS}
        client.delete_work_pool("gpu")
    assert {name: (pool.type, pool.concurrency_limit) for name, pool in pools.items()} == {
        "cpu": ("process", 1),
        "gpu": ("kubernetes", 8),
    }
    assert pools["gpu"].base_job_template == POOL
