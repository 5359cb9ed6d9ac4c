"""Hosts of a cluster are cut off and killed: each has an address of its own, and what they share is in an object store.

With WINNOW_HOST_FAULTS there are as many cuts and kills, at random, and Prefect's server keeps its data in PostgreSQL.
"""

import json
import os
import random
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest
from distributed import Client
from distributed.security import Security

from flows.curate import curate
from tests.conftest import flows_run_on, running_server
from tests.dask_process import DaskProcess
from tests.faults.test_kills import dataset
from tests.hosts import NAMES, Network, running_network, why_no_hosts
from tests.in_process import curate as curate_here
from tests.object_store import put_files, running_bucket
from tests.postgres import find_programs, running_postgres
from winnow.runs.storage import location
from winnow.runs.verify import verify_run

FAULTS = int(os.environ.get("WINNOW_HOST_FAULTS", "2"))
ROWS = 16 if FAULTS == 2 else 160
PAUSE = 1 if FAULTS == 2 else 16  # seconds between faults, at most; work is tried seven times
NOTICED = 12  # seconds after which a connection without answers ends, of which Dask takes no fewer; 30 by default


@dataclass
class Cluster:
    """A scheduler on this machine, with a worker on each host."""

    network: Network
    address: str
    tls: dict[str, Path]
    workers: dict[str, DaskProcess]

    def security(self) -> Security:
        ca, certificate, key = map(str, self.tls.values())
        return Security(require_encryption=True, tls_ca_file=ca, tls_client_cert=certificate, tls_client_key=key)


def write_certificate(folder: Path) -> dict[str, Path]:
    """Write a certificate, which is its own authority, and its key."""
    made = Security.temporary()
    contents = {"ca": made.tls_ca_file, "cert": made.tls_client_cert, "key": made.tls_client_key}
    for name, content in contents.items():
        (folder / f"{name}.pem").write_text(content)
    return {"tls_ca_file": folder / "ca.pem", "tls_cert": folder / "cert.pem", "tls_key": folder / "key.pem"}


@pytest.fixture
def network() -> Iterator[Network]:
    if why_not := why_no_hosts():
        pytest.skip(why_not)
    with running_network() as network:
        yield network


@pytest.fixture
def cluster(network, bucket, tmp_path) -> Iterator[Cluster]:
    with socket.socket() as free:
        free.bind((network.address, 0))
        port = free.getsockname()[1]
    address, tls = f"tls://{network.address}:{port}", write_certificate(tmp_path)
    options = [f"--{name.replace('_', '-')}={file}" for name, file in tls.items()]
    fast = {"DASK_DISTRIBUTED__COMM__TIMEOUTS__TCP": f"{NOTICED}s"}
    place = ["--protocol", "tls", "--host", network.address, "--port", str(port), "--no-dashboard"]
    with ExitStack() as processes:

        def start(*words: str, before: tuple[str, ...] = ()) -> DaskProcess:
            process = DaskProcess(*words, *options, before=before, environment=fast)
            processes.callback(process.end)
            return process

        start("scheduler", *place)
        work = ["worker", address, "--no-nanny", "--no-dashboard", "--memory-limit", "0", "--resources", "CPU=1"]
        yield Cluster(
            network, address, tls, {host: start(*work, "--name", host, before=network.command(host)) for host in NAMES}
        )


@pytest.fixture
def bucket(network) -> Iterator[str]:
    with running_bucket(host=network.address) as url:
        yield url


@pytest.fixture
def corpus(bucket, write_tone, hears) -> dict[str, Any]:
    """A corpus in the store, in shards of four rows; at full size the large model transcribes half of it too."""
    names = [f"{bucket}/corpus/{i}.wav" for i in range(ROWS)]
    rows = [{"audio_filepath": name, "duration": 1.0, "text": f"good morning {name}"} for name in names]
    lines = b"".join(json.dumps(row).encode() + b"\n" for row in rows)
    sound = write_tone("tone.wav").read_bytes()
    put_files(f"{bucket}/corpus", {"manifest.jsonl": lines} | {f"{i}.wav": sound for i in range(ROWS)})
    small = {name: f"good {'morning' if i % 2 else 'night'} {name}" for i, name in enumerate(names)}
    corpus = {"manifest": f"{bucket}/corpus/manifest.jsonl", "shard_hours": 4 / 3600, **hears(small=small)}
    if FAULTS > 2:
        corpus |= {"gate": {"accept": 0.1}, **hears(large={name: f"good morning {name}" for name in names})}
    return corpus


