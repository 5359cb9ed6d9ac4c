"""Inputs of other forms: each is recognised at once, and the command that the message names converts it."""

import bz2
import gzip
import io
import json
import lzma
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from winnow.corpora.forms import MANIFEST, TRANSCRIPTS, UNREFERENCED_MANIFEST, detect_form
from winnow.corpora.registry import open_source
from winnow.errors import ManifestError

ROWS = [
    {"audio_filepath": "a.wav", "duration": 1.5, "text": 'good, "good" morning'},
    {"audio_filepath": "b.wav", "duration": 2.0, "text": "grüezi"},
]
LINES = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in ROWS)
OTHER_NAMES = [{"path": row["audio_filepath"], "sentence": row["text"], "duration_ms": 1500} for row in ROWS]
CUTS = [
    {
        "id": "c",
        "start": 1.0,
        "recording": {"sources": [{"type": "file", "channels": [0], "source": row["audio_filepath"]}]},
        "supervisions": [{"start": 0.5, "duration": row["duration"], "channel": 0, "text": row["text"]}],
        "type": "MonoCut",
    }
    for row in ROWS
]


def packed(write, *arguments) -> bytes:
    """Return what a library writes into a file object."""
    sink = io.BytesIO()
    write(sink, *arguments)
    return sink.getvalue()


def write_tar(sink):
    with tarfile.open(fileobj=sink, mode="w") as archive:
        member = tarfile.TarInfo("corpus.jsonl")
        member.size = len(LINES.encode())
        archive.addfile(member, io.BytesIO(LINES.encode()))


def write_zip(sink):
    with zipfile.ZipFile(sink, "w") as archive:
        archive.writestr("corpus.jsonl", LINES)


CONVERTED = {
    "corpus.jsonl.xz": ("xz", lzma.compress(LINES.encode())),
    "corpus.json": ("json-array", json.dumps(ROWS).encode()),
    "indented.json": ("json-array", json.dumps(ROWS, indent=2).encode()),
    "lined.json": ("json-array", b"[\n" + b",\n".join(json.dumps(row).encode() for row in ROWS) + b"\n]\n"),
    "tight.json": ("json-array", b"[" + b",\n".join(json.dumps(row).encode() for row in ROWS) + b"]"),
    "wrapped.json": ("json-object", json.dumps({"utterances": ROWS}).encode()),
    "wrapped indented.json": ("json-object", json.dumps({"utterances": ROWS}, indent=4).encode()),
    "described.json": ("json-object", json.dumps({"version": 1, "data": ROWS}).encode()),
    "pretty.jsonl": ("json", "\n".join(json.dumps(row, indent=1) for row in ROWS).encode()),
    "joined.jsonl": ("json", LINES.replace("\n", "").encode()),
    "text.jsonl": ("json-text", "\n".join(json.dumps(json.dumps(row)) for row in ROWS).encode()),
    "python.jsonl": ("python", "\n".join(map(repr, ROWS)).encode()),
    "mac.jsonl": ("cr", LINES.replace("\n", "\r").encode()),
    "windows.jsonl": ("utf-16", LINES.encode("utf-16")),
    "little.jsonl": ("utf-16", LINES.encode("utf-16-le")),
    "big.jsonl": ("utf-16", LINES.encode("utf-16-be")),
    "wide.jsonl": ("utf-32", LINES.encode("utf-32")),
    "cuts.jsonl": ("lhotse", "\n".join(map(json.dumps, CUTS)).encode()),
    "it's $(touch ran).json": ("json-array", json.dumps(ROWS).encode()),
}
"""Files with their form, whose command makes a manifest of them."""

PARQUET = packed(lambda sink: pq.write_table(pa.Table.from_pylist(ROWS), sink))
HUB_ROWS = [{"audio": {"path": row["audio_filepath"]}, "transcription": row["text"]} for row in ROWS]

