"""The states of flow runs on a Prefect server, set from outside of the run: its process died, or is about to end."""

from typing import Any
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.filters import FlowRunFilter, TaskRunFilter
from prefect.client.schemas.objects import State, StateType

UNFINISHED = [StateType.PENDING, StateType.RUNNING, StateType.CANCELLING]
WAITING = [StateType.SCHEDULED]  # a task run before its next attempt


def end_flow_run(server: SyncPrefectClient, flow_run: str, state: str, message: str) -> None:
    """Set a flow run and its task runs that have not ended to a final state: Cancelled or Crashed.

    Cancelled replaces Crashed, which is what Prefect itself takes a signal for.
    """
    found = server.read_flow_run(UUID(flow_run)).state
    replaced = [*UNFINISHED, StateType.CRASHED] if state == "Cancelled" else UNFINISHED
    if found is None or found.type not in replaced:
        return
    ended: Any = State(type=StateType(state.upper()), name=state, message=message)
    server.set_flow_run_state(UUID(flow_run), ended, force=True)
    of_run = FlowRunFilter.model_validate({"id": {"any_": [flow_run]}})
    unfinished = TaskRunFilter.model_validate({"state": {"type": {"any_": [*UNFINISHED, *WAITING]}}})
    for task_run in server.read_task_runs(flow_run_filter=of_run, task_run_filter=unfinished):
        server.set_task_run_state(task_run.id, ended, force=True)
