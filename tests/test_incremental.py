"""Increments of a growing manifest: each has what is new, and all together have every utterance once."""

import json

import pytest

from flows.incremental import incremental
from tests.conftest import published_rows
from winnow.errors import OutputError
from winnow.runs.incremental import open_increments
from winnow.runs.ledger import read_records

pytestmark = pytest.mark.usefixtures("prefect_server")

NAMES = "abcdef"
ROWS = {n: {"audio_filepath": f"{n}.wav", "duration": 1.0, "text": f"good morning {n}"} for n in NAMES}


@pytest.fixture
def models(hears):
    return hears(small={f"{n}.wav": f"good morning {n}" for n in NAMES})


def texts_and_decisions(run):
    return [(row["text"], row["decision"]) for row in published_rows(run)]


def test_each_increment_has_only_new_utterances(manifest, models, tmp_path):
    root, settings = tmp_path / "out", {"output": tmp_path / "out", **models}
    first = incremental(manifest=manifest(ROWS["a"], ROWS["b"], b"nonsense"), **settings)
    assert [(run, report.kept) for run, report in first.items()] == [(str(root / "0001"), 2)]

    corrected = ROWS["b"] | {"text": "good morning bob"}
    second = incremental(manifest=manifest(ROWS["a"] | {"speaker": "x"}, corrected, b"nonsense", ROWS["c"]), **settings)
    assert list(second) == [str(root / "0002")]
    assert texts_and_decisions(root / "0002") == [("good morning bob", "drop"), ("good morning c", "keep")]

    before = sorted(path for path in root.rglob("*"))
    assert incremental(manifest=manifest(corrected, ROWS["a"], b"nonsense", b"more nonsense"), **settings) == {}
    assert sorted(path for path in root.rglob("*")) == before

    third = incremental(manifest=manifest(b"more nonsense", ROWS["d"]), **settings)
    assert texts_and_decisions(root / "0003") == [(None, "quarantine"), ("good morning d", "keep")]
    assert [report.lines for report in third.values()] == [2]


def test_interrupted_increment_is_finished_before_the_next(manifest, models, tmp_path):
    root, settings = tmp_path / "out", {"output": tmp_path / "out", "shard_hours": 1 / 3600, **models}
    incremental(manifest=manifest(ROWS["a"], ROWS["b"]), **settings)
    committed = set(read_records(root / "0001"))
    for record in (root / "0001" / "_ledger").glob("*.json"):
        if json.loads(record.read_bytes())["stage"] in ("filter", "publish"):
            record.unlink()
    (root / "0001" / "_SUCCESS.json").unlink()
    passes = {path: path.stat().st_mtime_ns for path in (root / "0001" / "_stages" / "transcribe-small").iterdir()}

    both = incremental(manifest=manifest(ROWS["a"], ROWS["b"], ROWS["c"]), **settings, filter={"max_wer": 0.1})
    assert list(both) == [str(root / "0001"), str(root / "0002")]
    assert set(read_records(root / "0001")) == committed
    assert {path: path.stat().st_mtime_ns for path in passes} == passes
    assert [texts_and_decisions(root / name) for name in ("0001", "0002")] == [
        [("good morning a", "keep"), ("good morning b", "keep")],
        [("good morning c", "keep")],
    ]


def test_utterances_without_references_are_added_only_once(manifest, models, tmp_path):
    settings = {"output": tmp_path / "out", "references": "optional", **models}
    bare = {name: value for name, value in ROWS["b"].items() if name != "text"}
    assert [report.kept for report in incremental(manifest=manifest(bare), **settings).values()] == [1]
    assert incremental(manifest=manifest(bare), **settings) == {}
    incremental(manifest=manifest(bare, ROWS["a"]), **settings)
    assert texts_and_decisions(tmp_path / "out" / "0002") == [("good morning a", "keep")]


def test_folder_with_other_files_is_refused(tmp_path):
    (tmp_path / "thesis.tex").write_text("")
    with (
        pytest.raises(OutputError, match=r"expected increments only, found thesis\.tex: choose another output"),
        open_increments(str(tmp_path), {}),
    ):
        pass
    with (
        pytest.raises(OutputError, match="s3://bucket/out: increments need a local folder, got a URL"),
        open_increments("s3://bucket/out", {}),
    ):
        pass