READ_AS_IT_IS = {
    "gzip": (gzip.compress(LINES.encode()), ".gz", ""),
    "bzip2": (bz2.compress(LINES.encode()), ".bz2", ""),
    "zstd": (pa.compress(LINES.encode(), codec="zstd", asbytes=True), ".zst", ""),
    "parquet": (PARQUET, ".parquet", ""),
    "csv": (b'audio_filepath,text\na.wav,"good, ""good"" morning"\nb.wav,gr\xc3\xbcezi\n', ".csv", ""),
    "csv, other names": (b'text;file\n"good, ""good"" morning";a.wav\ngr\xc3\xbcezi;b.wav\n', ".csv", ""),
    "tsv": (b'client_id\tpath\tsentence\n1\ta.wav\tgood, "good" morning\n2\tb.wav\tgr\xc3\xbcezi\n', ".tsv", ""),
    "other-fields": ("\n".join(map(json.dumps, OTHER_NAMES)).encode(), "", "audio_filepath=path,text=sentence"),
    "other-fields, nested": (
        "\n".join(map(json.dumps, HUB_ROWS)).encode(),
        "",
        "audio_filepath=audio.path,text=transcription",
    ),
}
"""Content of a file whose form its name does not say; a suffix or `--columns` is all that it needs."""

