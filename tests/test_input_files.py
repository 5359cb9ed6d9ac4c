"""Paths that users name: made absolute whatever their characters, and refused if they cannot be read again."""

import os
import shutil
import socket
import subprocess
import sys

import pytest
from pydantic import ValidationError

from flows.curate import run_curation
from flows.orchestrator import InProcess
from tests.conftest import published_rows
from winnow import open_corpus
from winnow.engines.registry import engine_for
from winnow.errors import CheckpointError, ManifestError, OptionError, RuleError, WinnowError
from winnow.models.catalog import open_catalog
from winnow.models.resolve import check_model, known_digest, resolve
from winnow.parameters.curation import Curation
from winnow.parameters.ensemble import Ensemble
from winnow.parameters.filter import Filter
from winnow.pins import split_pin
from winnow.runs.run_record import load_settings, with_absolute_paths
from winnow.validation.before_start import check_run
from winnow.validation.rules import read_phrases

ONCE = "which can be read only once: write it to a file first"

NAMES = (
    *(
        "a@b",
        "a#b",
        "a?b=c",
        "a%20b",
        "a b",
        " a",
        "a:b",
        "~a",
        "-a",
        "a\nb",
        "a'b",
        'a"b',
        "a\\b",
        "a*b",
    ),
    *("a[b]", "{a}", "a$HOME", "é", "\u202ea", "a;b", "a|b", "a&b"),
    *("a@sha256:", "a@sha256:b", f"a@sha256:{'0' * 64}"),
)


ALONE = [name for name in NAMES if name[0] in " ~-{" or ":" in name]
"""Names that mean something else at the start of a path, or could be taken for a password beside others."""

PATHS = [*ALONE, "/".join(name for name in NAMES if name not in ALONE)]


@pytest.mark.parametrize("name", PATHS, ids=[*ALONE, "all others"])
def test_run_in_a_folder_of_any_name_is_resumed_from_another_folder(manifest, hears, tmp_path, monkeypatch, name):
    corpus = manifest({"audio_filepath": "a.wav", "text": "good morning"})
    hears(small={"a.wav": "good morning"})
    folder = tmp_path / name
    folder.mkdir(parents=True)
    for file in (corpus, tmp_path / "small.jsonl", tmp_path / "a.wav"):
        file.rename(folder / file.name)
    monkeypatch.chdir(tmp_path)
    here = {"manifest": f"{name}/corpus.jsonl", "small": f"{name}/small.jsonl", "output": f"{name}/run"}
    run_curation(Curation(**here, audio_root=name, relative_to=name), InProcess())
    (folder / "elsewhere").mkdir()
    monkeypatch.chdir(folder / "elsewhere")
    recorded = load_settings(folder / "run")
    assert (recorded.manifest, recorded.small) == (str(folder / "corpus.jsonl"), str(folder / "small.jsonl"))
    assert (recorded.audio_root, recorded.relative_to, recorded.output) == (
        str(folder),
        str(folder),
        str(folder / "run"),
    )
    assert run_curation(recorded, InProcess()).kept == 1
    assert [row["text"] for row in published_rows(folder / "run")] == ["good morning"]


