"""Corpora in forms other than a NeMo manifest: every row is there once, in order, with all of its fields."""

import bz2
import csv
import gzip
import json
import os
import shutil
import tarfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import soundfile
import webdataset
from lhotse import AudioSource, CutSet, MonoCut, Recording, SupervisionSegment
from lhotse.shar import SharWriter

from tests.conftest import published_rows
from tests.in_process import curate, incremental
from tests.object_store import put_files, running_bucket
from tests.web_server import WebServer, serving
from winnow.audio.places import parse_place
from winnow.corpora.registry import open_source
from winnow.errors import ManifestError, OptionError, WinnowError
from winnow.parameters.curation import Curation
from winnow.runs.verify import verify_run

ROWS = [
    {"audio_filepath": "a.wav", "duration": 1.0, "text": "good morning", "lang": "en"},
    {"audio_filepath": "b.wav", "duration": 1.0, "text": 'say "good" night', "lang": "en"},
    {"audio_filepath": "c.wav", "duration": 1.0, "text": "a bad night", "lang": "de"},
    {"audio_filepath": "none.wav", "duration": 1.0, "text": "not there", "lang": "de"},
]
HEARD = {"a.wav": "good morning", "b.wav": "say good night", "c.wav": "good day", "none.wav": "not there"}


def lines(rows=ROWS) -> bytes:
    return b"".join(msgspec.json.encode(row) + b"\n" for row in rows)


def write_manifest(folder: Path) -> Path:
    (folder / "corpus.jsonl").write_bytes(lines())
    return folder / "corpus.jsonl"


def write_gzip(folder: Path) -> Path:
    (folder / "corpus.jsonl.gz").write_bytes(gzip.compress(lines(ROWS[:2])) + gzip.compress(lines(ROWS[2:])))
    return folder / "corpus.jsonl.gz"


def write_zstd(folder: Path) -> Path:
    (folder / "corpus.jsonl.zst").write_bytes(pa.compress(lines(), codec="zstd", asbytes=True))
    return folder / "corpus.jsonl.zst"


def write_several(folder: Path) -> Path:
    (folder / "part-1.jsonl").write_bytes(lines(ROWS[:1]).rstrip())
    (folder / "part-2.jsonl.bz2").write_bytes(bz2.compress(lines(ROWS[1:])))
    return folder / "part-*.jsonl*"


def write_tsv(folder: Path) -> Path:
    table = [["path", "duration", "sentence", "lang"], *([str(value) for value in row.values()] for row in ROWS)]
    (folder / "validated.tsv").write_text("\n".join("\t".join(cells) for cells in table), encoding="utf-8-sig")
    return folder / "validated.tsv"


def write_csv(folder: Path) -> Path:
    with (folder / "corpus.csv").open("w", newline="") as file:
        table = csv.writer(file, delimiter=";", quoting=csv.QUOTE_ALL)
        table.writerows([ROWS[0], *(row.values() for row in ROWS[:2]), ["c.wav", "1", "a bad\nnight", "de"]])
        table.writerow(ROWS[3].values())
    return folder / "corpus.csv"


def write_kaldi(folder: Path) -> Path:
    lists = {
        "wav.scp": [f"../{row['audio_filepath']}" for row in ROWS],
        "text": [row["text"] for row in ROWS],
        "utt2dur": [str(row["duration"]) for row in ROWS],
        "utt2lang": [row["lang"] for row in ROWS],
    }
    (folder / "train").mkdir()
    for name, values in lists.items():
        order = range(len(values)) if name != "text" else (2, 0, 3, 1)
        (folder / "train" / name).write_text("".join(f"utt{i}\t{values[i]}\n" for i in order))
    return folder / "train"


def cells(folder: Path) -> list[dict]:
    files = [folder / row["audio_filepath"] for row in ROWS]
    return [{"bytes": file.read_bytes() if file.exists() else None, "path": file.name} for file in files]


def write_parquet(folder: Path) -> Path:
    columns = {name: [row[name] for row in ROWS] for name in ("duration", "text", "lang")}
    (folder / "parts").mkdir()
    for part in (0, 1):
        table = pa.table({"audio": cells(folder), **columns})[2 * part : 2 * part + 2]
        pq.write_table(table, folder / "parts" / f"train-0000{part}-of-00002.parquet")
    return folder / "parts"


