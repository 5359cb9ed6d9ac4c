"""Runs in an object store: moto serves S3 on this machine."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import boto3
import pyarrow as pa
import pytest
from moto.server import ThreadedMotoServer

from winnow.runs import ledger
from winnow.runs.storage import location, put, put_if_absent, read_table
from winnow.runs.verify import verify_run


@pytest.fixture(scope="module")
def bucket():
    """Create an empty bucket and return its URL."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {
            "AWS_ENDPOINT_URL": f"http://{host}:{port}",
            "AWS_ACCESS_KEY_ID": "nobody",
            "AWS_SECRET_ACCESS_KEY": "nothing",
            "AWS_DEFAULT_REGION": "us-east-1",
        }.items():
            patch.setenv(name, value)
        boto3.client("s3").create_bucket(Bucket="winnow")
        yield "s3://winnow"
    server.stop()


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
    for race in range(50):
        start = Barrier(racers)

        def attempt(n, key=f"{race:032}", start=start):
            file = ledger.store_table(run / "data", key, pa.table({"id": [n]}))
            start.wait()
            return ledger.commit(run, key, [file], attempt=n)

        with ThreadPoolExecutor(racers) as pool:
            first, *others = pool.map(attempt, range(racers))
        assert all(other == first for other in others)
        (name,) = first["files"]
        assert read_table(run / name)["id"].to_pylist() == [first["attempt"]]
    assert len(ledger.read_records(run)) == 50


def test_run_in_an_object_store_is_complete_and_repeats_no_work(bucket, manifest, hears, prefect_server):
    from flows.curate import curate

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
