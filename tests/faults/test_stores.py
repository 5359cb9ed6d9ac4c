"""Runs in an object store: moto serves S3 on this machine."""

import os
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from threading import Barrier, Thread

import boto3
import pyarrow as pa
import pytest
from moto.server import ThreadedMotoServer
from prefect.states import Failed

from cli.app import main
from flows.curate import run_curation
from flows.orchestrator import InProcess
from tasks.retry import is_retryable
from tests.in_process import curate
from tests.object_store import forget_connections, running_bucket
from winnow.errors import StoreError
from winnow.parameters.curation import Curation
from winnow.runs import ledger
from winnow.runs.run_dir import open_run
from winnow.runs.shard_files import read_table, store_table
from winnow.runs.storage import location, put, put_if_absent
from winnow.runs.verify import verify_run

RACES = int(os.environ.get("WINNOW_RACES", "5"))


@pytest.fixture(scope="module")
def bucket() -> Iterator[str]:
    with running_bucket() as url:
        yield url


def test_put_if_absent_keeps_the_first_object(bucket):
    path = location(f"{bucket}/a.json")
    assert put_if_absent(path, b"first")
    assert not put_if_absent(path, b"second")
    assert path.read_bytes() == b"first"
    put(path, b"third")
    assert path.read_bytes() == b"third"


class LostAnswer:
    """A store whose answer is lost: the object is created, but the writer gets an error."""

    def __init__(self, path):
        self.path, self.real, self.fs = path.path, path, self

    def pipe_file(self, *args, **kwargs):
        self.real.fs.pipe_file(*args, **kwargs)
        raise TimeoutError("no answer")

    def exists(self):
        return self.real.exists()

    def read_bytes(self):
        return self.real.read_bytes()


def test_content_decides_after_a_lost_answer(bucket):
    path = location(f"{bucket}/b.json")
    assert put_if_absent(LostAnswer(path), b"ours")
    assert not put_if_absent(LostAnswer(path), b"another's")
    assert path.read_bytes() == b"ours"


def test_racing_attempts_all_get_the_same_record(bucket):
    run = location(f"{bucket}/races")
    racers = 4
    for race in range(RACES):
        start = Barrier(racers)

        def attempt(n, key=f"{race:032}", start=start):
            file = store_table(run / "data", key, pa.table({"id": [n]}))
            start.wait()
            return ledger.commit(run, key, [file], attempt=n)

        with ThreadPoolExecutor(racers) as pool:
            first, *others = pool.map(attempt, range(racers))
        assert all(other == first for other in others)
        (name,) = first["files"]
        assert read_table(run / name)["id"].to_pylist() == [first["attempt"]]
    assert len(ledger.read_records(run)) == RACES


def test_run_in_an_object_store_is_complete_and_repeats_no_work(bucket, manifest, hears):
    corpus = manifest(*({"audio_filepath": f"{i}.wav", "duration": 1.0, "text": f"good day {i}"} for i in range(4)))
    models = hears(small={f"{i}.wav": f"good day {i % 3}" for i in range(4)})
    settings = {"manifest": corpus, "output": f"{bucket}/run", "shard_hours": 2 / 3600, **models}
    report = curate(**settings)
    assert (report.kept, report.dropped) == (3, 1)
    run = location(f"{bucket}/run")
    assert [check.sentence for check in verify_run(run) if not check.holds] == []
    before = set(ledger.read_records(run))
    assert curate(**settings).kept == 3
    assert set(ledger.read_records(run)) == before


class Refusing(BaseHTTPRequestHandler):
    """Answers everything with 403, as S3 does if the key is wrong."""

    def answer(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        code = "<Error><Code>InvalidAccessKeyId</Code><Message>The key does not exist</Message></Error>"
        self.send_response(403)
        self.send_header("Content-Type", "application/xml")
        self.send_header("Content-Length", str(len(code)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(code.encode())

    def log_message(self, *_: object) -> None: ...


for method in ("GET", "PUT", "HEAD", "POST", "DELETE"):
    setattr(Refusing, f"do_{method}", Refusing.answer)


@pytest.fixture
def new_connections() -> Iterator[None]:
    forget_connections()
    yield
    forget_connections()


@pytest.fixture
def refusing_store() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Refusing)
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


def curation(output: str, **parameters: object) -> Curation:
    return Curation(**{"manifest": "corpus.jsonl", "small": "small.nemo", "output": output} | parameters)


@pytest.mark.parametrize(
    ("endpoint", "output", "message"),
    [
        ("http://127.0.0.1:9", "s3://winnow/a", "s3://winnow: the object store does not answer"),
        ("http://nowhere.invalid", "s3://winnow/b", "s3://winnow: the object store does not answer"),
        ("refusing", "s3://winnow/c", "s3://winnow: the object store refuses access"),
        (None, "s3://no-such-bucket/d", "s3://no-such-bucket: there is no such bucket"),
    ],
)
def test_store_that_cannot_be_used_is_explained_in_one_line(
    endpoint, output, message, bucket, refusing_store, new_connections, monkeypatch, capsys
):
    if endpoint:
        monkeypatch.setenv("AWS_ENDPOINT_URL", refusing_store if endpoint == "refusing" else endpoint)
    began = time.monotonic()
    with pytest.raises(StoreError) as failed, open_run(curation(output), {}):
        pass
    assert str(failed.value).startswith(message)
    assert failed.value.exit_code == 2
    for command in ("resume", "verify"):
        with pytest.raises(SystemExit) as ended:
            main([command, output])
        assert ended.value.code == 2
        printed = capsys.readouterr().err
        assert printed.count("\n") == 1
        assert message in printed or endpoint is None  # a bucket without any object looks like a missing one
    assert time.monotonic() - began < 60


@pytest.mark.skipif(find_spec("gcsfs") is not None, reason="gcsfs is installed")
def test_store_without_its_library_says_what_to_install(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["verify", "gs://winnow/a"])
    assert ended.value.code == 2
    printed = capsys.readouterr().err
    assert printed == (
        "winnow: gs://winnow: the library for this kind of store is missing "
        "(ImportError: Please install gcsfs to access Google Storage)\n"
    )


def test_store_that_is_lost_in_mid_run_ends_the_run_in_one_line(manifest, hears, new_connections, monkeypatch):
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
    boto3.client("s3").create_bucket(Bucket="lost")
    stopped = []

    def stop_after_a_pass(event: str, arguments: tuple[object, ...]) -> None:
        if event == "winnow.commit" and not stopped and "lost/run/_ledger" in str(arguments[1]):
            stopped.append(server.stop())

    corpus = manifest({"audio_filepath": "a.wav", "text": "good day"})
    sys.addaudithook(stop_after_a_pass)
    with pytest.raises(StoreError, match=r"^s3://lost: the object store does not answer \(.*\): check the network"):
        run_curation(curation("s3://lost/run", manifest=corpus, **hears(small={"a.wav": "good day"})), InProcess())
    assert stopped


@pytest.mark.parametrize(
    ("error", "retried"),
    [(StoreError("no answer", retryable=True), True), (StoreError("refused"), False)],
)
def test_only_a_store_that_may_answer_later_is_tried_again(error, retried):
    assert is_retryable(None, None, Failed(data=error)) is retried
