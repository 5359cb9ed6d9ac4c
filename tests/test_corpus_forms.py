"""Corpora in forms other than a NeMo manifest: every row is there once, in order, with all of its fields."""

import gzip
import json
import os
import shutil
import time

import pyarrow.parquet as pq
import pytest

from tests.corpus_forms import HEARD, audio, lines, write_csv, write_manifest, write_tsv
from tests.in_process import curate, incremental
from winnow.corpora.registry import open_source
from winnow.errors import ManifestError, OptionError, WinnowError
from winnow.parameters.curation import Curation
from winnow.runs.verify import verify_run

__all__ = ["audio"]  # a fixture


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
