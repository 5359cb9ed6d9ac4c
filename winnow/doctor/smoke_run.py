"""A whole run of one utterance, as the last of the doctor's checks."""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from winnow.doctor.findings import Finding, failed, ok

DEMO = Path(__file__).parents[2] / "demo"


def demo_checkpoint() -> str | None:
    """The demo's small checkpoint, as it was when it was trained, where it is here."""
    sums = DEMO / "SHA256SUMS"
    if not sums.exists():
        return None
    digests: dict[str, str] = dict(line.split()[::-1] for line in sums.read_text().splitlines())
    return f"{DEMO / 'small.nemo'}@sha256:{digests['small.nemo']}"


def smoke_run(names: list[str], trust: bool) -> Iterator[Finding]:
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
        yield failed("smoke run", found, "choose another model, or winnow download-models to fetch this one anew")
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