def objects(url: str) -> dict[str, bytes]:
    """Read the objects of a run that users take away."""
    bucket, _, folder = url.removeprefix("s3://").partition("/")
    client, taken = boto3.client("s3"), {}
    for part in ("data/", "rejects/", "manifest.jsonl"):
        for entry in client.list_objects_v2(Bucket=bucket, Prefix=f"{folder}/{part}").get("Contents", []):
            body = client.get_object(Bucket=bucket, Key=entry["Key"])["Body"].read()
            taken[entry["Key"].removeprefix(f"{folder}/")] = body
    return taken


class Faults:
    """Cuts and kills of hosts, in turns, each of a host that has work at that moment."""

    def __init__(self, cluster: Cluster, seed: int) -> None:
        self.cluster, self.pick, self.over = cluster, random.Random(seed), threading.Event()
        self.done: list[str] = []
        self.mended: dict[str, float] = {}  # when the link of a host that is cut off is to be mended

    @contextmanager
    def happening(self) -> Iterator[None]:
        thread = threading.Thread(target=self.happen)
        thread.start()
        try:
            yield
        finally:
            self.over.set()
            thread.join()

    def happen(self) -> None:
        following = 0.0
        with Client(self.cluster.address, security=self.cluster.security(), set_as_default=False) as client:
            while not self.over.wait(0.02):
                now = time.monotonic()
                self.mend_until(now)
                if len(self.done) < FAULTS and now > following and (hosts := self.hosts_with_work(client)):
                    self.happen_to(self.pick.choice(hosts))
                    following = now + self.pick.random() * PAUSE
        self.mend_until(float("inf"))

    def hosts_with_work(self, client: Client) -> list[str]:
        hosts = [self.cluster.network.host_at(address) for address, work in client.processing().items() if work]
        return [host for host in hosts if host not in self.mended]

    def happen_to(self, host: str) -> None:
        if len(self.done) % 2:
            self.cluster.workers[host].kill()
            self.done.append(f"killed {host}")
        else:
            self.cluster.network.cut(host)
            self.mended[host] = time.monotonic() + self.pick.uniform(0.5, 1.5) * NOTICED
            self.done.append(f"cut {host} off")

    def mend_until(self, now: float) -> None:
        for host in [host for host, end in self.mended.items() if end <= now]:
            self.cluster.network.mend(host)
            del self.mended[host]


@pytest.fixture
def server(request, tmp_path, monkeypatch) -> Iterator[None]:
    """Run flows on the shared server; at full size, on one with PostgreSQL."""
    if FAULTS == 2:
        request.getfixturevalue("prefect_server")
        yield
        return
    if not (programs := find_programs()):
        pytest.skip("PostgreSQL is not installed")
    with running_postgres(programs) as url:
        monkeypatch.setenv("PREFECT_SERVER_DATABASE_CONNECTION_URL", url)
        with running_server(tmp_path / "server") as api:
            monkeypatch.delenv("PREFECT_SERVER_DATABASE_CONNECTION_URL")
            with flows_run_on(api, tmp_path / "home"):
                yield


def test_run_over_two_hosts_survives_that_one_is_cut_off_and_one_killed(server, corpus, cluster, bucket, tmp_path):
    seed = int(os.environ.get("WINNOW_SEED", random.randrange(10**6)))
    curate_here(**corpus, output=tmp_path / "whole")
    whole, faults, runs = dataset(tmp_path / "whole"), Faults(cluster, seed), 0
    with faults.happening():
        while len(faults.done) < FAULTS:
            runs += 1
            run = f"{bucket}/run-{runs}"
            curate(**corpus, output=run, devices=cluster.address, dask=cluster.tls)
            assert objects(run) == whole
            assert [check.sentence for check in verify_run(location(run)) if not check.holds] == []
            assert runs <= FAULTS, "the hosts have no work that a fault could meet"
    print(f"seed {seed}: {runs} runs, {', '.join(faults.done)}")