def write_saved_dataset(folder: Path) -> Path:
    import datasets

    datasets.disable_progress_bars()
    columns = {"sentence": [row["text"] for row in ROWS], "duration": [1.0] * 4, "lang": [1, 1, 0, 0]}
    train = datasets.Dataset(pa.table({"audio": cells(folder), **columns}))
    train = train.cast_column("lang", datasets.ClassLabel(names=["de", "en"]))
    datasets.DatasetDict(train=train, test=train).save_to_disk(folder / "saved", num_shards={"train": 3, "test": 1})
    return folder / "saved" / "train"


def write_common_voice(folder: Path) -> Path:
    header = "client_id path sentence_id sentence sentence_domain up_votes down_votes age gender accents variant locale"
    (folder / "de" / "clips").mkdir(parents=True)
    rows = [[*header.split(" "), "segment"]]
    for row in ROWS:
        if (folder / row["audio_filepath"]).exists():
            shutil.copy(folder / row["audio_filepath"], folder / "de" / "clips")
        rows.append(["c0ffee", row["audio_filepath"], "5", row["text"], "", "2", "0", *[""] * 4, row["lang"], ""])
    (folder / "de" / "validated.tsv").write_text("".join("\t".join(cells) + "\n" for cells in rows))
    return folder / "de" / "validated.tsv"


def write_lj_speech(folder: Path) -> Path:
    (folder / "lj" / "wavs").mkdir(parents=True)
    lines = []
    for row in ROWS:
        if (folder / row["audio_filepath"]).exists():
            shutil.copy(folder / row["audio_filepath"], folder / "lj" / "wavs")
        lines.append(f"{row['audio_filepath'].removesuffix('.wav')}|{row['text']} No. 2|{row['text']}\n")
    (folder / "lj" / "metadata.csv").write_text("".join(lines))
    return folder / "lj"


def write_audio_folder(folder: Path) -> Path:
    (folder / "audio" / "train").mkdir(parents=True)
    rows = [
        {
            "file_name": f"../../{row['audio_filepath']}",
            "transcription": row["text"],
            "duration": 1.0,
            "lang": row["lang"],
        }
        for row in ROWS
    ]
    (folder / "audio" / "train" / "metadata.jsonl").write_bytes(lines(rows))
    return folder / "audio" / "train"


def write_nemo_tarred(folder: Path) -> Path:
    for shard, rows in enumerate((ROWS[:2], ROWS[2:])):
        (folder / f"manifest_{shard}.json").write_bytes(lines([row | {"shard_id": shard} for row in rows]))
        with tarfile.open(folder / f"audio_{shard}.tar", "w") as tar:
            for row in rows:
                if (folder / row["audio_filepath"]).exists():
                    tar.add(folder / row["audio_filepath"], row["audio_filepath"])
    return folder / "manifest__OP_0..1_CL_.json"


def write_webdataset(folder: Path) -> Path:
    with webdataset.ShardWriter(str(folder / "train-%06d.tar"), maxcount=2, verbose=0) as writer:
        for row in ROWS:
            file = folder / row["audio_filepath"]
            audio = {"wav": file.read_bytes()} if file.exists() else {}
            fields = {"duration": row["duration"], "lang": row["lang"]}
            writer.write({"__key__": file.stem, "txt": row["text"], "json": fields, **audio})
    return folder / "train-{000000..000001}.tar"


def write_compressed_tar(folder: Path) -> Path:
    for tar in sorted(folder.glob(write_webdataset(folder).name.replace("{000000..000001}", "*"))):
        (folder / f"{tar.name}.gz").write_bytes(gzip.compress(tar.read_bytes()))
    return folder / "train-*.tar.gz"


def lhotse_cuts(folder: Path | None = None) -> CutSet:
    """Return cuts of the rows, with the paths of their audio in a folder or relative ones."""
    cuts = []
    for row in ROWS:
        path = (folder or Path()) / row["audio_filepath"]
        sources = [AudioSource("file", [0], str(path))]
        recording = Recording(path.stem, sources, 16_000, 16_000, row["duration"])
        cut = MonoCut(path.stem, 0, 1.0, 0, recording=recording)
        cut.supervisions = [SupervisionSegment(path.stem, path.stem, 0, 1.0, text=row["text"], language=row["lang"])]
        cuts.append(cut)
    return CutSet.from_cuts(cuts)