def test_every_option_that_names_a_file_is_recorded_as_an_absolute_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("a@b.nemo", "large.nemo", "small.jsonl", "workers.json"):
        (tmp_path / name).touch()
    pin = f"@sha256:{'0' * 64}"
    models = {
        "small": f"a@b.nemo{pin}",
        "large": "large.nemo",
        "extra_models": ["small.jsonl", "nvidia/canary-1b@main"],
    }
    files = {"manifest": "missing.jsonl", "audio_root": ".", "relative_to": "x", "catalog": "c.yaml"}
    certificates = {"tls_ca_file": "ca.pem", "tls_cert": "cert.pem", "tls_key": "key.pem"}
    devices = {"devices": "workers.json", "dask": certificates}
    recorded = with_absolute_paths(Curation(output="out", filter={"phrases": "p.txt"}, **models, **files, **devices))
    assert {name: recorded[name] for name in files} == {
        "manifest": f"{tmp_path}/missing.jsonl",
        "audio_root": f"{tmp_path}",
        "relative_to": f"{tmp_path}/x",
        "catalog": f"{tmp_path}/c.yaml",
    }
    assert (recorded["small"], recorded["large"]) == (f"{tmp_path}/a@b.nemo{pin}", f"{tmp_path}/large.nemo")
    assert recorded["extra_models"] == [f"{tmp_path}/small.jsonl", "nvidia/canary-1b@main"]
    assert recorded["filter"]["phrases"] == f"{tmp_path}/p.txt"
    assert recorded["devices"] == f"{tmp_path}/workers.json"
    assert {name: recorded["dask"][name] for name in certificates} == {
        name: f"{tmp_path}/{file}" for name, file in certificates.items()
    }
    several = Ensemble(manifest="m.jsonl", output="out", models=["small.jsonl", "nvidia/canary-1b"])
    assert with_absolute_paths(several)["models"] == [f"{tmp_path}/small.jsonl", "nvidia/canary-1b"]


