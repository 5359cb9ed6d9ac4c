"""A flow run that fails by one of Winnow's errors: its state is the error's sentence, its log has no traceback."""

import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from flows.curate import curate
from tests.conftest import runs_to
from winnow.errors import CheckpointError, ManifestError, OptionError


@pytest.fixture
def run_log() -> Iterator[list[str]]:
    """Collect what Prefect's runs log, with tracebacks."""
    lines: list[str] = []

    class Collect(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(self.format(record))

    handler = Collect(logging.INFO)
    loggers = [logging.getLogger(f"prefect.{name}") for name in ("flow_runs", "task_runs")]
    for logger in loggers:
        logger.addHandler(handler)
    yield lines
    for logger in loggers:
        logger.removeHandler(handler)


def state_of(api: str, output: Path) -> dict[str, Any]:
    """Return the state of the only flow run that writes to this folder."""
    (run,) = httpx.post(f"{api}/flow_runs/filter", json=runs_to(output), timeout=30).json()
    state: dict[str, Any] = run["state"]
    return state


def test_error_before_the_first_task_is_the_message_of_the_state(
    prefect_server: str, tmp_path: Path, run_log: list[str]
):
    with pytest.raises(ManifestError, match=r"none\.jsonl: cannot read") as raised:
        curate(manifest=tmp_path / "none.jsonl", output=str(tmp_path / "out"), small="small.jsonl")
    state = state_of(prefect_server, tmp_path / "out")
    assert (state["type"], state["message"]) == ("FAILED", str(raised.value))
    assert "Traceback" not in "".join(run_log)


def test_options_that_contradict_each_other_are_the_message_of_the_state(prefect_server: str, tmp_path: Path):
    with pytest.raises(OptionError, match=r"^--gate.accept: not used, because there is no large model"):
        curate(manifest=tmp_path / "a.jsonl", output=str(tmp_path / "out"), small="a.jsonl", gate={"accept": 0.1})
    assert state_of(prefect_server, tmp_path / "out")["message"].startswith("--gate.accept: not used")


def test_error_of_a_task_is_logged_without_a_traceback(
    prefect_server: str, manifest: Callable[..., Path], tmp_path: Path, run_log: list[str]
):
    corpus = manifest({"audio_filepath": "a.wav", "text": "hello"})
    broken = tmp_path / "broken.jsonl"
    broken.write_text('{"audio_filepath": "a.wav", "pred_text": "hello", "confidence": -0.3}')
    with pytest.raises(CheckpointError) as raised:
        curate(manifest=corpus, output=str(tmp_path / "out"), small=str(broken))
    message = state_of(prefect_server, tmp_path / "out")["message"]
    assert message.startswith(str(raised.value))
    assert f"{broken}:1: " in message
    log = "\n".join(run_log)
    assert f"{broken}:1: " in log
    assert "Traceback" not in log
