"""The Prefect server as seen from a run: there at the start, watched until the end, and told when a run is dead.

A run does not need its server to keep its promise. When the server is lost, the process starts over as `winnow resume`
with a server of its own: what is committed stays, the rest is done, and the exit code says what is missing.
"""

import logging
import os
import sys
import threading
import time
from pathlib import Path
from typing import Any

import httpx
import psutil

PATIENCE = 20.0  # seconds for a server to answer at the start
POLL = 3.0
LOST = 15.0  # seconds without anybody at the server's address
SILENT = 90.0  # seconds without an answer from somebody there: a busy server is slow
ORPHANED = "WINNOW_SERVER_LOST"  # set for the process that goes on

current: dict[str, Any] = {}
"""The flow run that this process works for, if it has no other work."""

log = logging.getLogger("winnow")


class NoServer(Exception):
    """The Prefect server that was asked for does not answer."""

    exit_code = 3


class ServerLost(Exception):
    """The data is complete, and the Prefect server does not know."""

    exit_code = 4

    @staticmethod
    def words(api: str) -> str:
        return f"the data is complete; the Prefect server at {api} was lost and has no report of it"


def require(api: str) -> None:
    """Raise unless the server answers within PATIENCE."""
    end = time.monotonic() + PATIENCE
    while (problem := unanswered(api)) is not None:
        if time.monotonic() > end:
            raise NoServer(
                f"no Prefect server at {api} ({problem}): start it, or unset PREFECT_API_URL to run with one of our own"
            )
        time.sleep(1)


def unanswered(api: str) -> Exception | None:
    """Why the server did not answer, if it did not."""
    try:
        httpx.get(f"{api}/health", timeout=5.0)
    except httpx.HTTPError as error:
        return error
    return None


def this_run() -> dict[str, Any]:
    """The flow run that runs here, and its server."""
    from prefect.client.orchestration import get_client
    from prefect.runtime import flow_run

    with get_client(sync_client=True) as client:
        return {"api": str(client.api_url).rstrip("/"), "flow_run": str(flow_run.id), "name": flow_run.name}


def watch(run: Path) -> None:
    """From now on, go on without the server when it is lost; only where the process is the run's alone."""
    if not (current or "PREFECT__FLOW_RUN_ID" in os.environ):
        return
    current.update(this_run())
    threading.Thread(target=_watch, args=(current["api"], run), daemon=True, name="server watch").start()


def _watch(api: str, run: Path) -> None:
    heard = time.monotonic()
    while True:
        time.sleep(POLL)
        problem = unanswered(api)
        silence = time.monotonic() - heard
        if problem is None:
            heard = time.monotonic()
        elif silence > (LOST if isinstance(problem, httpx.ConnectError) else SILENT):
            go_on_alone(api, run)


def go_on_alone(api: str, run: Path) -> None:
    """Become `winnow resume`, with a server of its own; or end, if all is written."""
    for child in psutil.Process().children(recursive=True):
        child.kill()
    if (run / "_SUCCESS.json").exists():
        print(f"winnow: {ServerLost.words(api)}", file=sys.stderr, flush=True)
        os._exit(ServerLost.exit_code)
    print(f"winnow: the Prefect server at {api} is lost; going on with one of our own", file=sys.stderr, flush=True)
    own = {name: value for name, value in os.environ.items() if not name.startswith(("PREFECT_API_", "PREFECT__"))}
    os.execve(sys.executable, [sys.executable, "-m", "flows.cli", "resume", str(run)], own | {ORPHANED: api})


def leave(word: str) -> None:
    """Say at the server that this process's flow run was stopped on purpose."""
    if os.environ.get("PREFECT_API_URL") and current:
        tell(current["api"], current["flow_run"], "Cancelled", f"{word} at its terminal")


def tell(api: str, flow_run: str, state: str, message: str) -> None:
    """Set the state of a flow run that cannot do so itself; a server that does not answer is left alone."""
    body: dict[str, Any] = {"type": state.upper(), "name": state, "message": message}
    try:
        httpx.post(f"{api}/flow_runs/{flow_run}/set_state", json={"state": body, "force": True}, timeout=5.0)
    except httpx.HTTPError as error:
        log.warning("flow run %s stays as it is at the server: %s", flow_run, error)


def bury(owner: dict[str, Any]) -> None:
    """Say of a run that died without a word that it crashed."""
    api, flow_run = owner.get("api"), owner.get("flow_run")
    if api and flow_run and unanswered(api) is None:
        found = httpx.get(f"{api}/flow_runs/{flow_run}", timeout=5.0)
        if found.status_code == httpx.codes.OK and found.json()["state"]["type"] in ("RUNNING", "PENDING"):
            tell(api, flow_run, "Crashed", "its process died; another run goes on with its output")
