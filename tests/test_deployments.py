"""What prefect.yaml promises, on a server."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from prefect import get_client
from prefect.flows import load_flow_from_entrypoint

from deployments.pools import POOLS, create_pools

ROOT = Path(__file__).parent.parent
DEPLOYMENTS = yaml.safe_load((ROOT / "prefect.yaml").read_text())["deployments"]


@pytest.mark.parametrize("deployment", DEPLOYMENTS, ids=lambda deployment: deployment["name"])
def test_every_deployment_names_a_flow_its_parameters_and_a_pool(deployment):
    flow = load_flow_from_entrypoint(deployment["entrypoint"])
    required = {"manifest": "corpus.jsonl", "output": "out", "small": "small.nemo"}
    flow.validate_parameters(required | deployment["parameters"])
    assert deployment["work_pool"]["name"] in POOLS


def test_the_form_shows_unit_limits_and_choices_of_every_parameter():
    schema = load_flow_from_entrypoint("flows.curate.curate").parameters.model_dump()
    assert schema["required"] == ["manifest", "output", "small"]
    assert schema["properties"]["shard_hours"] | {"position": 0} == {
        "title": "shard_hours",
        "description": "Hours of audio in a shard, the unit of work and of resume; twice or four times as many, and so "
        "on, where there would be more than a thousand shards",
        "type": "number",
        "exclusiveMinimum": 0,
        "default": 1.0,
        "position": 0,
    }
    plain = [schema["properties"]["large"], schema["definitions"]["Filter"]["properties"]["min_duration"]]
    assert [one["type"] for one in plain] == ["string", "number"]  # what may be left out has one field, not two kinds
    assert schema["properties"]["filter"]["default"] == {"max_wer": 0.25}
    gate = schema["definitions"]["Gate"]["properties"]
    assert gate["preset"]["enum"] == ["bands", "guide", "everything"]
    described = [p for d in schema["definitions"].values() for p in d["properties"].values()]
    assert all(p["title"] and p["description"] for p in described)
    assert all(p["description"] for p in schema["properties"].values())


def test_pools_and_deployments_are_made_by_the_two_commands(prefect_server):
    assert create_pools() == create_pools() == ["cpu", "gpu"]
    environment = os.environ | {"PREFECT_API_URL": prefect_server, "PWD": str(ROOT)}
    command = [sys.executable, "-m", "prefect", "--no-prompt", "deploy", "--all"]
    subprocess.run(command, cwd=ROOT, env=environment, check=True, capture_output=True)
    with get_client(sync_client=True) as client:
        made = {
            f"curate/{name}": client.read_deployment_by_name(f"curate/{name}")
            for name in (deployment["name"] for deployment in DEPLOYMENTS)
        }
    assert {name: one.work_pool_name for name, one in made.items()} == {"curate/cpu": "cpu", "curate/gpu": "gpu"}
    assert made["curate/cpu"].entrypoint == "flows.curate.curate"
