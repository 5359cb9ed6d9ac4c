"""The states of flow runs on a Prefect server, set from outside of the run: its process died, or is about to end."""

import time
from typing import Any
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.filters import FlowRunFilter, TaskRunFilter
from prefect.client.schemas.objects import State, StateType

UNFINISHED = [StateType.PENDING, StateType.RUNNING, StateType.CANCELLING]
WAITING = [StateType.SCHEDULED]  # a task run before its next attempt
SETTLE_SECONDS = 2.5  # without a new task run: servers write the states of tasks a second or more after they got them
SETTLE_TIMEOUT = 8.0  # seconds after which the server is left to itself
POLL_SECONDS = 0.25


def stop_task_events(timeout: float) -> None:
    """Send the server what tasks have reported so far, and nothing from now on.

    Tasks report their states as events. One that comes after a final state, as from a task that still runs, would
    replace it.
    """
    from prefect.events.clients import NullEventsClient
    from prefect.events.worker import EventsWorker

    EventsWorker.set_client_override(NullEventsClient)
    EventsWorker.drain_all(timeout=timeout)


def end_flow_run(server: SyncPrefectClient, flow_run: str, state: str, message: str, settle: float = 0.0) -> None:
    """Set a flow run and its task runs that have not ended to a final state: Cancelled or Crashed.

    Cancelled replaces Crashed, which is what Prefect itself takes a signal for. Return when no other task run has
    appeared on the server for `settle` seconds, or after SETTLE_TIMEOUT.
    """
    found = server.read_flow_run(UUID(flow_run)).state
    replaced = [*UNFINISHED, StateType.CRASHED] if state == "Cancelled" else UNFINISHED
    if found is None or found.type not in replaced:
        return
    server.set_flow_run_state(UUID(flow_run), final_state(state, message), force=True)
    began = last_found = time.monotonic()
    while True:
        now = time.monotonic()
        if end_task_runs(server, flow_run, state, message):
            last_found = now
        elif now - last_found >= settle:
            return
        else:
            time.sleep(POLL_SECONDS)
        if now - began >= SETTLE_TIMEOUT:
            return


def end_task_runs(server: SyncPrefectClient, flow_run: str, state: str, message: str) -> int:
    """Set the task runs of a flow run that have not ended to a final state; return how many the server has named."""
    of_run = FlowRunFilter.model_validate({"id": {"any_": [flow_run]}})
    unfinished = TaskRunFilter.model_validate({"state": {"type": {"any_": [*UNFINISHED, *WAITING]}}})
    task_runs = server.read_task_runs(flow_run_filter=of_run, task_run_filter=unfinished)
    for task_run in task_runs:
        server.set_task_run_state(task_run.id, final_state(state, message), force=True)
    return len(task_runs)


def final_state(name: str, message: str) -> State[Any]:
    return State(type=StateType(name.upper()), name=name, message=message)
