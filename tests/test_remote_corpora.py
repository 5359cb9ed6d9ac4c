"""Corpora behind URLs: copied by content, with audio relative to the URL, and the same decisions as here."""

import gzip
import io
import json
import tarfile

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cli.app import main
from tests.conftest import published_rows
from tests.in_process import curate, incremental
from tests.object_store import put_files, running_bucket
from tests.web_server import serving
from winnow.audio.measurements import BadAudio
from winnow.audio.open_audio import open_audio
from winnow.audio.places import parse_place
from winnow.audio.remote import fetch as fetching
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
def bucket(files):
    """Put the corpus into a bucket; return its URL."""
    with running_bucket("corpus") as url:
        put_files(url, files)
        yield url


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


@pytest.fixture
def tars(web, files):
    """A manifest of NeMo's and its tar on the server; return the URL of the manifest."""
    rows = [json.dumps(row | {"audio_filepath": f"{name}.wav"}) for row, name in zip(ROWS, "abc", strict=True)]
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as tar:
        for name in "abc":
            member = tarfile.TarInfo(f"{name}.wav")
            member.size = len(files[f"audio/{name}.wav"])
            tar.addfile(member, io.BytesIO(files[f"audio/{name}.wav"]))
    web.files |= {"/tars/manifest_0.json": "\n".join(rows).encode(), "/tars/audio_0.tar": content.getvalue()}
    return f"{web.url}/tars/manifest_0.json"


def test_tars_of_a_manifest_may_be_elsewhere(tars, web, tmp_path):
    web.files["/other/audio_0.tar"] = web.files.pop("/tars/audio_0.tar")
    (tmp_path / "manifest_0.json").write_bytes(web.files["/tars/manifest_0.json"])
    beside = f"{web.url}/other/audio__OP_0..0_CL_.tar"
    for manifest in (f"{web.url}/tars/manifest__OP_0..0_CL_.json", tmp_path / "manifest__OP_0..0_CL_.json"):
        paths = [row["path"] for row in open_source(manifest, beside).scan()]
        assert [path.partition("::")[2] for path in paths] == [f"{web.url}/other/audio_0.tar"] * 3


def test_manifests_of_shards_are_below_their_tars_as_nemos_script_writes_them(tars, web):
    rows = [row["path"] for row in open_source(tars).scan()]
    web.files["/tars/sharded_manifests/manifest_0.json"] = web.files.pop("/tars/manifest_0.json")
    source = open_source(f"{web.url}/tars/sharded_manifests/manifest__OP_0..0_CL_.json")
    assert (source.form, [row["path"] for row in source.scan()]) == ("NeMo tarred dataset", rows)


def test_run_whose_tars_are_elsewhere_is_compared_with_them(tars, web, hears, tmp_path):
    (tmp_path / "manifest_0.json").write_bytes(web.files["/tars/manifest_0.json"])
    (tmp_path / "tars").mkdir()
    (tmp_path / "tars/audio_0.tar").write_bytes(web.files["/tars/audio_0.tar"])
    settings = {"manifest": tmp_path / "manifest__OP_0..0_CL_.json", "relative_to": tmp_path / "tars"}
    curate(output=tmp_path / "run", **settings, **hears(small=TEXTS))
    compared = next(check for check in verify_run(tmp_path / "run") if "_CL_.json" in check.sentence)
    assert (compared.sentence, compared.holds) == (f"{settings['manifest']} is unchanged", True)
    without_first = web.files["/tars/audio_0.tar"][2**15 :]  # a header and a second of audio
    (tmp_path / "tars/audio_0.tar").write_bytes(without_first)
    compared = next(check for check in verify_run(tmp_path / "run") if "_CL_.json" in check.sentence)
    assert not compared.holds


