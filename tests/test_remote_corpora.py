"""Corpora behind URLs: copied by content, with audio relative to the URL, and the same decisions as here."""

import gzip
import json

import boto3
import pytest

from cli.app import main
from tests.conftest import published_rows
from tests.faults.test_stores import running_store
from tests.in_process import curate
from tests.web_server import serving
from winnow.audio.remote import fetch as fetching
from winnow.audio.remote import stores
from winnow.corpora.peek import peek
from winnow.corpora.registry import open_source
from winnow.corpora.source import check_utterances
from winnow.errors import ManifestError
from winnow.runs.run_record import load_settings
from winnow.runs.verify import verify_run

ROWS = [{"audio_filepath": f"audio/{name}.wav", "text": "good morning"} for name in "abc"]
TEXTS = {"a.wav": "good morning", "b.wav": "good night", "c.wav": "good morning"}


@pytest.fixture
def files(tmp_path, monkeypatch, write_tone):
    """The files of a small corpus by their names; the cache is empty, and retries come at once."""
    monkeypatch.setenv("WINNOW_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(fetching, "DELAYS", (0.0, 0.0))
    monkeypatch.setattr(fetching, "VERSIONS", fetching.Versions())
    lines = "".join(f"{json.dumps(row)}\n" for row in ROWS).encode()
    table = b"path\tsentence\n" + b"".join(f"{row['audio_filepath']}\t{row['text']}\n".encode() for row in ROWS)
    audio = {row["audio_filepath"]: write_tone(row["audio_filepath"]).read_bytes() for row in ROWS}
    (tmp_path / "corpus.jsonl").write_bytes(lines)
    return audio | {
        "corpus.jsonl": lines,
        "corpus.jsonl.gz": gzip.compress(lines),
        "corpus.tsv": table,
        "kaldi/wav.scp": b"".join(f"{name} ../audio/{name}.wav\n".encode() for name in "abc"),
        "kaldi/text": b"".join(f"{name} good morning\n".encode() for name in "abc"),
        "part/0.jsonl": lines.splitlines(keepends=True)[0],
        "part/1.jsonl": b"".join(lines.splitlines(keepends=True)[1:]),
    }


@pytest.fixture
def web(files):
    with serving() as server:
        server.files |= {f"/{name}": content for name, content in files.items()}
        yield server


@pytest.fixture
def bucket(files, monkeypatch):
    """Put the corpus into a bucket; return its URL."""
    import s3fs

    with running_store() as server:
        for name, value in {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{server.port}",
            "AWS_ACCESS_KEY_ID": "nobody",
            "AWS_SECRET_ACCESS_KEY": "nothing",
            "AWS_DEFAULT_REGION": "us-east-1",
        }.items():
            monkeypatch.setenv(name, value)
        client = boto3.client("s3")
        client.create_bucket(Bucket="corpus")
        for name, content in files.items():
            client.put_object(Bucket="corpus", Key=name, Body=content)
        stores.store.cache_clear()
        s3fs.S3FileSystem.clear_instance_cache()
        yield "s3://corpus"
        stores.store.cache_clear()


def decisions(run):
    return [(row["text"], row["decision"], row["reason"]) for row in published_rows(run)]


@pytest.mark.parametrize("name", ["corpus.jsonl", "corpus.jsonl.gz", "corpus.tsv"])
def test_manifest_on_a_web_server_is_curated_like_a_local_one(web, hears, tmp_path, name):
    models = hears(small={f"{web.url}/audio/{name}": text for name, text in TEXTS.items()})
    curate(manifest=f"{web.url}/{name}", output=tmp_path / "run", **models)
    models = hears(small={f"audio/{name}": text for name, text in TEXTS.items()})
    curate(manifest=tmp_path / "corpus.jsonl", output=tmp_path / "local", **models)
    assert decisions(tmp_path / "run") == decisions(tmp_path / "local")
    assert [check.sentence for check in verify_run(tmp_path / "run") if not check.holds] == []
    assert load_settings(tmp_path / "run").manifest == f"{web.url}/{name}"


@pytest.mark.parametrize(
    ("place", "options"),
    [
        ("corpus.jsonl", {}),
        ("corpus.jsonl.gz", {"audio_root": "s3://corpus"}),
        ("part/*.jsonl", {"relative_to": "s3://corpus"}),
    ],
)
def test_corpus_in_a_store_is_curated_like_a_local_one(bucket, hears, tmp_path, place, options):
    models = hears(small={f"{bucket}/audio/{name}": text for name, text in TEXTS.items()})
    report = curate(manifest=f"{bucket}/{place}", output=tmp_path / "run", **models, **options)
    assert (report.kept, report.dropped, report.quarantined) == (2, 1, 0)
    assert [check.sentence for check in verify_run(tmp_path / "run") if not check.holds] == []


def test_folder_of_a_store_is_listed_and_its_lists_copied(bucket):
    source = open_source(f"{bucket}/kaldi")
    assert [row["path"] for row in source.scan()] == [f"{bucket}/audio/{name}.wav" for name in "abc"]


def test_missing_key_and_missing_object_are_said(bucket):
    with pytest.raises(ManifestError, match=r"s3://corpus/none.jsonl: no such file"):
        open_source(f"{bucket}/none.jsonl").check()
    found = peek(open_source(f"{bucket}/corpus.jsonl", f"{bucket}/elsewhere"), 100)
    assert (found.examined, found.missing) == (3, 3)


def test_manifest_that_changes_during_a_run_is_noticed(web):
    source = open_source(f"{web.url}/corpus.jsonl")
    (shard,) = source.shards(1.0)
    assert source.digest() == open_source(f"{web.url}/corpus.jsonl").digest()
    web.files["/corpus.jsonl"] += web.files["/corpus.jsonl"].replace(b"a.wav", b"d.wav")
    changed = open_source(f"{web.url}/corpus.jsonl")
    assert len(list(changed.scan())) == 6
    with pytest.raises(ManifestError, match=r"corpus.jsonl: changed during the run"):
        source.digest()
    web.files["/corpus.jsonl"] = web.files["/corpus.jsonl"].replace(b"morning", b"evening")
    with pytest.raises(ManifestError, match=r"127.0.0.1:\d+/corpus.jsonl: changed during the run"):
        list(open_source(f"{web.url}/corpus.jsonl").rows(shard.locator))


def test_unreachable_manifest_is_an_error_of_one_line(web):
    web.faults["/corpus.jsonl"] = 403
    with pytest.raises(ManifestError, match=r"/corpus.jsonl: cannot read the manifest: http://127.*: 403 Forbidden"):
        open_source(f"{web.url}/corpus.jsonl").check()


def test_servers_are_asked_few_questions_before_a_run(web):
    lines = [json.dumps({"audio_filepath": f"audio/{number}.wav", "text": "a"}) for number in range(300)]
    web.files["/corpus.jsonl"] = "\n".join(lines).encode()
    with pytest.raises(ManifestError, match=r"16 of the first 16 audio files are missing.*404 Not Found"):
        check_utterances(open_source(f"{web.url}/corpus.jsonl"))
    assert sum(count for (_, path), count in web.asked.items() if "audio" in path) == 16


def test_peek_says_what_a_url_has(web, capsys):
    with pytest.raises(SystemExit):
        main(["peek", f"{web.url}/corpus.jsonl"])
    assert "0 of 3 that were looked for are missing" in capsys.readouterr().out
