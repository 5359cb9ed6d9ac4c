"""The examples and the Python lines of the readme run as they are, in processes of their own."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import DEMO, ROOT

EXAMPLES = ROOT / "examples"
README = "-- README --"


def run_script(*words: str | Path, home: Path, **variables: str) -> str:
    environment = os.environ | {"PYTHONPATH": str(ROOT), "PREFECT_HOME": str(home), "PREFECT_LOGGING_LEVEL": "ERROR"}
    environment |= variables
    line = [sys.executable, *map(str, words)]
    process = subprocess.run(line, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert process.returncode == 0, process.stderr[-3_000:]
    return process.stdout


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("examples")


@pytest.fixture(scope="module")
def manifest(home: Path) -> Path:
    """Four short rows of the demo, the last with a wrong reference, and one without its audio."""
    rows = [json.loads(line) for line in (DEMO / "corpus" / "manifest.jsonl").read_text().splitlines()[5:9]]
    for row in rows:
        row["audio_filepath"] = str(DEMO / "corpus" / row["audio_filepath"])
    path = home / "some.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in [*rows, rows[0] | {"audio_filepath": "missing.wav"}]))
    return path


@pytest.fixture(scope="module")
def curated(home: Path, manifest: Path, prefect_server: str) -> tuple[Path, str]:
    """The example's run, with what the example prints.

    The readme's lines follow it in the same process, because both import NeMo; the run stands in for that of the demo.
    """
    output, script = home / "run", home / "curate_then_readme.py"
    (block,) = re.findall(r"^```python\n(.*?)^```", (ROOT / "README.md").read_text(), re.MULTILINE | re.DOTALL)
    run_example = f"import runpy; runpy.run_path({str(EXAMPLES / 'curate_and_read.py')!r}, run_name='__main__')"
    readme = block.replace('"demo/run"', repr(str(output)))
    script.write_text("\n".join([run_example, f"print({README!r})", readme, f"print({README!r})"]))
    return output, run_script(script, manifest, output, home=home, PREFECT_API_URL=prefect_server)


def test_curate_and_read_prints_every_row_that_is_not_kept(curated: tuple[Path, str]):
    shown = curated[1]
    assert "5 lines = 0 blank + " in shown
    assert "line 5: quarantine: AUDIO_MISSING" in shown


def test_transcribe_and_score_prints_a_rate_for_each_utterance(home: Path, manifest: Path):
    """With a stand-in for the model: the lines of the readme transcribe with a checkpoint."""
    rows = map(json.loads, manifest.read_text().splitlines())
    heard = [{"audio_filepath": row["audio_filepath"], "pred_text": f"{row['text']} um"} for row in rows]
    model = home / "model.jsonl"
    model.write_text("".join(json.dumps(row) + "\n" for row in heard))
    shown = run_script(EXAMPLES / "transcribe_and_score.py", manifest, model, home=home)
    assert shown.count("WER ") == 4
    assert "line 5: AUDIO_MISSING (no such file)" in shown


def test_own_rules_example_counts_the_drops_of_each_rule(home: Path, curated: tuple[Path, str]):
    shown = run_script(EXAMPLES / "own_rules.py", curated[0], "duration <= 5", "SHORT: words(text) >= 100", home=home)
    assert shown.startswith("0 of 5 rows kept, 0.000 h\n")
    assert "4  SHORT" in shown
    assert "1  AUDIO_MISSING" in shown


def test_python_lines_of_the_readme_run(curated: tuple[Path, str]):
    assert curated[1].count(README) == 2


def test_every_cell_of_the_notebook_runs_and_none_is_stored_with_output(home: Path, curated: tuple[Path, str]):
    """As one script: a cell's last expression is computed, but not shown."""
    notebook = json.loads((EXAMPLES / "explore_a_run.ipynb").read_text())
    cells = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert not any(cell["outputs"] or cell["execution_count"] for cell in cells)
    script = home / "notebook.py"
    script.write_text("\n\n".join("".join(cell["source"]) for cell in cells))
    os.environ["WINNOW_RUN"] = str(curated[0])
    try:
        assert "wer <= 0.5" in run_script(script, home=home)
    finally:
        del os.environ["WINNOW_RUN"]
