"""Each form of export is read by its own ecosystem's reader, with the texts and samples of the corpus."""

import io
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.test_export import ROWS, expected_audio, export, make_run, tree, write_corpus
from winnow.errors import OptionError

KEPT = [row for row in ROWS if row["text"] not in ("wrong", "not there")]
TEXTS = [row["text"] for row in KEPT]
SECONDS = [row["duration"] for row in KEPT]
LANGUAGES = [row.get("lang") for row in KEPT]
SPEAKERS = [row.get("speaker") for row in KEPT]


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("exported")
    return make_run(write_corpus(folder / "corpus"), folder / "run")


def assert_audio(found: dict[str, np.ndarray]) -> None:
    """Compare the samples of those texts whose audio has 16 bits; readers return samples from -1 to 1."""
    for text, samples in expected_audio().items():
        assert np.array_equal(np.rint(np.asarray(found[text]).reshape(-1) * 32_768), samples), text


def assert_cuts(cuts: list) -> None:
    cuts = sorted(cuts, key=lambda cut: TEXTS.index(cut.supervisions[0].text))
    supervisions = [cut.supervisions[0] for cut in cuts]
    assert [supervision.text for supervision in supervisions] == TEXTS
    assert [cut.duration for cut in cuts] == SECONDS
    assert [supervision.language for supervision in supervisions] == LANGUAGES
    assert_audio({cut.supervisions[0].text: cut.load_audio() for cut in cuts})


@pytest.mark.parametrize("audio", ["original", "flac", "wav"])
def test_nemo_reads_tar_files(run, tmp_path, audio):
    from nemo.collections.common.data.lhotse.nemo_adapters import LazyNeMoTarredIterator

    folder = tmp_path / "new"
    export(run, folder, "nemo-tarred", shards=2, audio=audio)
    manifests, tars = f"{folder}/sharded_manifests/manifest__OP_0..1_CL_.json", f"{folder}/audio__OP_0..1_CL_.tar"
    cuts = list(LazyNeMoTarredIterator(manifests, tars))
    assert_cuts(cuts)
    assert {cut.shard_id for cut in cuts} == {0, 1}
    whole = list(LazyNeMoTarredIterator(f"{folder}/tarred_audio_manifest.json", tars))
    assert_cuts(whole)


def test_nemo_reads_a_manifest(run, tmp_path):
    from nemo.collections.common.data.lhotse.nemo_adapters import LazyNeMoIterator

    export(run, tmp_path / "new", "nemo", audio="wav")
    assert_cuts(list(LazyNeMoIterator(str(tmp_path / "new" / "manifest.jsonl"))))


@pytest.mark.parametrize("audio", ["original", "flac"])
def test_lhotse_reads_shar(run, tmp_path, audio):
    from lhotse import CutSet

    export(run, tmp_path / "new", "shar", shards=3, audio=audio)
    cuts = list(CutSet.from_shar(in_dir=tmp_path / "new" / "data"))
    assert_cuts(cuts)
    assert [cut.supervisions[0].speaker for cut in cuts] == SPEAKERS
    assert [cut.custom.get("tags") for cut in cuts] == [None] * 4 + [["x", "y"]]


def test_webdataset_reads_its_tar_files(run, tmp_path):
    from webdataset import WebDataset

    export(run, tmp_path / "new", "webdataset", shards=2, audio="flac")
    rows = list(WebDataset(f"{tmp_path}/new/shard-{{000000..000001}}.tar", shardshuffle=False))
    fields = [json.loads(row["json"]) for row in rows]
    assert [row["txt"].decode() for row in rows] == [row["text"] for row in fields] == TEXTS
    assert [(row["duration"], row.get("speaker")) for row in fields] == list(zip(SECONDS, SPEAKERS, strict=True))
    assert_audio({row["txt"].decode(): soundfile.read(io.BytesIO(row["flac"]))[0] for row in rows})


