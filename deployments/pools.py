"""The work pools that prefect.yaml names: one for each kind of machine."""

from prefect import get_client
from prefect.client.schemas.actions import WorkPoolCreate, WorkPoolUpdate
from prefect.exceptions import ObjectNotFound
from prefect.workers.process import ProcessWorker

POOLS = {
    "cpu": "Machines without a GPU: small corpora, demo and tests",
    "gpu": "Machines with GPUs",
}
RUNS_AT_ONCE = 1  # of a new pool: a run fills its machine; raise it if the pool has several machines


def create_pools() -> list[str]:
    """Create the pools and return their names; an existing pool keeps its type and its limit."""
    with get_client(sync_client=True) as client:
        for name, description in POOLS.items():
            try:
                client.read_work_pool(name)
                client.update_work_pool(name, WorkPoolUpdate(description=description))
            except ObjectNotFound:
                client.create_work_pool(
                    WorkPoolCreate(
                        name=name,
                        description=description,
                        type=ProcessWorker.type,
                        base_job_template=ProcessWorker.get_default_base_job_template(),
                        concurrency_limit=RUNS_AT_ONCE,
                    )
                )
    return list(POOLS)