def write_lhotse_cuts(folder: Path) -> Path:
    lhotse_cuts().to_file(folder / "cuts.jsonl.gz")
    return folder / "cuts.jsonl.gz"


def write_shar(folder: Path) -> Path:
    (folder / "shar").mkdir()
    with SharWriter(folder / "shar", {"recording": "wav"}, shard_size=2) as writer:
        for cut in lhotse_cuts(folder):
            if cut.id != "none":
                writer.write(cut)
    missing = next(cut for cut in lhotse_cuts(folder) if cut.id == "none").to_dict()
    missing["recording"]["sources"][0] |= {"type": "shar", "source": ""}
    with gzip.open(folder / "shar" / "cuts.000001.jsonl.gz", "ab") as file:
        file.write(msgspec.json.encode(missing) + b"\n")
    return folder / "shar"


FORMS = {
    "gzip in two members": write_gzip,
    "zstd": write_zstd,
    "several files": write_several,
    "TSV with other names": write_tsv,
    "CSV with quotes": write_csv,
    "Kaldi": write_kaldi,
    "Common Voice": write_common_voice,
    "LJ Speech": write_lj_speech,
    "audiofolder": write_audio_folder,
    "Parquet in two parts": write_parquet,
    "saved Hugging Face dataset": write_saved_dataset,
    "NeMo tarred": write_nemo_tarred,
    "WebDataset": write_webdataset,
    "compressed tars": write_compressed_tar,
    "Lhotse cuts": write_lhotse_cuts,
    "Lhotse Shar": write_shar,
}


UNSTATED = {write_common_voice: ("duration",), write_lj_speech: ("duration", "lang")}
"""Columns that a form does not have."""


RANGES = {
    write_several: "part-{1.jsonl,2.jsonl.bz2}",
    write_parquet: "parts/train-{00000..00001}-of-00002.parquet",
    write_compressed_tar: "train-{000000..000001}.tar.gz",
    write_shar: "shar/cuts.{000000..000001}.jsonl.gz",
}
"""What to give of a web server in place of a folder or wildcard."""


@pytest.fixture
def audio(tmp_path, write_tone) -> Path:
    for name in ("a.wav", "b.wav", "c.wav"):
        write_tone(name)
    return tmp_path


@pytest.fixture(scope="module")
def web() -> Iterator[WebServer]:
    with serving() as server:
        yield server


@pytest.fixture(scope="module")
def bucket() -> Iterator[str]:
    with running_bucket() as url:
        yield url


def local(folder: Path, write: Callable[[Path], Path], request: pytest.FixtureRequest) -> str:
    return str(write(folder))


def on_the_web(folder: Path, write: Callable[[Path], Path], request: pytest.FixtureRequest) -> str:
    corpus = write(folder)
    server = request.getfixturevalue("web")
    server.files |= {f"/{folder.name}/{name}": content for name, content in contents_of(folder).items()}
    name = RANGES.get(write, corpus.relative_to(folder).as_posix() + ("/" if corpus.is_dir() else ""))
    return f"{server.url}/{folder.name}/{name}"


def in_a_store(folder: Path, write: Callable[[Path], Path], request: pytest.FixtureRequest) -> str:
    corpus = write(folder)
    url = f"{request.getfixturevalue('bucket')}/{folder.name}"
    put_files(url, contents_of(folder))
    return f"{url}/{corpus.relative_to(folder).as_posix()}"