def test_home_folder_is_found_in_every_path(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    settings = Curation(
        manifest="~/corpus.jsonl", output="o", small="s.jsonl", audio_root="~", relative_to="~nobody-here/x"
    )
    assert (settings.manifest, settings.audio_root) == (str(tmp_path / "corpus.jsonl"), str(tmp_path))
    assert str(settings.relative_to) == "~nobody-here/x"


def pipe(path):
    os.mkfifo(path)
    return f"a pipe, {ONCE}"


def folder(path):
    path.mkdir()
    return "a folder, where a file is expected"


def link_to_a_device(path):
    path.symlink_to("/dev/null")
    return "a device, where a file is expected"


def socket_file(path):
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
    return "a socket, where a file is expected"


def refusal(call, *arguments):
    with pytest.raises(WinnowError) as caught:
        call(*arguments)
    return caught.value


@pytest.mark.parametrize("make", [pipe, folder, link_to_a_device, socket_file], ids=lambda make: make.__name__)
def test_what_is_no_file_is_refused_before_it_is_opened(tmp_path, monkeypatch, make):
    monkeypatch.chdir(tmp_path)  # a socket's path must be short
    problem = make(type(tmp_path)("x.jsonl"))
    path = tmp_path / "x.jsonl"
    for error, kind in (
        (refusal(open_corpus, path), ManifestError),
        (refusal(resolve, str(path)), CheckpointError),
        (refusal(read_phrases, Filter(phrases=path)), RuleError),
        (refusal(open_catalog, path), OptionError),
    ):
        assert type(error) is kind
        assert str(path) in str(error)
        instead = "a folder; expected a JSON object on each line with audio_filepath and text: give a file"
        assert (instead if (make, kind) == (folder, ManifestError) else problem) in str(error)


@pytest.mark.parametrize("make", [pipe, folder, socket_file], ids=lambda make: make.__name__)
def test_model_that_is_no_file_is_refused_before_a_server_starts(tmp_path, monkeypatch, make):
    monkeypatch.chdir(tmp_path)
    problem = make(type(tmp_path)("x.nemo"))
    assert str(refusal(check_model, "x.nemo")) == f"x.nemo: {problem}"


@pytest.mark.parametrize("name", ["~nobody-here/x.nemo", "~nobody-here/x.jsonl"])
@pytest.mark.parametrize("call", [check_model, known_digest, resolve])
def test_home_of_an_unknown_user_is_a_missing_file(call, name):
    assert str(refusal(call, name)).startswith(f"{name}: ")


def test_dash_is_no_manifest():
    assert str(refusal(open_corpus, "-")).endswith(f"/-: standard input, {ONCE}")


@pytest.mark.parametrize("name", ["/dev/stdin", "/dev/fd/0", "/proc/self/fd/0"])
def test_streams_are_refused_as_manifest_and_as_model(tmp_path, name):
    """Also if they are redirected from a file: another process, or a resumed run, would read something else."""
    (tmp_path / "corpus.jsonl").write_text("{}\n")
    code = (
        "import sys; from winnow import open_corpus; from winnow.engines.registry import engine_for\n"
        "for call in (open_corpus, engine_for):\n"
        "    try: call(sys.argv[1])\n"
        "    except Exception as error: print(type(error).__name__, error)"
    )
    with (tmp_path / "corpus.jsonl").open() as redirected:
        command = [sys.executable, "-c", code, name]
        output = subprocess.run(command, stdin=redirected, capture_output=True, text=True, check=True).stdout
    first, second = output.splitlines()
    assert first.startswith("ManifestError ")
    assert second.startswith("CheckpointError ")
    assert first.endswith(ONCE)
    assert second.endswith(ONCE)


def test_process_substitution_is_refused_in_words():
    command = f"{sys.executable} -m cli.app models choose <(cat /dev/null)"
    process = subprocess.run(["bash", "-c", command], capture_output=True, text=True)
    assert (process.returncode, process.stdout) == (2, "")
    assert process.stderr == f"winnow: /dev/fd/63: a stream, {ONCE}\n"


@pytest.mark.parametrize(
    ("model_name", "name", "pin"),
    [
        (f"a.nemo@sha256:{'AB' * 32}", "a.nemo", "ab" * 32),
        (f"a@sha256:{'0' * 64}/a.nemo@sha256:{'1' * 64}", f"a@sha256:{'0' * 64}/a.nemo", "1" * 64),
        (f"a@sha256:{'0' * 64}/a.nemo", f"a@sha256:{'0' * 64}/a.nemo", None),
        ("a@sha256:b.jsonl", "a@sha256:b.jsonl", None),
        ("owner/name@main", "owner/name@main", None),
    ],
)
def test_pin_is_at_the_end_of_a_name(model_name, name, pin):
    assert split_pin(model_name) == (name, pin)


NOT_UTF8 = os.fsdecode(b"caf\xe9")


@pytest.mark.parametrize("option", ["manifest", "output", "small", "audio_root", "relative_to", "filter.rules"])
def test_what_is_not_utf8_is_refused_before_it_is_recorded(manifest, hears, tmp_path, option):
    corpus, small = manifest({"audio_filepath": "a.wav", "text": "one"}), hears(small={"a.wav": "one"})["small"]
    folder = tmp_path / NOT_UTF8
    folder.mkdir()
    for file in (corpus, tmp_path / "small.jsonl"):
        shutil.copy(file, folder)
    others = {
        "manifest": folder / "corpus.jsonl",
        "output": folder / "run",
        "small": str(folder / "small.jsonl"),
        "filter.rules": {"rules": [f'text != "{NOT_UTF8}"']},
    }
    changed = {option.partition(".")[0]: others.get(option, folder)}
    settings = {"manifest": corpus, "output": tmp_path / "run", "small": small} | changed
    with pytest.raises((OptionError, ValidationError), match="not UTF-8"):
        check_run(Curation(**settings))


@pytest.mark.parametrize("name", ["a" * 5000 + ".jsonl", "a\0.nemo", "~nobody-here/a.nemo", "./a", "../models/a", "."])
def test_name_that_no_model_can_have_is_refused_in_words(name):
    with pytest.raises(CheckpointError, match=r"no such file|not the name of a model|a folder, where a file"):
        check_model(name)


def test_engine_of_a_file_with_an_at_sign_is_found(tmp_path):
    assert engine_for(f"{tmp_path}/a@b.jsonl").name == "transcripts"
    (tmp_path / "a@b.nemo").touch()
    assert engine_for("x.nemo").find_downloaded(f"{tmp_path}/a@b.nemo") == tmp_path / "a@b.nemo"
