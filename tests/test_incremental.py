"""Increments of a growing manifest: each has what is new, and all together have every utterance once."""

import json
import shutil
from pathlib import Path

import pytest

from flows.incremental import run_increments
from flows.orchestrator import InProcess
from tests.conftest import published_rows
from tests.in_process import incremental
from winnow.errors import OutputError, OutputInUse
from winnow.parameters.curation import Curation
from winnow.runs.incremental import Increments, open_increments
from winnow.runs.ledger import read_records
from winnow.runs.storage import put

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


def test_last_line_that_is_being_written_is_left_for_the_next_increment(manifest, models, tmp_path):
    corpus = manifest(ROWS["a"], ROWS["b"])
    first, second = corpus.read_bytes().splitlines(keepends=True)
    for written, number in ((first + second[:40], "0001"), (first + second.rstrip(), "0002"), (first + second, None)):
        corpus.write_bytes(written)
        assert curate_new(corpus, models, tmp_path / "out") == ([number] if number else [])
    texts = [texts_and_decisions(tmp_path / "out" / number) for number in ("0001", "0002")]
    assert texts == [[("good morning a", "keep")], [("good morning b", "keep")]]


def increments_in(root):
    return {path.name: path.read_bytes() for path in sorted(root.glob("*.jsonl"))}


def curate_new(manifest, models, root, **options):
    settings = Curation(manifest=manifest, output=root, **models, **options)
    return [Path(run).name for run in run_increments(settings, InProcess())]


@pytest.fixture
def three_increments(manifest, models, tmp_path):
    root = tmp_path / "out"
    for end in (1, 2, 3):
        curate_new(manifest(*(ROWS[n] for n in NAMES[:end])), models, root)
    return root


@pytest.mark.parametrize("removed", [["0001"], ["0002"], ["0001", "0002"], ["0001", "0003"]], ids=" ".join)
def test_after_increments_were_removed_no_other_one_is_replaced(manifest, models, three_increments, removed):
    """Their utterances are new again, and the next numbers are free ones."""
    root = three_increments
    for name in removed:
        shutil.rmtree(root / name)
        (root / f"{name}.jsonl").unlink()
    before = increments_in(root)
    (number,) = curate_new(manifest(*(ROWS[n] for n in NAMES[:4])), models, root)
    assert number == f"{max(int(name.removesuffix('.jsonl')) for name in before) + 1:04}"
    assert before.items() <= increments_in(root).items()
    texts = [row["text"] for run in root.iterdir() if run.is_dir() for row in published_rows(run)]
    assert sorted(texts) == [ROWS[n]["text"] for n in NAMES[:4]]
    assert curate_new(manifest(*(ROWS[n] for n in NAMES[:4])), models, root) == []


def test_increment_whose_run_was_removed_is_curated_again(manifest, models, three_increments):
    shutil.rmtree(three_increments / "0002")
    assert curate_new(manifest(*(ROWS[n] for n in NAMES[:4])), models, three_increments) == ["0002", "0004"]


def test_run_without_its_manifest_is_named(manifest, models, three_increments):
    (three_increments / "0002.jsonl").unlink()
    before = increments_in(three_increments)
    with pytest.raises(
        OutputError, match=r"0002: its manifest 0002\.jsonl is missing: restore it, or remove this folder"
    ):
        curate_new(manifest(*(ROWS[n] for n in NAMES[:4])), models, three_increments)
    assert increments_in(three_increments) == before


def test_number_that_another_process_takes_is_not_used(manifest, tmp_path, monkeypatch):
    """On disks without locks, two processes may add an increment at the same time."""

    class Late(Increments):
        @property
        def numbers(self):
            return []  # what it saw before the other one wrote

    put(tmp_path / "out" / "0001.jsonl", b"another's")
    with pytest.raises(OutputInUse, match=r"0001\.jsonl: another run made it meanwhile: run the command again"):
        Late(tmp_path / "out").add(manifest(ROWS["a"]), str(tmp_path))
    assert increments_in(tmp_path / "out") == {"0001.jsonl": b"another's"}


def test_increments_are_ordered_by_their_numbers(tmp_path):
    for name in ("9999", "10000", "0002"):
        (tmp_path / f"{name}.jsonl").touch()
    assert [run.name for run in Increments(tmp_path).runs] == ["0002", "9999", "10000"]


@pytest.mark.parametrize("name", ["1.jsonl", "00001", "²²²²", "٠٠٠١.jsonl", "0001.jsonl.gz", "0001.json"])
def test_name_that_no_increment_has_is_refused(tmp_path, name):
    (tmp_path / name).touch()
    with pytest.raises(OutputError, match="expected increments only, found"), open_increments(str(tmp_path), {}):
        pass


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
