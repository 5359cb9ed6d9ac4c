"""A run of many shards: the server has every task run, and each of them ended."""

import os
import time
from collections import Counter

from prefect import get_client
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId

from flows import curate as flow
from tests.conftest import published
from winnow.runs.ledger import read_records

SHARDS = int(os.environ.get("WINNOW_SHARDS", "40"))
PATIENCE = 60.0  # seconds for the server to write what it was told
PAGE = 200


def states(name: str) -> Counter[str]:
    """How many task runs of a flow run the server has in each state."""
    chosen, found = FlowRunFilter(id=FlowRunFilterId(any_=[name])), Counter[str]()
    with get_client(sync_client=True) as client:
        while page := client.read_task_runs(flow_run_filter=chosen, limit=PAGE, offset=found.total()):
            found.update(run.state_name for run in page)
    return found


def test_every_task_run_of_many_shards_is_at_the_server_and_has_ended(manifest, hears, tmp_path, prefect_server):
    names = [f"{i}.wav" for i in range(SHARDS)]
    corpus = manifest(*[{"audio_filepath": name, "duration": 1.0, "text": f"good morning {name}"} for name in names])
    models = hears(small=dict.fromkeys(names, "good"), large={name: f"good morning {name}" for name in names})
    seen = []
    flow.curate.on_completion_hooks.append(lambda _, run, __: seen.append(str(run.id)))
    began = time.monotonic()
    try:
        flow.curate(manifest=corpus, output=tmp_path / "run", shard_hours=1 / 3600, gate={"accept": 0.1}, **models)
    finally:
        flow.curate.on_completion_hooks.pop()
    took, ended = time.monotonic() - began, time.monotonic()
    assert len(published(tmp_path / "run")) == SHARDS
    large = sum(record["stage"] == "transcribe-large" for record in read_records(tmp_path / "run").values())
    # read, pass, score, gate, score, judge and publish of each shard; split, fields, manifest and report of the run
    wanted = 7 * SHARDS + large + 4
    while (found := states(seen[0])) != Counter(Completed=wanted) and time.monotonic() < ended + PATIENCE:
        time.sleep(1)
    print(f"{SHARDS} shards, {took:.0f} s: {dict(found)}, {time.monotonic() - ended:.0f} s after the end")
    assert found == Counter(Completed=wanted)