def contents_of(folder: Path) -> dict[str, bytes]:
    return {file.relative_to(folder).as_posix(): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


PLACES = {"here": local, "on the web": on_the_web, "in a store": in_a_store}


def heard_in(corpus: str | Path) -> dict[str, str]:
    """Return what is heard in the audio of a corpus: by the names of the files that were put into it."""
    paths = [row["path"] for row in open_source(corpus).scan() if row.get("path")]
    return {path: HEARD[f"{Path(parse_place(path).name or path).stem}.wav"] for path in paths}


def decided(run: Path, unstated: tuple[str, ...] = ()) -> list[tuple]:
    names = ("id", "text", "duration", "lang", "decision", "reason", "wer")
    return [tuple(row[name] for name in names if name not in unstated) for row in published_rows(run)]


@pytest.fixture(scope="module")
def expected(tmp_path_factory) -> Path:
    """The run over the rows as a manifest."""
    folder = tmp_path_factory.mktemp("expected")
    for name in ("a.wav", "b.wav", "c.wav"):
        soundfile.write(folder / name, np.full(16_000, 0.1), 16_000)
    heard = [{"audio_filepath": name, "pred_text": text} for name, text in HEARD.items()]
    (folder / "small.jsonl").write_bytes(lines(heard))
    models = {"small": str(folder / "small.jsonl"), "filter": {"max_wer": 0.5}}
    curate(manifest=write_manifest(folder), output=folder / "run", **models)
    return folder / "run"


@pytest.mark.parametrize("write", FORMS.values(), ids=FORMS)
@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
def test_decisions_are_those_of_the_same_rows_as_a_manifest(audio, expected, hears, write, place, request):
    corpus = place(audio, write, request)
    models = hears(small=heard_in(corpus)) | {"filter": {"max_wer": 0.5}}
    report = curate(manifest=corpus, output=audio / "run", **models)
    assert (report.lines, report.kept, report.dropped, report.quarantined) == (4, 2, 1, 1)
    unstated = UNSTATED.get(write, ())
    found = decided(audio / "run", unstated)
    assert [(*row[:1], " ".join(row[1].split()), *row[2:]) for row in found] == decided(expected, unstated)
    assert [check.sentence for check in verify_run(audio / "run") if not check.holds] == []


def test_listings_that_nothing_used_for_90_days_are_removed_with_the_next_one(audio, monkeypatch, tmp_path):
    monkeypatch.setenv("WINNOW_CACHE", str(tmp_path / "cache"))
    listings = tmp_path / "cache" / "listings"
    for name, days in (("old.jsonl", 91), ("recent.jsonl", 89)):
        listings.mkdir(parents=True, exist_ok=True)
        (listings / name).write_text("")
        os.utime(listings / name, (time.time() - days * 86_400, 0))
    corpus = write_csv(audio)
    source = open_source(corpus)
    source.digest()
    assert {path.name for path in listings.iterdir()} == {"recent.jsonl", source.cached.name}
    os.utime(source.cached, (0, 0))
    open_source(corpus).digest()
    assert time.time() - source.cached.stat().st_atime < 60


def test_listing_is_made_again_with_the_same_rows_if_the_cache_is_gone(audio, hears, monkeypatch):
    settings = {"manifest": write_tsv(audio), "output": audio / "run", **hears(small=HEARD)}
    curate(**settings)
    before = (audio / "run" / "manifest.jsonl").read_bytes()
    monkeypatch.setenv("WINNOW_CACHE", str(audio / "another-cache"))
    assert [check.sentence for check in verify_run(audio / "run") if not check.holds] == []
    shutil.rmtree(audio / "run" / "data")
    curate(**settings)
    assert (audio / "run" / "manifest.jsonl").read_bytes() == before


def test_changed_corpus_is_not_mixed_with_what_was_read_before(audio, hears):
    table = write_tsv(audio)
    source = open_source(table)
    (shard,) = source.shards(hours=1)
    table.write_text(table.read_text().replace("good morning", "good evening"))
    assert next(source.rows(shard.locator))["text"] == "good morning"
    with pytest.raises(ManifestError, match=r"validated\.tsv: changed during the run"):
        list(open_source(table).rows(shard.locator))
    assert open_source(table).digest() != source.digest()


BAD_ROWS = {
    "too few cells": ("a.tsv", b"path\tsentence\nb.wav\nc.wav\thello\n", ["BAD_ROW", None]),
    "too many cells": ("a.tsv", b"path\tsentence\nb.wav\thello\tthere\nc.wav\thello\n", ["BAD_ROW", None]),
    "not UTF-8": ("a.csv", b"path,sentence\nb.wav,gr\xfc\xdfe\nc.wav,hello\n", ["NOT_UTF8", None]),
    "an empty text": ("a.csv", b"path,sentence\nb.wav,\nc.wav,hello\n", ["BAD_TEXT", None]),
    "an empty line": ("a.csv", b"path,sentence\n\nc.wav,hello\n", [None]),
    "a cell of 2 MiB": ("a.csv", b"path,sentence\nb.wav,%s\nc.wav,hello\n" % (b"a" * 2**21), ["BAD_ROW", None]),
    "a duration that is none": ("a.csv", b"path,duration,sentence\nb.wav,long,x\nc.wav,1,x\n", ["BAD_DURATION", None]),
    "a URL": ("a.csv", b"path,sentence\nftp://b/c.wav,hello\nc.wav,hello\n", ["UNSUPPORTED_SCHEME", None]),
    "rubbish in gzip": ("a.jsonl.gz", gzip.compress(b"\0[1]\n\0" + lines()), ["BAD_JSON"] * 2 + [None] * 3),
    "a line of 2 MiB": ("a.jsonl.gz", gzip.compress(b"a" * 2**21 + b"\n" + lines()), ["LINE_TOO_LONG"] + [None] * 4),
}


@pytest.mark.parametrize(("name", "content", "reasons"), BAD_ROWS.values(), ids=BAD_ROWS)
def test_bad_row_is_quarantined_and_affects_no_other(tmp_path, name, content, reasons):
    (tmp_path / name).write_bytes(content)
    source = open_source(tmp_path / name)
    assert [row.get("reason") for row in source.scan()] == reasons
    (shard,) = source.shards(hours=1)
    assert [row.get("reason") for row in source.rows(shard.locator)] == reasons


REFUSED = {
    "cut off": ("a.jsonl.gz", gzip.compress(lines() * 100)[:-50], "", "cannot read the manifest"),
    "no gzip": ("a.jsonl.gz", lines(), "", "cannot read the manifest"),
    "no audio": ("a.csv", b"id,sentence\n1,hello\n", "", "with the path of the audio; there are id, sentence: name"),
    "empty": ("a.csv", b"", "", "no column with the path of the audio"),
    "unknown column": ("a.csv", b"path,sentence\na.wav,x\n", "text=words", "no column words; there are path, sentence"),
    "two texts": ("a.csv", b"path,text,raw\na.wav,x,y\n", "text=raw", "two columns would be called text"),
    "another form": ("a.jsonl.gz", gzip.compress(b"<html>\n"), "", "once decompressed, HTML or XML"),
    "no file": ("b.jsonl.gz", None, "", "cannot read the manifest: No such file"),
    "no match": ("b*.jsonl", None, "", "no file matches this pattern"),
}


@pytest.mark.parametrize(("name", "content", "columns", "message"), REFUSED.values(), ids=REFUSED)
def test_corpus_that_cannot_be_read_is_refused_in_one_line(tmp_path, name, content, columns, message):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(ManifestError, match=message) as refused:
        open_source(tmp_path / name, columns=columns).check()
    assert str(refused.value).startswith(str(tmp_path / name))
    assert "\n" not in str(refused.value)
    assert not list(tmp_path.glob("**/listings/*"))


def test_columns_name_the_fields_of_any_form(tmp_path):
    columns = "text=sentence,audio_filepath=audio.path"
    row = {"audio": {"path": "a.wav", "rate": 16_000}, "sentence": "good morning", "accent": "us"}
    (tmp_path / "corpus.jsonl").write_bytes(lines([row, {"audio": "b.wav", "sentence": "x"}, row | {"text": "y"}]))
    good, lost, twice = open_source(tmp_path / "corpus.jsonl", columns=columns).scan()
    assert (good["text"], good["path"], good["reason"]) == ("good morning", str(tmp_path / "a.wav"), None)
    assert json.loads(good["fields"]) == {"audio": {"path": "a.wav", "rate": 16_000}, "accent": "us"}
    assert (lost["reason"], twice["reason"]) == ("NO_AUDIO_PATH", "BAD_ROW")
    assert twice["detail"] == "has text as well: give it another name, too"


@pytest.mark.parametrize("columns", ["text", "text=", "=a", "text=a,text=b", "text=a,audio_filepath=a"])
def test_columns_that_say_nothing_or_too_much_are_refused(columns):
    with pytest.raises(ValueError, match=r"columns"):
        Curation(manifest="a.csv", output="out", small="a.nemo", columns=columns)


def test_columns_of_a_growing_manifest_are_refused(audio, hears):
    with pytest.raises(OptionError, match="--columns: not used by incremental"):
        incremental(manifest=write_manifest(audio), output=audio / "runs", columns="text=words", **hears(small=HEARD))


def test_segments_of_a_kaldi_folder_are_slices_and_its_commands_are_not_run(tmp_path):
    files = {
        "wav.scp": f"call /audio/call.wav\npipe touch {tmp_path}/made |\n",
        "segments": "u1 call 0.5 2.0\nu2 call 2.0 -1\nu3 other 0 1\nu4 pipe 0 1\nu5 call x 1\nu6 call\n",
        "text": "u2 good night\nu1 good morning\nu4 hello\n",
        "utt2spk": "u1 ann\nu2 bob\n",
    }
    for name, content in files.items():
        (tmp_path / name).write_text(content)
    rows = list(open_source(tmp_path).scan())
    assert [(row.get("path"), row.get("offset"), row.get("duration"), row.get("text")) for row in rows[:2]] == [
        ("/audio/call.wav", 0.5, 1.5, "good morning"),
        ("/audio/call.wav", 2.0, None, "good night"),
    ]
    assert [json.loads(row["fields"])["speaker"] for row in rows[:2]] == ["ann", "bob"]
    assert [row["reason"] for row in rows] == [None, None, "BAD_ROW", "UNSUPPORTED_SCHEME", "BAD_ROW", "BAD_ROW"]
    assert not (tmp_path / "made").exists()


def test_common_voice_is_found_beside_its_clips_or_where_relative_to_says(tmp_path):
    table = tmp_path / "validated.tsv"
    table.write_text("path\tsentence\tlocale\na.mp3\tHallo\tde\nclips/b.mp3\tWelt\tde\n")

    def paths(folder=None):
        return [row["path"].removeprefix(f"{tmp_path}/") for row in open_source(table, folder).scan()]

    assert paths() == ["a.mp3", "clips/b.mp3"]
    (tmp_path / "clips").mkdir()
    assert paths() == ["clips/a.mp3", "clips/b.mp3"]
    assert paths(tmp_path / "clips") == ["clips/a.mp3", "clips/clips/b.mp3"]
    (tmp_path / "a.mp3").touch()
    assert paths() == ["a.mp3", "clips/b.mp3"]
    assert open_source(table).summary().languages == {"de": 0.0}


def test_text_of_lj_speech_is_the_normalized_one_without_rules_for_quotes(tmp_path):
    (tmp_path / "wavs").mkdir()
    lines = ['LJ1|"Dr. A|"Doctor A', "LJ2|only one|", "LJ3|only one", "LJ4", "LJ5|a|b|c", ""]
    (tmp_path / "metadata.csv").write_text("\n".join(lines))
    rows = list(open_source(tmp_path).scan())
    assert [(row.get("audio_filepath"), row.get("text"), row["reason"]) for row in rows] == [
        ("wavs/LJ1.wav", '"Doctor A', None),
        ("wavs/LJ2.wav", "only one", None),
        ("wavs/LJ3.wav", "only one", None),
        (None, None, "BAD_ROW"),
        (None, None, "BAD_ROW"),
    ]
    assert json.loads(rows[0]["fields"]) == {"utterance_id": "LJ1", "transcription": '"Dr. A'}
    file = open_source(tmp_path / "metadata.csv", columns="text=transcription,speaker=utterance_id")
    first = next(file.scan())
    assert (first["text"], json.loads(first["fields"])["speaker"]) == ('"Dr. A', "LJ1")


def test_lists_of_an_audio_folder_are_read_and_its_splits_named(tmp_path):
    contents = {
        "test/metadata.csv": "file_name,transcription\na.wav,hello\n",
        "train/metadata.jsonl": '{"file_name": "a.wav", "sentence": "hello"}\n',
    }
    for name, content in contents.items():
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_text(content)
    for name in ("test", "train"):
        assert [(row["path"], row["text"]) for row in open_source(tmp_path / name).scan()] == [
            (str(tmp_path / name / "a.wav"), "hello")
        ]
    with pytest.raises(ManifestError, match=r"has the folders test, train: name one: .*test"):
        open_source(tmp_path).check()


def test_rows_keep_all_fields_in_the_output(audio, hears):
    curate(manifest=write_tsv(audio), output=audio / "run", **hears(small=HEARD))
    table = pq.read_table(audio / "run" / "data")
    assert table["lang"].to_pylist() == ["en", "en"]
    assert issubclass(OptionError, WinnowError)
