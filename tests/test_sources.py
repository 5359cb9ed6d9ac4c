"""The Source seam: a new form of input is one class and one line in the registry."""

import csv
import hashlib
from pathlib import Path

import pytest

from tests.conftest import ROOT, published_rows
from tests.in_process import curate
from winnow.benchmarking.sample import draw_sample
from winnow.corpora.nemo_jsonl.source import NemoJsonl
from winnow.corpora.registry import SOURCES, open_source
from winnow.corpora.source import Shard, Source, changed
from winnow.corpora.utterance import parse_utterance
from winnow.errors import ManifestError
from winnow.runs.incremental import Increments
from winnow.runs.run_record import load_settings
from winnow.runs.verify import verify_run


class CsvSource(Source):
    """Tables of two columns, path and text, without a header."""

    @staticmethod
    def claims(location):
        return location.endswith(".csv")

    def digest(self):
        return hashlib.sha256(Path(self.location).read_bytes()).hexdigest()

    def shards(self, hours):
        lines = Path(self.location).read_text().count("\n")
        yield Shard(lines, blank=0, seconds=10.0 * lines, locator={"digest": self.digest()})

    def rows(self, locator):
        if locator["digest"] != self.digest():
            raise changed(self.location)
        table = csv.reader(Path(self.location).read_text().splitlines())
        for number, (path, text) in enumerate(table, 1):
            yield {"id": number} | parse_utterance({"audio_filepath": path, "text": text}, self.folder)


@pytest.fixture
def table(tmp_path, write_tone, register):
    register(SOURCES, CsvSource)
    (tmp_path / "corpus.csv").write_text('a.wav,good morning\nb.wav,"good, evening"\nftp://host/c.wav,hello\n')
    for name in ("a.wav", "b.wav"):
        write_tone(name)
    return tmp_path / "corpus.csv"


def test_first_source_that_claims_a_location_opens_it(table):
    assert type(open_source(table)) is CsvSource
    assert type(open_source(table.with_suffix(".jsonl"))) is NemoJsonl


def test_registered_source_is_curated_like_a_manifest(table, hears, tmp_path):
    models = hears(small={"a.wav": "good morning", "b.wav": "good night"})
    report = curate(manifest=table, output=tmp_path / "run", **models)
    assert (report.lines, report.kept, report.dropped, report.quarantined) == (3, 1, 1, 1)
    assert [
        (row["text"], row["duration"], row["decision"], row["reason"]) for row in published_rows(tmp_path / "run")
    ] == [
        ("good morning", 1.0, "keep", None),
        ("good, evening", 1.0, "drop", "WER_ABOVE_MAX"),
        ("hello", None, "quarantine", "UNSUPPORTED_SCHEME"),
    ]
    assert [check.sentence for check in verify_run(tmp_path / "run") if not check.holds] == []
    table.write_text("a.wav,good morning\n")
    assert [check.sentence for check in verify_run(tmp_path / "run") if not check.holds] == [f"{table} is unchanged"]
    assert load_settings(tmp_path / "run").manifest == str(table)


def test_head_summary_and_sample_accept_every_source(table):
    assert list(open_source(table).head(1)) == [
        {"id": 1, "audio_filepath": "a.wav", "path": str(table.with_name("a.wav")), "text": "good morning"}
        | dict.fromkeys(("offset", "duration", "reason", "detail"))
        | {"fields": "{}"}
    ]
    assert open_source(table).summary() == (0.0, {})
    sample = draw_sample(open_source(table), hours=None)
    assert (sample.references, sample.seconds) == (["good morning", "good, evening"], 2.0)
    assert sample.unusable == {"UNSUPPORTED_SCHEME": 1}


def test_changed_input_is_refused(table):
    (shard,) = open_source(table).shards(1.0)
    table.write_text("a.wav,good morning\n")
    with pytest.raises(
        ManifestError, match=r"corpus.csv: changed during the run: restore it, or choose another output"
    ):
        list(open_source(table).rows(shard.locator))


def test_only_increments_import_a_particular_source():
    files = [path for top in ("winnow", "tasks", "flows", "cli") for path in (ROOT / top).rglob("*.py")]
    users = {str(path.relative_to(ROOT)) for path in files if "corpora.nemo_jsonl" in path.read_text()}
    assert {name for name in users if not name.startswith("winnow/corpora/")} == {"winnow/runs/incremental.py"}


def test_increments_accept_only_nemo_manifests(table, tmp_path):
    with pytest.raises(ManifestError, match=r"corpus.csv: expected a NeMo manifest: increments are kept as lines"):
        Increments(tmp_path / "out").add(table, str(tmp_path))
