"""The registry of audio measurements: a new one is one entry, and becomes a column that rules can compare."""

import json
import re
import subprocess
import sys

import pyarrow as pa

from tests.conftest import ROOT
from winnow.audio.measurements import MEASUREMENTS
from winnow.rules.columns import column_type, type_of
from winnow.schema import AUDIO_STATS, BEFORE_FILTER

NEW = """
import json, sys
import pyarrow as pa
from winnow.audio import measurements

measurements.MEASUREMENTS += (
    measurements.Measurement("level", pa.float32(), "mean absolute sample", lambda signal: abs(signal.samples).mean()),
)

from tasks.filter import filter
from tasks.transcribe import audio_columns
from tests.conftest import shard_table
from winnow.audio.decode import load_clip
from winnow.engines.inference import Result
from winnow.rules.rule import Rules
from winnow.schema import BEFORE_FILTER, after_filter

results = [Result(stats=load_clip(path, None, None, 16_000, 60).stats) for path in sys.argv[1:]]
texts = {name: ["good"] * len(results) for name in ("text", "small_pred_text")}
rows = shard_table(BEFORE_FILTER, **texts, **audio_columns([*results]))
kept = filter(rows, Rules(rules=("level >= 0.1",)))
print(json.dumps(kept.select(["level", "silent", "decision", "reason"]).to_pylist()))
"""


def test_registered_measurement_becomes_a_column_that_rules_compare(write_tone, tmp_path):
    """The measurement is added in a child process, because the schema is built on import."""
    loud, quiet = write_tone("loud.wav"), tmp_path / "quiet.wav"
    quiet.write_bytes(loud.read_bytes()[:44] + bytes(32_000))
    command = [sys.executable, "-c", NEW, str(loud), str(quiet)]
    output = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert [row | {"level": round(row["level"], 2)} for row in json.loads(output)] == [
        {"level": 0.19, "silent": 0.0, "decision": "keep", "reason": None},
        {"level": 0.0, "silent": 1.0, "decision": "drop", "reason": "LEVEL_BELOW_MIN"},
    ]


def test_schema_and_rules_follow_from_the_registry():
    assert pa.schema([(measurement.name, measurement.type) for measurement in MEASUREMENTS]) == AUDIO_STATS
    for measurement in MEASUREMENTS:
        assert BEFORE_FILTER.field(measurement.name).type == measurement.type
        assert column_type(measurement.name) == type_of(measurement.type)


def test_documentation_names_every_measurement():
    pages = [(ROOT / "README.md").read_text(), *(page.read_text() for page in (ROOT / "docs").rglob("*.md"))]
    assert {measurement.name for measurement in MEASUREMENTS} <= set(re.findall(r"`(\w+)`", "".join(pages)))