NAMED = {
    "empty.jsonl": ("empty", b""),
    "blank.jsonl": ("empty", b"\xef\xbb\xbf\r\n \n"),
    "corpus.tar": ("tar", packed(write_tar)),
    "corpus.zip": ("zip", packed(write_zip)),
    "pointer.jsonl": ("git-lfs", b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 7\n"),
    "a.wav": ("audio", b"RIFF\x24\0\0\0WAVEfmt "),
    "page.jsonl": ("markup", b"<!DOCTYPE html>\n<html>Sign in</html>\n"),
    "metadata.csv": ("table", b"LJ001|good morning|good morning\nLJ002|good night|good night\n"),
    "files.txt": ("list", b"audio/a.wav\naudio/b.flac\n"),
    "wav.scp": ("kaldi", b"utt1 /audio/a.wav\nutt2 sph2pipe -f wav b.sph |\n"),
    "recordings.jsonl": ("lhotse", b'{"id": "a", "sources": [], "sampling_rate": 8000}\n'),
    "supervisions.jsonl": ("lhotse", b'{"id": "a", "recording_id": "a", "start": 0, "duration": 1, "text": "a"}\n'),
    "unknown.jsonl": ("other-fields", b'{"speech": "a.wav", "words": "a"}\n'),
}
"""Files with their form that no single command converts."""

ACCEPTED = {
    "good": LINES.encode(),
    "mark and blank lines": b"\xef\xbb\xbf\n\r\n" + LINES.encode().replace(b"\n", b"\r\n"),
    "no line end": LINES.encode().rstrip(),
    "a bad first line": b'{"audio_filepath": "a.wav",\n' + LINES.encode(),
    "a list first": b"[1, 2]\n" + LINES.encode(),
    "nonsense first": b"a,b\n" + LINES.encode(),
    "only nonsense": b"nonsense\n",
    "a long line": b'{"segments": [{"a": "'
    + b"a" * 100_000
    + b'"}], "audio_filepath": "a.wav", "text": "a"}\n'
    + LINES.encode(),
    "lists of objects": b'{"words": [{"a": 1}], "audio_filepath": "a.wav", "text": "a"}\n',
    "a row without a text": b'{"audio_filepath": "a.wav"}\n' + LINES.encode(),
    "no text at all": b'{"audio_filepath": "a.wav", "speaker": "anna"}\n',
    "constants": b'{"audio_filepath": "a.wav", "snr": NaN, "text": "a"}\n',
    "zeros": b"\0" * 5000 + b"\n" + LINES.encode(),
}
"""What is read line by line, whatever single lines are worth."""


def run_in(folder, command):
    """Run a command as a user does who activated this environment."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    subprocess.run(command, shell=True, cwd=folder, check=True, env=os.environ | {"PATH": path})


@pytest.mark.parametrize("name", CONVERTED)
def test_other_form_is_named_with_a_command_that_converts_it(tmp_path, name):
    form, content = CONVERTED[name]
    (tmp_path / name).write_bytes(content)
    found = detect_form(tmp_path / name)
    assert (found and found.name) == form
    if found.remedy.startswith("jq") and not shutil.which("jq"):
        pytest.skip("needs jq")
    before = set(tmp_path.iterdir())
    run_in(tmp_path, found.remedy)
    (new,) = set(tmp_path.iterdir()) - before
    rows = list(open_source(new).scan())
    assert [(row["audio_filepath"], row["text"], row["reason"]) for row in rows] == [
        (row["audio_filepath"], row["text"], None) for row in ROWS
    ]


@pytest.mark.parametrize("form", READ_AS_IT_IS)
def test_form_that_is_read_as_it_is_once_it_is_named_is_not_converted(tmp_path, form):
    content, suffix, columns = READ_AS_IT_IS[form]
    (tmp_path / "corpus").write_bytes(content)
    found = detect_form(tmp_path / "corpus")
    assert found.name == form.partition(",")[0]
    named = f"let its name end in {suffix}: it is read as it is" if suffix else f"add --columns {columns}"
    assert found.remedy == named
    path = (tmp_path / "corpus").rename(tmp_path / f"corpus{suffix}")
    rows = list(open_source(path, columns=columns).scan())
    assert [(row["audio_filepath"], row["text"], row["reason"]) for row in rows] == [
        (row["audio_filepath"], row["text"], None) for row in ROWS
    ]


TRANSCRIPT_LINES = [{"audio_filepath": "a.wav", "pred_text": "good"}, {"audio_filepath": "b.wav", "pred_text": "gut"}]
OF_TRANSCRIPTS = {
    "a.jsonl.gz": gzip.compress("\n".join(map(json.dumps, TRANSCRIPT_LINES)).encode()),
    "a.parquet": packed(lambda sink: pq.write_table(pa.Table.from_pylist(TRANSCRIPT_LINES), sink)),
    "a.csv": b"file,hyp\na.wav,good\nb.wav,gut\n",
}


@pytest.mark.parametrize("name", OF_TRANSCRIPTS)
def test_transcripts_of_another_form_are_converted(tmp_path, name):
    (tmp_path / name).write_bytes(OF_TRANSCRIPTS[name])
    form = detect_form(tmp_path / name, TRANSCRIPTS)
    run_in(tmp_path, form.remedy)
    assert detect_form(tmp_path / "a.jsonl", TRANSCRIPTS) is None
    rows = [json.loads(line) for line in (tmp_path / "a.jsonl").read_text().splitlines()]
    assert [(row["audio_filepath"], row["pred_text"]) for row in rows] == [("a.wav", "good"), ("b.wav", "gut")]


@pytest.mark.parametrize("name", NAMED)
def test_form_that_no_command_converts_is_named(tmp_path, name):
    form, content = NAMED[name]
    (tmp_path / name).write_bytes(content)
    found = detect_form(tmp_path / name)
    assert (found and found.name) == form


@pytest.mark.parametrize("content", ACCEPTED.values(), ids=ACCEPTED)
def test_json_lines_are_read_whatever_some_of_them_are_worth(tmp_path, content):
    (tmp_path / "corpus.jsonl").write_bytes(content)
    assert detect_form(tmp_path / "corpus.jsonl") is None


def test_other_name_of_the_text_is_accepted_if_references_are_optional(tmp_path):
    (tmp_path / "corpus.jsonl").write_bytes(b'{"audio_filepath": "a.wav", "sentence": "a"}\n')
    assert detect_form(tmp_path / "corpus.jsonl", MANIFEST) is not None
    assert detect_form(tmp_path / "corpus.jsonl", UNREFERENCED_MANIFEST) is None


def test_message_says_what_the_input_is_what_was_expected_and_what_to_do(tmp_path):
    path = tmp_path / "corpus.json"
    path.write_text("[]")
    with pytest.raises(ManifestError) as refused:
        open_source(path).check()
    assert str(refused.value) == (
        f"{path}: a JSON array; expected a JSON object on each line with audio_filepath and text: "
        "jq -c '.[]' corpus.json > corpus.jsonl"
    )
    assert refused.value.exit_code == 2


def test_folder_is_refused_with_a_manifest_in_it(tmp_path):
    (tmp_path / "train.jsonl").write_text(LINES)
    assert detect_form(tmp_path).remedy == "give a file, such as train.jsonl in it"
