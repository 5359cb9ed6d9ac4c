"""docs/extending.md: every example is added to a copy of Winnow, as a reader would, and used there."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.conftest import ROOT

PAGE = (ROOT / "docs" / "extending.md").read_text()
SECTIONS = dict(re.findall(r"^## A new (.*?)\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL))
BLOCK = re.compile(r'^```(python|diff) title="([^"]+)"\n(.*?)^```', re.MULTILINE | re.DOTALL)
MOST_LINES = 30

CHECKS = {
    "engine": """
from winnow import transcribe
assert transcribe(["a.wav"], "command:./asr.sh")[0].hypothesis.text == "good morning"
""",
    "source": """
from winnow import open_corpus
first, second = open_corpus("corpus.stm")
assert (first.text, first.path.endswith("/a.wav"), first.fields) == ("good morning", True, {"speaker": "ann"})
assert (first.offset, first.duration, second.id, second.reason) == (1.0, 1.5, 2, "BAD_ROW")
""",
    "measurement of audio": """
from winnow import judge
from winnow.audio.decode import load_clip
assert round(load_clip("a.wav", None, None, 16_000, longest=120).stats["dc_offset"], 3) == 0.25
assert judge([{"dc_offset": 0.25}], ["dc_offset <= 0.1"])[0].reason == "DC_OFFSET_ABOVE_MAX"
""",
    "measure": """
import numpy as np
from winnow.listening.registry import listen
from winnow.parameters.curation import Curation
assert Curation(manifest="m", output="o", small="s.nemo", listen="pitch").listen == "pitch"
assert round(listen(["pitch"], np.sin(np.arange(16_000) * 2 * np.pi / 80).astype(np.float32))["pitch"]) == 200
assert listen(["pitch"], np.zeros(100, np.float32)) == {"pitch": None}
""",
    "form of output": """
import pyarrow as pa
from winnow.runs.outputs import FILES
row = {"path": "/x/a.wav", "offset": 1.0, "duration": 2.5, "text": "good morning", "pred_text": "", "decision": "keep"}
rows = pa.Table.from_pylist([row, row | {"decision": "drop"}])
assert list(FILES["kept.stm"].write([rows], {})) == [b"a 1 unknown 1.00 3.50 good morning\\n"]
""",
    "criterion of the gate": """
import pyarrow as pa
from winnow.gates.bands import assign_bands
from winnow.parameters.curation import Curation
settings = Curation(manifest="m", output="o", small="s.nemo", large="l.nemo", gate={"by": "cer"})
rows = pa.table({"small_cer": pa.array([0.05, 0.5, None])})
assert assign_bands(rows, "small", settings.gates_after_small).to_pylist() == ["accept", "escalate", "escalate"]
""",
    "metric": """
from winnow import judge, score
assert score("one two", "one two three").length_ratio == 1.5
assert judge([{"text": "one two", "pred_text": "one"}], ["length_ratio >= 0.9"])[0].reason == "LENGTH_RATIO_BELOW_MIN"
""",
    "chart": """
from types import SimpleNamespace
import pyarrow as pa
from winnow.reports.charts import data_uri
from winnow.reports.sections import SECTIONS
(chart,) = [chart for section in SECTIONS for chart in section.charts if chart.caption == "Utterances by length"]
context = SimpleNamespace(rows=pa.table({"duration": [1.0, 2.0, None]}))
assert data_uri(chart.draw(context)).startswith("data:image/png")
""",
}


def apply(change: str, text: str) -> str:
    """Apply a block of a diff without line numbers: its context occurs once; imports alone go before the others."""
    lines = change.splitlines(keepends=True)
    before, after = ("".join(line[1:] for line in lines if line[0] not in sign) for sign in "+-")
    if not before and after.startswith("from winnow."):
        before = re.findall(r"^from winnow\..*\n", text, re.MULTILINE)[0]
        after += before
    assert text.count(before) == 1, before
    return text.replace(before, after)


@pytest.fixture(scope="module")
def extended(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of Winnow with every example of the page, and something to use it on."""
    copy = tmp_path_factory.mktemp("extended")
    shutil.copytree(ROOT / "winnow", copy / "winnow", ignore=shutil.ignore_patterns("__pycache__"))
    for kind, name, content in BLOCK.findall(PAGE):
        file = copy / name
        file.write_text(content if kind == "python" else apply(content, file.read_text()))
    soundfile.write(copy / "a.wav", np.full(16_000, 0.25), 16_000)
    (copy / "asr.sh").write_text("#!/bin/sh\ncat > /dev/null\necho good morning\n")
    (copy / "asr.sh").chmod(0o755)
    (copy / "corpus.stm").write_text(";; a comment\na 1 ann 1.00 2.50 <o,f0> good morning\na 1 ann\n")
    return copy


@pytest.mark.parametrize("section", CHECKS)
def test_example_works_where_the_page_puts_it(extended: Path, section: str):
    environment = os.environ | {"PYTHONPATH": str(extended)}
    line = [sys.executable, "-c", f"import winnow; assert {str(extended)!r} in winnow.__file__\n{CHECKS[section]}"]
    process = subprocess.run(line, cwd=extended, env=environment, capture_output=True, text=True)
    assert process.returncode == 0, process.stderr[-2_000:]


@pytest.mark.parametrize("section", CHECKS)
def test_example_is_short(section: str):
    blocks = [content for _, _, content in BLOCK.findall(SECTIONS[section])]
    code = [line for block in blocks for line in block.splitlines() if line.strip() and " import " not in line]
    assert 0 < len(code) <= MOST_LINES
