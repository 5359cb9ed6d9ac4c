"""Runs over corpora of every form that are killed, in each place, while they fetch and while they commit."""

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.corpus_forms import FORMS, PLACES, ROWS, audio, bucket, heard_in, web
from tests.faults.test_kills import curate, dataset, exit_code, start
from tests.object_store import REQUESTS, forget_connections
from winnow.parameters.curation import Curation

__all__ = ["audio", "bucket", "web"]  # fixtures

USUAL = {("here", "WebDataset"), ("on the web", "NeMo tarred")}
CASES = [
    (where, name) for where in PLACES for name in FORMS if os.environ.get("WINNOW_FORMS") or (where, name) in USUAL
]
SECONDS = 300


@pytest.mark.parametrize(("where", "form"), CASES)
def test_run_that_is_killed_twice_has_the_bytes_of_one_that_is_not(audio, hears, where, form, request, monkeypatch):
    corpus = PLACES[where](audio, FORMS[form], ROWS, request)
    settings = Curation(manifest=corpus, output=str(audio / "whole"), **hears(small=heard_in(corpus)))
    curate(settings)
    monkeypatch.setenv("WINNOW_CACHE", str(audio / "cache"))
    killed = settings.model_copy(update={"output": str(audio / "killed")})
    process = 0

    def kill() -> None:
        os.kill(process, signal.SIGKILL)

    kill_in_the_middle_of_a_fetch(where, audio, kill, request)
    forget_connections()
    process = start(killed, die=None if where != "here" else ("linked", 1))
    assert exit_code(process, SECONDS) == -signal.SIGKILL
    process = start(killed, die=("linked", 2))
    assert exit_code(process, SECONDS) == -signal.SIGKILL
    assert exit_code(start(killed), SECONDS) == 0
    assert dataset(audio / "killed") == dataset(audio / "whole")


def kill_in_the_middle_of_a_fetch(
    where: str, folder: Path, kill: Callable[[], None], request: pytest.FixtureRequest
) -> None:
    """Have `kill` called when half of the largest file that a run has asked for is sent once more."""
    if where == "here":  # nothing is fetched
        return
    web = request.getfixturevalue("web") if where == "on the web" else None
    asked, faults = (web.asked, web.faults) if web else (REQUESTS.asked, REQUESTS.faults)
    top = f"/{folder.name}/" if web else f"/winnow/{folder.name}/"
    files = {
        path: folder / path.removeprefix(top) for method, path in asked if method == "GET" and path.startswith(top)
    }
    largest = max((path for path in files if files[path].is_file()), key=lambda path: files[path].stat().st_size)

    def send_half_of_a_file(handler) -> None:
        content = handler.server.files[handler.path]
        if handler.command == "HEAD":
            handler.send(content)
            return
        faults.clear()
        handler.close_connection = True
        handler.send(content[: len(content) // 2], stated=len(content))
        kill()

    def send_half_of_an_object(content: bytes) -> Iterator[bytes]:
        faults.clear()
        yield content[: len(content) // 2]
        kill()

    faults[largest] = send_half_of_a_file if web else send_half_of_an_object