def test_null_audio_of_a_table_behind_a_server_without_ranges_has_a_reason(web, files, tmp_path):
    cells = [{"bytes": files["audio/a.wav"], "path": None}, None, {"bytes": None, "path": None}]
    pq.write_table(pa.table({"audio": cells, "text": ["good morning"] * 3}), tmp_path / "train.parquet")
    web.files["/train.parquet"] = (tmp_path / "train.parquet").read_bytes()
    rows = list(open_source(f"{web.url}/train.parquet").scan())
    assert [row["reason"] for row in rows] == [None, "NO_AUDIO_PATH", "NO_AUDIO_PATH"]
    open_audio(rows[0]["path"], None).close()


def test_tar_that_is_replaced_after_it_was_listed_is_noticed(tars, web):
    first, *_ = (row["path"] for row in open_source(tars).scan())
    open_audio(first, None).close()
    web.files["/tars/audio_0.tar"] = web.files["/tars/audio_0.tar"].replace(b"a.wav", b"d.wav")
    fetching.VERSIONS.forget()
    with pytest.raises(BadAudio, match="AUDIO_CHANGED"):
        open_audio(first, None)


def test_tar_that_is_cut_off_has_the_members_before(tars, web):
    content = web.files["/tars/audio_0.tar"]
    web.files["/tars/audio_0.tar"] = content[: len(content) // 2]
    assert [parse_place(row["path"]).absent for row in open_source(tars).scan()] == [False, True, True]
    web.files["/tars/audio_0.tar"] = b"<html>"
    with pytest.raises(ManifestError, match=r"http://127.0.0.1:\d+/tars/audio_0.tar: cannot be read as a tar"):
        open_source(tars).check()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("audio/", r"/audio/: a web server cannot be asked for a list of files: give a file in it"),
        ("audio_{0..1}.tar", r"audio_\{0..1\}.tar: cannot read the manifest: audio_0.tar: .*404 Not Found"),
        ("none/manifest_0.json", r"/none/manifest_0.json: cannot read the manifest: .*404 Not Found"),
    ],
)
def test_corpus_that_is_not_there_is_an_error_of_one_line(web, name, message):
    with pytest.raises(ManifestError, match=message) as refused:
        open_source(f"{web.url}/{name}").check()
    assert "\n" not in str(refused.value)


def test_files_that_differ_in_their_queries_alone_are_not_taken_for_one(web):
    with pytest.raises(ManifestError, match=r"2 of its files are called 'corpus.jsonl', without their queries"):
        open_source(f"{web.url}/corpus.jsonl?part={{0..1}}").digest()


def test_increments_of_a_manifest_on_a_web_server_are_its_new_lines(web, hears, tmp_path):
    models = hears(small={f"{web.url}/audio/{name}": text for name, text in TEXTS.items()})
    whole = web.files["/corpus.jsonl"]
    web.files["/corpus.jsonl"] = whole.partition(b"\n")[0] + b"\n"
    settings = {"manifest": f"{web.url}/corpus.jsonl", "output": tmp_path / "runs", **models}
    assert [report.lines for report in incremental(**settings).values()] == [1]
    web.files["/corpus.jsonl"] = whole
    assert [report.lines for report in incremental(**settings).values()] == [2]


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


def test_index_of_copies_that_was_cut_off_is_written_again(web, tmp_path):
    digest = open_source(f"{web.url}/corpus.jsonl").digest()
    (index,) = (tmp_path / "cache/corpora").rglob("*.version")
    name = index.read_text()
    index.write_text("")
    assert open_source(f"{web.url}/corpus.jsonl").digest() == digest
    assert (index.read_text(), [path.name for path in index.parent.glob(".*")]) == (name, [])


def test_what_a_process_left_that_died_while_it_copied_is_removed(web, tmp_path):
    open_source(f"{web.url}/corpus.jsonl").digest()
    (index,) = (tmp_path / "cache/corpora").rglob("*.version")
    copy = index.read_text()
    for name in (".draft", ".draft-0"):
        (index.parent / name).mkdir()
        (index.parent / name / "corpus.jsonl").write_text("{")
    index.rename(index.with_suffix(".draft"))
    open_source(f"{web.url}/corpus.jsonl").digest()
    assert sorted(path.name for path in index.parent.iterdir()) == sorted([index.name, copy])
    assert [path.name for path in index.parent.parent.iterdir()] == [index.parent.name]


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
