"""Exports that are killed at any moment, go to an object store or a hub, and never write over what is not theirs."""

import base64
import json
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import huggingface_hub.constants
import pytest

from flows.export import run_export
from flows.orchestrator import InProcess
from tests.faults.test_kills import work_and_die
from tests.faults.test_stores import running_bucket
from tests.test_export import export, lines, make_run, tree, write_corpus
from winnow.errors import OutputError, StoreError
from winnow.export.verify import verify_export
from winnow.parameters.export import Export
from winnow.runs.storage import location

STEPS = [("drafted", 1), ("in place", 2), ("in place", 4), ("drafted", 6), ("linked", 2), ("linked", 3)]


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("exported")
    return make_run(write_corpus(folder / "corpus"), folder / "run")


@pytest.mark.parametrize(("step", "nth"), STEPS)
@pytest.mark.parametrize("form", ["nemo", "nemo-tarred"])
def test_killed_export_is_continued_to_the_same_bytes(run, tmp_path, form, step, nth):
    options = {"audio": "flac", "shards": 2, "split": "train=0.6,test=0.4", "apart": "text"}
    export(run, tmp_path / "whole", form, **options)
    settings = Export.model_validate({"run": run, "form": form, "output": tmp_path / "cut", **options})
    assert work_and_die(lambda: run_export(settings, InProcess()), step, nth) == -signal.SIGKILL
    assert [check.holds for check in verify_export(tmp_path / "cut")].count(False) >= 1
    export(run, tmp_path / "cut", form, **options)
    assert tree(tmp_path / "cut") == tree(tmp_path / "whole")


def test_file_of_others_in_the_folder_stays_and_is_named(run, tmp_path):
    (tmp_path / "new").mkdir()
    export(run, tmp_path / "new", "nemo-tarred")
    (tmp_path / "new" / "notes.txt").write_text("mine")
    export(run, tmp_path / "new", "nemo-tarred")
    assert (tmp_path / "new" / "notes.txt").read_text() == "mine"
    sentences = [check.sentence for check in verify_export(tmp_path / "new")]
    assert "0 files are left of attempts that died; not the export's, and not checked: notes.txt" in sentences


def test_run_that_was_altered_is_not_exported(tmp_path):
    run = make_run(write_corpus(tmp_path / "corpus"), tmp_path / "run")
    (run / "manifest.jsonl").write_bytes((run / "manifest.jsonl").read_bytes() + b"{}\n")
    with pytest.raises(OutputError, match=r"manifest\.jsonl: missing or altered since it was written"):
        export(run, tmp_path / "new", "nemo")
    assert not (tmp_path / "new").exists()


def test_export_to_an_object_store_has_the_same_files(run, tmp_path):
    export(run, tmp_path / "new", "nemo-tarred", audio="flac", shards=2)
    with running_bucket() as bucket:
        output = f"{bucket}/data"
        settings = Export.model_validate(
            {"run": run, "form": "nemo-tarred", "output": output, "audio": "flac", "shards": 2}
        )
        for _ in range(2):
            assert run_export(settings, InProcess()).exported == 5
        store = location(output)
        assert [check.sentence for check in verify_export(store) if not check.holds] == []
        for name in ("audio_0.tar", "audio_1.tar", "sharded_manifests/manifest_1.json", "tarred_audio_manifest.json"):
            assert (store / name).read_bytes() == (tmp_path / "new" / name).read_bytes()


class Hub(BaseHTTPRequestHandler):
    """What `huggingface_hub` asks the hub for an upload; every file is taken in the commit itself."""

    files: dict[str, bytes]
    refuse: bool

    def do_GET(self) -> None:
        known = {"id": "me/data", "sha": "0" * 40, "siblings": []}
        self.answer(*(({"error": "no"}, 403) if self.refuse else ([] if "/tree/" in self.path else known,)))

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.refuse:
            self.answer({"error": "no"}, 403)
        elif "/preupload/" in self.path:
            paths = [file["path"] for file in json.loads(body)["files"]]
            self.answer({"files": [{"path": path, "uploadMode": "regular", "shouldIgnore": False} for path in paths]})
        elif "/commit/" in self.path:
            for line in map(json.loads, body.splitlines()):
                if line["key"] == "file":
                    self.files[line["value"]["path"]] = base64.b64decode(line["value"]["content"])
            self.answer(
                {
                    "commitUrl": "https://huggingface.co/datasets/me/data/commit/1",
                    "commitOid": "0" * 40,
                    "success": True,
                }
            )
        else:
            self.answer({"url": "https://huggingface.co/datasets/me/data", "warnings": [], "errors": []})

    def answer(self, content: object, status: int = 200) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None: ...


@contextmanager
def hub(monkeypatch: pytest.MonkeyPatch, refuse: bool = False) -> Iterator[dict[str, bytes]]:
    """Serve a hub that takes uploads, or refuses them; yield the files that it has."""
    files: dict[str, bytes] = {}
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Answer", (Hub,), {"files": files, "refuse": refuse}))
    Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setenv("HF_TOKEN", "hf_nothing")
    yield files
    server.shutdown()


def test_pushed_dataset_has_the_files_of_the_folder_and_nothing_else(run, tmp_path, monkeypatch):
    with hub(monkeypatch) as files:
        export(run, tmp_path / "new", "hf", push="me/data", shards=2)
        names = ["README.md", "data/train-00000-of-00002.parquet", "data/train-00001-of-00002.parquet"]
        assert files == {name: (tmp_path / "new" / name).read_bytes() for name in names}


def test_push_that_the_hub_refuses_leaves_a_complete_export(run, tmp_path, monkeypatch):
    with hub(monkeypatch, refuse=True), pytest.raises(StoreError, match="the export is complete, but the hub refuses"):
        export(run, tmp_path / "new", "hf", push="me/data")
    assert all(check.holds for check in verify_export(tmp_path / "new"))
    assert not lines(tmp_path / "new" / "left_out.jsonl")
