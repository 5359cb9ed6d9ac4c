"""A run of many shards: the server records every task run as completed."""

import os
import time
from collections import Counter

from prefect import get_client
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId

from flows import curate as flow
from tests.conftest import published_rows
from winnow.runs.ledger import read_records

SHARDS = int(os.environ.get("WINNOW_SHARDS", "8"))
WRITE_TIMEOUT = 60.0  # seconds for the server to write the last events
PAGE = 200


def task_states(flow_run: str) -> Counter[str]:
    """Count the task runs of a flow run in each state."""
    only, counts = FlowRunFilter(id=FlowRunFilterId(any_=[flow_run])), Counter[str]()
    with get_client(sync_client=True) as client:
        while page := client.read_task_runs(flow_run_filter=only, limit=PAGE, offset=counts.total()):
            counts.update(run.state_name for run in page)
    return counts


def test_server_records_every_task_run_of_many_shards_as_completed(manifest, hears, tmp_path, prefect_server):
    names = [f"{i}.wav" for i in range(SHARDS)]
    corpus = manifest(*[{"audio_filepath": name, "duration": 1.0, "text": f"good morning {name}"} for name in names])
    models = hears(small=dict.fromkeys(names, "good"), large={name: f"good morning {name}" for name in names})
    flow_runs = []
    flow.curate.on_completion_hooks.append(lambda _, run, __: flow_runs.append(str(run.id)))
    start = time.monotonic()
    try:
        flow.curate(manifest=corpus, output=tmp_path / "run", shard_hours=1 / 3600, gate={"accept": 0.1}, **models)
    finally:
        flow.curate.on_completion_hooks.pop()
    seconds, end = time.monotonic() - start, time.monotonic()
    assert len(published_rows(tmp_path / "run")) == SHARDS
    large = sum(record["stage"] == "transcribe-large" for record in read_records(tmp_path / "run").values())
    # per shard: load, transcribe, score, gate, score, filter, publish
    # per run: shard, fields, deduplicate, manifest, report
    expected = 7 * SHARDS + large + 5
    while (counts := task_states(flow_runs[0])) != Counter(
        Completed=expected
    ) and time.monotonic() < end + WRITE_TIMEOUT:
        time.sleep(0.2)
    print(f"{SHARDS} shards, {seconds:.0f} s: {dict(counts)}, {time.monotonic() - end:.0f} s after the end")
    assert counts == Counter(Completed=expected)
