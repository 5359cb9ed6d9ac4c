"""What a run writes can be loaded by the libraries that train on it, from any folder."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from flows.curate import run_curation
from flows.orchestrator import InProcess
from winnow.parameters.curation import Curation


@pytest.fixture
def output(
    manifest: Callable[..., Path],
    hears: Callable[..., dict[str, str]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Path:
    """A run of six shards; one keeps nothing, and fields are null in some shards, or everywhere."""
    texts = {f"{number}.wav": "hello there" for number in range(6)}
    rows: list[dict[str, Any]] = [
        {"audio_filepath": name, "duration": 1.0, "text": "hello there", "nothing": None, "lang": None}
        for name in texts
    ]
    rows[1] |= {"late": 2.5, "tags": ["a"], "lang": "en", "id": "utt-1"}
    rows[0]["text"] = rows[3]["text"] = "something else entirely"
    models = hears(small=texts)
    corpus = manifest(*rows)
    settings = Curation(manifest=corpus, output=str(tmp_path / "out"), shard_hours=1 / 3600, **models)
    report = run_curation(settings, InProcess())
    assert report.kept == 4
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    return tmp_path / "out"


def test_pandas_reads_the_folder_of_kept_rows(output: Path):
    pandas = pytest.importorskip("pandas")
    rows = pandas.read_parquet(output / "data")
    assert sorted(rows["id"]) == [2, 3, 5, 6]
    assert rows["late"].notna().sum() == 1


def test_datasets_reads_the_folder_of_kept_rows(output: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """A shard without a kept row is a file without a row group, since `datasets` fails on an empty one."""
    datasets = pytest.importorskip("datasets")
    for folder, ids in (("data", [2, 3, 5, 6]), ("rejects", [1, 4])):
        rows = datasets.load_dataset(
            "parquet", data_dir=str(output / folder), split="train", cache_dir=str(tmp_path / "cache")
        )
        assert sorted(rows["id"]) == ids


def test_nemo_and_lhotse_read_the_manifest_and_its_audio(output: Path):
    lhotse = pytest.importorskip("lhotse")
    from nemo.collections.common.data.lhotse.nemo_adapters import LazyNeMoIterator

    cuts = list(lhotse.CutSet(LazyNeMoIterator(str(output / "manifest.jsonl"))))
    assert [cut.supervisions[0].text for cut in cuts] == ["hello there"] * 4
    assert {cut.load_audio().shape for cut in cuts} == {(1, 16_000)}
    assert [cut.custom["late"] for cut in cuts if cut.custom.get("late")] == [2.5]


def test_manifest_has_absolute_paths(output: Path):
    lines = [json.loads(line) for line in (output / "manifest.jsonl").read_text().splitlines()]
    assert all(Path(line["audio_filepath"]).is_absolute() for line in lines)
