import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from cli.run import resume_hint

pytestmark = pytest.mark.usefixtures("measured_children")

ROOT = Path(__file__).parent.parent


def winnow(*arguments: object, server: str | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "cli.app", *map(str, arguments)]
    environment = os.environ | ({"PREFECT_API_URL": server} if server else {})
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=240)


def test_interrupted_run_can_be_resumed_once_it_has_written_something(tmp_path):
    output = tmp_path / "my run"
    assert resume_hint(str(output)) == "nothing was written yet; the same command starts the run again"
    output.mkdir()
    (output / "run.json").touch()
    assert resume_hint(str(output)) == f"resume with the same command, or with `winnow resume '{output}'`"


@pytest.mark.parametrize("command", [["cli.app", "curate"], ["flows.curate"]])
def test_help_shows_every_parameter(command):
    output = subprocess.run([sys.executable, "-m", *command, "--help"], cwd=ROOT, capture_output=True, text=True).stdout
    for flag in ("MANIFEST", "--output", "--small", "--large", "--gate.preset", "--filter.max-wer", "--devices"):
        assert flag in output


CURATE = ["curate", "a.jsonl", "--output", "out", "--small", "s.nemo"]


@pytest.mark.parametrize(
    ("arguments", "errors"),
    [
        (
            [*CURATE, "--shard-hours", "0", "--gate.preset", "x"],
            [
                "winnow: --gate.preset: Input should be 'bands', 'guide', 'everything' or 'budget'",
                "winnow: --shard-hours: Input should be greater than 0",
            ],
        ),
        (
            [*CURATE, "--large", "l.nemo", "--gate.accept", "2"],
            ["winnow: --gate.accept (2): must not be above --gate.reject (1.05)"],
        ),
        ([*CURATE, "--largest", "l.nemo"], ["winnow: Unknown option: --largest. Did you mean --large?"]),
        (
            ["refilter", "out", "--filter.max-wer", "-1"],
            ["winnow: --filter.max-wer: Input should be greater than or equal to 0"],
        ),
        (
            ["resume", "out", "--max-quarantined", "2"],
            ["winnow: --max-quarantined: 2 is above 1, but this is a fraction: 0.02?"],
        ),
        (
            [*CURATE, "--filter.max-wer", "25"],
            ["winnow: --filter.max-wer: 25 is above 2, but this is a fraction: 0.25?"],
        ),
        (
            [*CURATE, "--engine.max-seconds", "inf"],
            ["winnow: --engine.max-seconds: Input should be a finite number"],
        ),
    ],
)
def test_wrong_value_is_refused_before_anything_starts(arguments, errors):
    process = winnow(*arguments)
    assert process.returncode == 2
    assert process.stderr.splitlines() == errors


def test_run_prints_a_summary_and_each_error_one_line_with_its_exit_code(manifest, hears, tmp_path, prefect_server):
    corpus = manifest(
        {"audio_filepath": "a.wav", "text": "hello there"},
        {"audio_filepath": "b.wav", "text": "hello there"},
    )
    models = hears(small={"a.wav": "hello there", "b.wav": "low hair"}, large={"b.wav": "good day"})
    arguments = ["curate", corpus, "--output", tmp_path / "out", "--small", models["small"], "--large", models["large"]]
    process = winnow(*arguments, server=prefect_server)
    assert process.returncode == 0, process.stderr
    assert "transcribe small 00000: 2 utterances" in process.stderr
    assert [line.split()[:2] for line in process.stdout.splitlines()[1:3]] == [["kept", "1"], ["dropped", "1"]]
    assert json.loads((tmp_path / "out" / "report.json").read_text())["kept"] == 1
    assert "warning" not in process.stderr

    strict = ["curate", corpus, "--output", tmp_path / "strict", "--small", models["small"]]
    process = winnow(*strict, "--filter.rules", "duration >= 9", server=prefect_server)
    assert process.returncode == 0, process.stderr
    warning = "Nothing was kept. DURATION_BELOW_MIN dropped 100%: do the utterances have such values?"
    assert process.stderr.splitlines()[-1].startswith(f"winnow: warning: {warning}")
    assert warning in (tmp_path / "strict" / "report.html").read_text()

    refused = winnow(*arguments, "--filter.max-wer", "0.1", server=prefect_server)
    assert refused.returncode == 8
    assert refused.stderr.splitlines()[-1].startswith("winnow: ")
    assert "Traceback" not in refused.stderr
    elsewhere = ["--output", tmp_path / "other", "--small"]
    missing = winnow("curate", tmp_path / "no.jsonl", *elsewhere, models["small"], server=prefect_server)
    assert missing.returncode == 2
    assert "no.jsonl: cannot read the manifest: No such file or directory" in missing.stderr
    assert winnow("curate", corpus, *elsewhere, "no.nemo", server=prefect_server).returncode == 7
    broken = tmp_path / "broken.jsonl"
    broken.write_text('{"audio_filepath": "a.wav", "pred_text": {}}')
    process = winnow("curate", corpus, *elsewhere, broken, server=prefect_server)
    assert process.returncode == 7, process.stderr
    assert process.stderr.splitlines()[-1].startswith(f"winnow: {broken}:1: invalid transcript: ")
    assert "transcribe-small" not in process.stderr


def test_json_without_a_file_is_alone_on_standard_output(prefect_server):
    """With findings for people, and whatever libraries print, on standard error."""
    model = ROOT / "demo" / "small.nemo"
    for words in (["download-models", model, "--json"], ["download-models", "--json", "-", "--models", model]):
        process = winnow(*words, server=prefect_server)
        assert process.returncode == 0, process.stderr
        (result,) = json.loads(process.stdout)
        assert result["pin"].startswith(f"{model}@sha256:")
        assert "pinned: " in process.stderr


def test_json_in_a_file_leaves_standard_output_to_people(prefect_server, tmp_path):
    process = winnow(
        "download-models", ROOT / "demo" / "small.nemo", "--json", tmp_path / "x.json", server=prefect_server
    )
    assert process.returncode == 0, process.stderr
    assert "pinned: " in process.stdout
    assert json.loads((tmp_path / "x.json").read_text())[0]["cause"] is None
    refused = winnow("doctor", "--json", tmp_path / "none" / "x.json")
    assert refused.returncode == 2
    assert refused.stderr == f"winnow: --json {tmp_path / 'none' / 'x.json'}: not a file in an existing folder\n"
