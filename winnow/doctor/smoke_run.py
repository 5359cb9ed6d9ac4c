"""A complete run of one utterance, the doctor's last check."""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from winnow.doctor.findings import Finding, failed, ok
from winnow.doctor.installation import DEMO

DEMO_MANIFEST = DEMO / "corpus" / "manifest.jsonl"
SAMPLE_RATE = 16_000  # Hz


def smoke_run(names: list[str], trust_unpinned: bool) -> Iterator[Finding]:
    """Run `winnow curate` on one utterance with these models and a Prefect server that lives as long as the run."""
    from winnow.doctor.checkpoint_check import DOWNLOAD, why_not_runnable

    if finding := why_not_runnable(names):
        yield finding
        return
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        command = smoke_command(names, trust_unpinned, Path(folder))
        process = subprocess.run(command, env=clean_environment(folder), capture_output=True, text=True)
        seconds = f"{time.monotonic() - began:.0f} s"
        if process.returncode:
            last_line = (process.stderr.strip().splitlines() or ["no output"])[-1]
            remedy = f"to see everything: winnow curate MANIFEST --output out --small {names[0]}"
            message = f"ended with exit code {process.returncode} after {seconds}: {last_line}"
            yield failed("smoke run", message, remedy)
            return
        report = json.loads(Path(folder, "run", "report.json").read_text())
    if report["quarantined"]:
        message = f"the utterance was quarantined: {', '.join(report['reasons'])}"
        yield failed("smoke run", message, f"choose another model, or download this one again ({DOWNLOAD})")
        return
    devices = ", ".join(sorted({speed["device"] for speed in report["speed"].values()}))
    wer = f": WER {report['wer']['all']['mean']:.0%}" if DEMO_MANIFEST.exists() else ""
    yield ok("smoke run", f"one utterance went through a complete run in {seconds}, on {devices}{wer}")


def smoke_command(names: list[str], trust_unpinned: bool, folder: Path) -> list[str]:
    """Return the command of a run of one utterance that every model transcribes."""
    manifest, audio = write_manifest(folder)
    command = [sys.executable, "-P", "-m", "cli.app", "curate", str(manifest), "--relative-to", str(audio)]
    command += ["--output", str(folder / "run"), "--small", names[0]]
    larger = ["--large", names[1], "--gate.preset", "everything"] if names[1:] else []
    return [*command, *larger, *(["--trust-unpinned"] if trust_unpinned else [])]


def write_manifest(folder: Path, demo: Path = DEMO_MANIFEST) -> tuple[Path, Path]:
    """Write a manifest of one utterance; return it with the folder of its audio.

    The utterance is the demo's first one, or two seconds of a tone if there is no demo, as in an installed wheel.
    """
    manifest = folder / "corpus.jsonl"
    if demo.exists():
        manifest.write_text(demo.read_text().splitlines()[0] + "\n")
        return manifest, demo.parent
    import numpy as np
    import soundfile

    tone = 0.3 * np.sin(2 * np.pi * 440 * np.arange(2 * SAMPLE_RATE) / SAMPLE_RATE)
    soundfile.write(folder / "tone.wav", tone, SAMPLE_RATE)
    manifest.write_text(json.dumps({"audio_filepath": "tone.wav", "duration": 2.0, "text": "tone"}) + "\n")
    return manifest, folder


def clean_environment(prefect_home: str) -> dict[str, str]:
    """Return this process's environment without any Prefect server or profile."""
    variables = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
    return variables | {"PREFECT_HOME": prefect_home}