def test_datasets_loads_parquet_as_audio(run, tmp_path):
    from datasets import Audio, load_dataset

    options = {"split": "train=0.6,test=0.4", "apart": "text", "audio": "flac", "rate": 16_000}
    report = export(run, tmp_path / "new", "hf", **options)
    dataset = load_dataset(str(tmp_path / "new"), cache_dir=str(tmp_path / "cache"))
    assert set(dataset) == {"train", "test"}
    assert dataset["train"].features["audio"] == Audio(sampling_rate=16_000)
    assert {name: (part.utterances, part.hours) for name, part in report.parts.items()} == {
        name: (len(part), pytest.approx(sum(part["duration"]) / 3600)) for name, part in dataset.items()
    }
    assert not set(dataset["train"]["text"]) & set(dataset["test"]["text"])
    rows = [row for part in dataset.values() for row in part.cast_column("audio", Audio(decode=False))]
    rows.sort(key=lambda row: row["id"])
    assert [(row["text"], row["duration"], row["lang"], row["speaker"]) for row in rows] == list(
        zip(TEXTS, SECONDS, LANGUAGES, SPEAKERS, strict=True)
    )
    assert rows[-1]["tags"] == '["x","y"]'
    assert_audio({row["text"]: soundfile.read(io.BytesIO(row["audio"]["bytes"]))[0] for row in rows})
    card = (tmp_path / "new" / "README.md").read_text()
    assert "winnow export RUN --form hf --output FOLDER --audio flac --rate 16000 --split" in card
    assert "wer <= 0.5`" in card
    assert "5 of 7 utterances were kept" in card
    assert "| small | small.jsonl | unknown to the catalogue |" in card


@pytest.mark.parametrize("audio", ["wav", "reference"])
def test_lhotse_imports_the_kaldi_folder(tmp_path, audio):
    from lhotse.kaldi import load_kaldi_data_dir

    rows = [row for row in ROWS if "channel" not in row]
    kept = {" ".join(row["text"].split()): row["duration"] for row in KEPT if row in rows}
    folder, run = tmp_path / "new", make_run(write_corpus(tmp_path / "corpus", rows), tmp_path / "run")
    export(run, folder, "kaldi", audio=audio)
    recordings, supervisions, _ = load_kaldi_data_dir(folder, 16_000)
    by_text = {supervision.text: supervision for supervision in supervisions}
    assert {text: supervision.duration for text, supervision in by_text.items()} == kept
    assert by_text["good morning"].speaker == by_text["hello you"].speaker == "ann"
    for text in ("good morning", "Grüß dich,\tAnn"):
        samples = recordings[by_text[" ".join(text.split())].recording_id].load_audio()
        assert np.array_equal(np.rint(samples[0] * 32_768), expected_audio()[text])
    for name in ("wav.scp", "text", "utt2spk", "spk2utt", *(["segments"] if audio == "reference" else [])):
        keys = [line.split()[0] for line in (folder / name).read_bytes().splitlines()]
        assert keys == sorted(set(keys)), name
    speakers = [line.split()[1] for line in (folder / "utt2spk").read_bytes().splitlines()]
    assert speakers == sorted(speakers)


def test_kaldi_is_not_given_a_file_of_which_one_channel_counts(run, tmp_path):
    with pytest.raises(OptionError, match="one channel of a file"):
        export(run, tmp_path / "new", "kaldi", audio="reference")


@pytest.mark.parametrize("form", ["shar", "webdataset", "hf", "kaldi"])
def test_same_run_gives_the_same_bytes(run, tmp_path, form):
    options = {"shuffle": True, "shards": 2, "audio": "opus"}
    export(run, tmp_path / "new", form, **options)
    before = tree(tmp_path / "new")
    shutil.rmtree(tmp_path / "new")
    export(run, tmp_path / "new", form, **options)
    assert tree(tmp_path / "new") == before
