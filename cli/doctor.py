"""The doctor in a terminal. Prefect is imported only where a check asks it, since it may be what is wrong."""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console
from rich.text import Text

from winnow.doctor.checks import run_checks
from winnow.doctor.findings import Finding, failed, ok
from winnow.parameters.maintenance import Doctor

DEMO = Path(__file__).parent.parent / "demo"
COLOURS = {"ok": "green", "warning": "yellow", "failed": "red"}

console = Console(highlight=False)


def findings(settings: Doctor) -> Iterator[Finding]:
    """What the doctor says, a line a check."""
    return run_checks(settings, demo(), server, smoke)


def doctor(settings: Doctor, file: Path | None) -> bool:
    """Show each finding as soon as it is there, and write them all to the file; whether nothing failed."""
    found = []
    for finding in findings(settings):
        found.append(finding)
        mark = Text(f"{finding.state:<8}", COLOURS[finding.state])
        console.print(mark, Text(f"{finding.check}: {finding.found}"), soft_wrap=True)
        if finding.remedy:
            console.print(Text(f"         remedy: {finding.remedy}"), soft_wrap=True)
    if file:
        file.write_text(json.dumps([finding.model_dump() for finding in found], indent=2) + "\n")
    return all(finding.state != "failed" for finding in found)


def demo() -> str | None:
    """The demo's small checkpoint, as it was when it was trained, where it is here."""
    sums = DEMO / "SHA256SUMS"
    if not sums.exists():
        return None
    digests = dict(reversed(line.split()) for line in sums.read_text().splitlines())
    return f"{DEMO / 'small.nemo'}@sha256:{digests['small.nemo']}"


def server() -> Iterator[Finding]:
    """Whether the Prefect server that is configured answers."""
    from flows.server.ephemeral import monitor
    from winnow.parameters.redaction import redact_text

    api = monitor.configured_api()
    problem = monitor.health_error(api) if api else None
    if api is None:
        yield ok("server", "no Prefect server is configured, so each run starts one for its time")
    elif problem is None:
        yield ok("server", f"{redact_text(api)} answers")
    else:
        said = redact_text(f"{type(problem).__name__}: {problem}".splitlines()[0])
        remedy = "prefect server start, or set PREFECT_API_URL to nothing: then a run starts a server of its own"
        yield failed("server", f"{redact_text(api)} does not answer ({said})", remedy)


def smoke(names: list[str], trust: bool) -> Iterator[Finding]:
    """Whether `winnow curate` reads an utterance of the demo with the models, and with a Prefect server of its own."""
    from winnow.doctor.checkpoint_check import why_not_runnable

    if finding := why_not_runnable(names):
        yield finding
        return
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            smoke_command(names, trust, Path(folder)), env=clean_environment(folder), capture_output=True, text=True
        )
        took = f"{time.monotonic() - began:.0f} s"
        if done.returncode:
            last = (done.stderr.strip().splitlines() or ["nothing was said"])[-1]
            more = f"for more: winnow curate demo/corpus/manifest.jsonl --output out --small {names[0]}"
            yield failed("smoke run", f"ended with {done.returncode} after {took}: {last}", more)
            return
        report = json.loads(Path(folder, "run", "report.json").read_text())
    if report["quarantined"]:
        found = f"the utterance could not be read: {', '.join(report['reasons'])}"
        yield failed("smoke run", found, "choose another model, or winnow warm-up to fetch this one anew")
        return
    where = ", ".join(sorted({speed["device"] for speed in report["speed"].values()}))
    wer = report["wer"]["all"]["mean"]
    yield ok("smoke run", f"an utterance went through a whole run in {took}, on {where}: WER {wer:.0%}")


def smoke_command(names: list[str], trust: bool, folder: Path) -> list[str]:
    """A run of one utterance that every model reads."""
    corpus = folder / "corpus.jsonl"
    corpus.write_text((DEMO / "corpus" / "manifest.jsonl").read_text().splitlines()[0] + "\n")
    words = [sys.executable, "-m", "cli.app", "curate", str(corpus), "--relative-to", str(DEMO / "corpus")]
    words += ["--output", str(folder / "run"), "--small", names[0]]
    larger = ["--large", names[1], "--gate.preset", "everything"] if names[1:] else []
    return [*words, *larger, *(["--trust-unpinned"] if trust else [])]


def clean_environment(folder: str) -> dict[str, str]:
    """The environment of a run that no server and no profile of Prefect's knows of."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
    return own | {"PREFECT_HOME": folder}
