"""Runs over remote corpora that are killed while they fetch and while they commit, and started again."""

import os
import signal

import pytest

from tests.faults.test_kills import curate, dataset, exit_code, start
from tests.test_corpus_forms import FORMS, audio, heard_in, on_the_web, web
from winnow.parameters.curation import Curation

pytestmark = pytest.mark.unmeasured

KILLED = FORMS if os.environ.get("WINNOW_FORMS") else {"NeMo tarred": FORMS["NeMo tarred"]}
SECONDS = 300
__all__ = ["audio", "web"]  # fixtures


@pytest.mark.parametrize("write", KILLED.values(), ids=KILLED)
def test_run_that_is_killed_twice_has_the_bytes_of_one_that_is_not(audio, web, hears, write, request, monkeypatch):
    corpus = on_the_web(audio, write, request)
    settings = Curation(manifest=corpus, output=str(audio / "whole"), **hears(small=heard_in(corpus)))
    curate(settings)
    monkeypatch.setenv("WINNOW_CACHE", str(audio / "cache"))
    killed = settings.model_copy(update={"output": str(audio / "killed")})
    process = 0

    def kill_in_the_middle(handler) -> None:
        if handler.command == "HEAD":
            handler.send(handler.server.files[handler.path])
            return
        web.faults.clear()
        content = handler.server.files[handler.path]
        handler.close_connection = True
        handler.send(content[: len(content) // 2], stated=len(content))
        os.kill(process, signal.SIGKILL)

    asked = {path for method, path in web.asked if method == "GET" and path.startswith(f"/{audio.name}/")}
    fetched = asked & web.files.keys()
    web.faults[max(fetched, key=lambda path: len(web.files[path]))] = kill_in_the_middle
    process = start(killed)
    assert exit_code(process, SECONDS) == -signal.SIGKILL
    process = start(killed, die=("linked", 2))
    assert exit_code(process, SECONDS) == -signal.SIGKILL
    assert exit_code(start(killed), SECONDS) == 0
    assert dataset(audio / "killed") == dataset(audio / "whole")
