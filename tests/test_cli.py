import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from cli.app import app, main
from cli.run import resume_hint

ROOT = Path(__file__).parent.parent


def winnow(*arguments: object, server: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "cli.app", *map(str, arguments)]
    environment = os.environ | {"PREFECT_API_URL": server}
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=240)


def refused(capsys, *arguments: object) -> tuple[int, str]:
    """Run a command that ends before it starts anything; return its exit code and errors."""
    with pytest.raises(SystemExit) as ended:
        main(list(map(str, arguments)))
    return ended.value.code, capsys.readouterr().err


def test_interrupted_run_can_be_resumed_once_it_has_written_something(tmp_path):
    output = tmp_path / "my run"
    assert resume_hint(str(output)) == "nothing was written yet; the same command starts the run again"
    assert resume_hint(str(output), str(tmp_path / "segments")) == "the same command continues"
    output.mkdir()
    (output / "run.json").touch()
    assert resume_hint(str(output)) == f"resume with the same command, or with `winnow resume '{output}'`"


def test_help_shows_every_parameter_and_is_that_of_the_flow(capsys):
    line = [sys.executable, "-P", "-m", "flows.curate", "--help"]
    output = subprocess.run(line, cwd=ROOT, capture_output=True, text=True).stdout
    app(["curate", "--help"], result_action="return_value")
    assert capsys.readouterr().out.split() == output.split()
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
def test_wrong_value_is_refused_before_anything_starts(capsys, arguments, errors):
    exit_code, printed = refused(capsys, *arguments)
    assert exit_code == 2
    assert printed.splitlines() == errors


def test_run_prints_a_summary_and_each_error_one_line_with_its_exit_code(
    manifest, hears, tmp_path, prefect_server, run_command
):
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
    ended = run_command(*strict, "--filter.rules", "duration >= 9")
    assert ended.returncode == 0, ended.stderr
    warning = "Nothing was kept. DURATION_BELOW_MIN dropped 100%: do the utterances have such values?"
    assert ended.stderr.splitlines()[-1].startswith(f"winnow: warning: {warning}")
    assert warning in (tmp_path / "strict" / "report.html").read_text()

    ended = run_command(*arguments, "--filter.max-wer", "0.1")
    assert ended.returncode == 8
    assert ended.stderr.splitlines()[-1].startswith("winnow: ")
    assert "Traceback" not in ended.stderr
    elsewhere = ["--output", tmp_path / "other", "--small"]
    ended = run_command("curate", tmp_path / "no.jsonl", *elsewhere, models["small"])
    assert ended.returncode == 2
    assert "no.jsonl: cannot read the manifest: No such file or directory" in ended.stderr
    assert run_command("curate", corpus, *elsewhere, "no.nemo").returncode == 7
    broken = tmp_path / "broken.jsonl"
    broken.write_text('{"audio_filepath": "a.wav", "pred_text": {}}')
    ended = run_command("curate", corpus, *elsewhere, broken)
    assert ended.returncode == 7, ended.stderr
    assert ended.stderr.splitlines()[-1].startswith(f"winnow: {broken}:1: invalid transcript: ")
    assert "transcribe-small" not in ended.stderr


def test_json_without_a_file_is_alone_on_standard_output(prefect_server):
    """With findings for people, and whatever libraries print, on standard error."""
    model = ROOT / "demo" / "small.nemo"
    process = winnow("download-models", "--json", "-", "--models", model, server=prefect_server)
    assert process.returncode == 0, process.stderr
    (result,) = json.loads(process.stdout)
    assert result["pin"].startswith(f"{model}@sha256:")
    assert "pinned: " in process.stderr
    for words in ("x.nemo --json", "--json --models x.nemo"):  # what is left of `--json -`
        _, given, _ = app.parse_args(f"download-models {words}")
        assert (given.arguments["settings"].models, given.arguments["json"]) == (["x.nemo"], [])


def test_json_in_a_file_leaves_standard_output_to_people(run_command, tmp_path):
    ended = run_command("download-models", ROOT / "demo" / "small.nemo", "--json", tmp_path / "x.json")
    assert ended.returncode == 0, ended.stderr
    assert "pinned: " in ended.stdout
    assert json.loads((tmp_path / "x.json").read_text())[0]["cause"] is None
    ended = run_command("doctor", "--json", tmp_path / "none" / "x.json")
    message = f"winnow: --json {tmp_path / 'none' / 'x.json'}: not a file in an existing folder\n"
    assert (ended.returncode, ended.stderr) == (2, message)
