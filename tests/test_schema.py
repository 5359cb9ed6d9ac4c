"""Columns of a shard: they are added by name, and a measurement of audio becomes one by an entry in its registry."""

import json
import re
import subprocess
import sys

import pyarrow as pa
import pytest

from tests.conftest import ROOT
from winnow.audio.measurements import MEASUREMENTS
from winnow.rules.columns import column_type, type_of
from winnow.schema import AUDIO_STATS, BEFORE_FILTER, append_columns, extend_schema

TABLE = pa.table({"id": [1, 2]})
SCHEMA = extend_schema(TABLE.schema, ("wer", pa.float64()), ("hits", pa.int32()))
WER, HITS = pa.array([0.5, None], pa.float64()), pa.array([1, None], pa.int32())


def test_columns_are_appended_by_name_in_the_order_of_the_schema():
    table = append_columns(TABLE, SCHEMA, {"hits": HITS, "wer": WER})
    assert table == pa.table({"id": [1, 2], "wer": WER, "hits": HITS})


@pytest.mark.parametrize(
    ("columns", "complaint"),
    [
        ({"wer": WER}, r"columns \['wer'\]: expected \['hits', 'wer'\] after \['id'\]"),
        ({"wer": WER, "hits": HITS, "cer": WER}, r"columns \['cer', 'hits', 'wer'\]: expected \['hits', 'wer'\]"),
        ({"wer": HITS, "hits": WER}, "column wer: expected double, got int32"),
    ],
    ids=["missing", "extra", "swapped"],
)
def test_missing_extra_or_swapped_columns_are_refused(columns, complaint):
    with pytest.raises(ValueError, match=complaint):
        append_columns(TABLE, SCHEMA, columns)


def test_schema_that_does_not_begin_with_the_columns_of_the_table_is_refused():
    with pytest.raises(ValueError, match=r"after \['id'\]"):
        append_columns(TABLE, pa.schema([("number", pa.int64()), ("wer", pa.float64())]), {"wer": WER})


NEW = """
import json, sys
import pyarrow as pa
from winnow.audio import measurements

measurements.MEASUREMENTS += (
    measurements.Measurement("level", pa.float32(), "mean absolute sample", lambda signal: abs(signal.samples).mean()),
)

from tasks.filter import filter
from winnow.engines.shard_columns import audio_columns
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
