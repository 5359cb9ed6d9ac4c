"""Work on real Dask workers: placement, concurrency, and the death of a worker."""

import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import psutil
import pytest
from distributed import Client
from distributed.security import Security

from cli.app import main
from winnow.devices.dask_executor import DaskExecutor
from winnow.devices.executors import InlineExecutor, open_executor
from winnow.devices.scheduler_address import refuse_exposed, require_scheduler
from winnow.engines import call_progress
from winnow.engines.engine import Checkpoint
from winnow.engines.model_cache import get_model
from winnow.errors import DeviceLost, InsecureScheduler, OptionError
from winnow.models.resolve import resolve
from winnow.parameters.curation import Curation
from winnow.parameters.engine import EngineOptions
from winnow.parameters.placement import Dask, Placement


def curation(**parameters):
    return Curation(manifest="corpus.jsonl", output="out", small="small.nemo", **parameters)


@pytest.fixture(scope="module")
def two_workers():
    """Two workers with one core each."""
    with open_executor(curation(devices="local", dask=Dask(workers=2))) as workers:
        yield workers


def report_place(number: int, *, device: str, isolated: bool) -> tuple[str, int, bool, str | None]:
    return device, os.getpid(), isolated, os.environ.get("WINNOW_CORES")


def report_number(number: int, *, device: str, isolated: bool) -> int:
    return number


def record_times(folder: Path, number: int, *, device: str, isolated: bool) -> str:
    """Write down when it began and ended."""
    began = time.monotonic()
    time.sleep(0.4)
    (folder / f"{device}-{number}").write_text(f"{began} {time.monotonic()}")
    return device


def kill_worker(work: str, place: Path, *, device: str, isolated: bool) -> str:
    """Kill its worker, unless it is isolated."""
    with place.open("a") as log:
        log.write(f"{device} {isolated}\n")
    if not isolated:
        os.kill(os.getpid(), signal.SIGKILL)
    return "done"


def fail_on_first_device(work: str, *, device: str, isolated: bool) -> str:
    if device == "cpu:0":
        raise RuntimeError("CUDA error: an illegal memory access was encountered")
    return device


def load_model(model: Checkpoint, number: int, *, device: str, isolated: bool) -> tuple[str, int, int]:
    """Return the process, and the identity of the model in it."""
    return device, os.getpid(), id(get_model(model, EngineOptions()))


def transcribe_aloud(role: str, *, device: str, isolated: bool) -> str:
    """Say what was transcribed, as models do."""
    with call_progress.working_on(role, ["00000", "00001"]):
        for seconds in (2.0, 3.0):
            call_progress.tell_listeners(seconds)
    return role


def run_all(workers, work, calls, placement):
    with ThreadPoolExecutor(len(calls)) as threads:
        return list(threads.map(lambda call: workers.run(work, *call, placement=placement), calls))


def test_work_runs_on_the_device_that_its_placement_names(two_workers):
    for name in ("cpu:0", "cpu:1"):
        results = run_all(two_workers, report_place, [[i] for i in range(8)], Placement(device_id=name, share=0.25))
        assert {(device, cores) for device, _, _, cores in results} == {(name, "1")}
        assert len({pid for _, pid, _, _ in results}) == 1
    both = run_all(two_workers, report_place, [[i] for i in range(8)], Placement())
    assert {device for device, *_ in both} == {"cpu:0", "cpu:1"}
    assert two_workers.slots() == 2
    assert two_workers.slots(Placement(share=0.25, device_id="cpu:1")) == 4


@pytest.mark.parametrize(("share", "at_once"), [(1.0, 1), (0.5, 2), (0.25, 4)])
def test_device_runs_all_its_shares_at_once(two_workers, tmp_path, share, at_once):
    run_all(two_workers, record_times, [[tmp_path, i] for i in range(6 * at_once)], Placement(share=share))
    for device in ("cpu:0", "cpu:1"):
        times = [tuple(map(float, path.read_text().split())) for path in tmp_path.glob(f"{device}-*")]
        assert max(sum(a <= began < b for a, b in times) for began, _ in times) == at_once


def test_work_that_ends_when_it_is_polled_returns_its_result(two_workers):
    impatient = DaskExecutor(lambda: two_workers._client, poll_seconds=0.005)
    results = run_all(impatient, report_number, [[i] for i in range(100)], Placement(share=0.25))
    assert results == list(range(100))


def test_workers_tell_how_far_they_are(two_workers):
    told: list[tuple[call_progress.Work, float]] = []

    def listen(work: call_progress.Work, seconds: float) -> None:
        told.append((work, seconds))

    call_progress.listeners.append(listen)
    try:
        run_all(two_workers, transcribe_aloud, [("small",), ("large",)], Placement())
        deadline = time.monotonic() + 20
        while len(told) < 6 and time.monotonic() < deadline:
            time.sleep(0.01)
    finally:
        call_progress.listeners.remove(listen)
    for role in ("small", "large"):
        said = [seconds for work, seconds in told if work == (role, ("00000", "00001"))]
        assert said == [0.0, 2.0, 3.0]
    assert len(told) == 6


def test_worker_loads_a_model_once_for_all_shares(two_workers, hears):
    model = resolve(hears(small={"a.wav": "good morning"})["small"])
    loaded = run_all(two_workers, load_model, [[model, i] for i in range(16)], Placement(share=0.25))
    assert {device for device, *_ in loaded} == {"cpu:0", "cpu:1"}
    assert len(set(loaded)) == 2


def test_dead_worker_costs_one_attempt_of_its_own_work(two_workers, tmp_path):
    place, others = tmp_path / "deaths", []
    beside = threading.Thread(target=lambda: others.extend(two_workers.run(report_place, i) for i in range(5)))
    beside.start()
    for attempt in (1, 2):
        with pytest.raises(DeviceLost, match=f"died during this work, attempt {attempt}"):
            two_workers.run(kill_worker, "poison", place)
    assert two_workers.run(kill_worker, "poison", place) == "done"
    beside.join()
    assert len(others) == 5
    assert [line.split()[1] for line in place.read_text().splitlines()] == ["False", "False", "True"]


def test_device_that_fails_twice_is_dropped():
    with open_executor(curation(devices="local", dask=Dask(workers=2))) as workers:
        before = workers.run(report_place, 0, placement=Placement(device_id="cpu:0"))[1]
        for _ in range(2):
            with pytest.raises(DeviceLost, match="the device of worker cpu:0 failed"):
                workers.run(fail_on_first_device, "shard", placement=Placement(device_id="cpu:0"))
            assert (
                workers.allocator.dropped
                or workers.run(report_place, 0, placement=Placement(device_id="cpu:0"))[1] != before
            )
        assert workers.allocator.dropped == {"cpu:0"}
        assert Counter(workers.run(fail_on_first_device, "shard") for _ in range(4)) == {"cpu:1": 4}


def test_inline_executor_isolates_work_after_a_lost_device():
    devices, isolations = InlineExecutor(), []

    def work(*, device: str, isolated: bool) -> str:
        isolations.append(isolated)
        if not isolated:
            raise RuntimeError("CUDA error: unspecified launch failure")
        return device

    with pytest.raises(DeviceLost, match="from now on child processes use it"):
        devices.run(work)
    assert devices.run(work) == "inline"
    assert isolations == [False, True]


@pytest.mark.parametrize(
    ("address", "refused"),
    [
        ("tcp://127.0.0.1:8786", False),
        ("tcp://localhost:8786", False),
        ("tcp://[::1]:8786", False),
        ("tcp://10.1.2.3:8786", True),
        ("tcp://dask.example.org:8786", True),
        ("tcp://0.0.0.0:8786", True),
    ],
)
def test_row_35_exposed_scheduler_requires_tls_or_permission(address, refused):
    if refused:
        with pytest.raises(InsecureScheduler, match="can be reached from other machines"):
            refuse_exposed(address, False, Dask())
    else:
        refuse_exposed(address, False, Dask())
    refuse_exposed(address, True, Dask())
    refuse_exposed(address, False, Dask(allow_unencrypted=True))


def test_scheduler_that_listens_to_all_is_refused_although_its_address_is_local():
    from distributed import Scheduler, SpecCluster

    options = {"host": "0.0.0.0", "port": 0, "dashboard": False, "dashboard_address": "127.0.0.1:0"}
    with (
        SpecCluster({}, {"cls": Scheduler, "options": options}) as cluster,
        pytest.raises(InsecureScheduler),
        open_executor(curation(devices=f"tcp://127.0.0.1:{cluster.scheduler.port}")),
    ):
        pass


@pytest.mark.parametrize(
    ("parameters", "complaint"),
    [
        (
            {"small_placement": Placement(share=0.5)},
            "--small-placement.share: not used, because --devices inline starts no workers",
        ),
        ({"devices": "gpu"}, "unknown devices 'gpu': expected inline, local, the address of a Dask scheduler"),
        ({"devices": "tcp://host"}, "'tcp://host' is not the address of a Dask scheduler: expected tcp://HOST:PORT"),
        ({"devices": "tcp://host:port"}, "'tcp://host:port' is not the address of a Dask scheduler"),
        ({"devices": "tls://host:8786/?a=b"}, "is not the address of a Dask scheduler"),
        ({"devices": "http://host/s.json"}, "unknown devices 'http://host/s.json'"),
        ({"devices": "tcp://127.0.0.1:1", "dask": Dask(workers=2)}, "--dask.workers: needs --devices local"),
    ],
)
def test_contradictory_devices_are_refused(parameters, complaint):
    with pytest.raises(ValueError, match=complaint):
        curation(**parameters)


def test_local_cluster_accepts_only_the_certificate_of_its_own_run(two_workers):
    client = two_workers._client
    scheduler = client.scheduler_info(n_workers=-1)
    workers = scheduler["workers"]
    addresses = {scheduler["address"], *workers, *(worker["nanny"] for worker in workers.values())}
    assert {address.partition(":")[0] for address in addresses} == {"tls"}
    assert {urlsplit(address).hostname for address in addresses} == {"127.0.0.1"}
    for security in (None, Security.temporary()):
        protocol = "tls" if security else "tcp"
        with pytest.raises(OSError, match=r"(?i)timed out|reset|closed|certificate"):
            Client(f"{protocol}://127.0.0.1:{urlsplit(scheduler['address']).port}", security=security, timeout="3s")
    anybody = ssl.create_default_context()
    anybody.check_hostname, anybody.verify_mode = False, ssl.CERT_NONE
    for address in addresses:
        with (
            socket.create_connection(("127.0.0.1", urlsplit(address).port), 5) as plain,
            suppress(ssl.SSLError, OSError),
            anybody.wrap_socket(plain) as encrypted,
        ):
            encrypted.sendall(bytes(64))
            assert encrypted.recv(1) == b"", address
    keys = client.security.tls_client_key
    assert "PRIVATE KEY" in keys
    for process in psutil.Process().children(recursive=True):
        assert "PRIVATE KEY" not in f"{process.cmdline()} {process.environ()}"


def test_web_servers_of_a_local_cluster_have_no_pages(two_workers):
    scheduler = two_workers._client.scheduler_info(n_workers=-1)
    services = [scheduler["services"], *(each["services"] for each in scheduler["workers"].values())]
    for port in (port for each in services for port in each.values()):
        for page in ("", "health", "metrics", "info/main/workers.html", "json/identity.json", "status"):
            with suppress(httpx.HTTPError):  # nothing listens there
                assert httpx.get(f"http://127.0.0.1:{port}/{page}", timeout=5).status_code == 404


BAD_FILES: dict[str, bytes] = {
    "empty": b"",
    "list": b"[]",
    "no address": b"{}",
    "number": b'{"address": 8786}',
    "no port": b'{"address": "tcp://127.0.0.1"}',
    "other protocol": b'{"address": "inproc://127.0.0.1/1/1"}',
    "credentials": b'{"address": "tcp://ann:s3cret@127.0.0.1:8786"}',
    "not UTF-8": b"\xff\xfe",
    "nested": b"[" * 100_000,
    "huge": b" " * 2**21,
}


@pytest.mark.parametrize("content", BAD_FILES.values(), ids=list(BAD_FILES))
def test_scheduler_file_without_an_address_is_refused_in_one_line(tmp_path, content):
    file = tmp_path / "scheduler.json"
    file.write_bytes(content)
    with pytest.raises(OptionError, match="not a scheduler file") as refused:
        require_scheduler(str(file), Dask())
    assert "\n" not in str(refused.value)
    assert "s3cret" not in str(refused.value)


def test_scheduler_file_that_is_no_file_is_refused(tmp_path):
    os.mkfifo(tmp_path / "fifo.json")
    (tmp_path / "folder.json").mkdir()
    for name, complaint in {"fifo": "not a", "folder": "not a", "missing": "no such"}.items():
        with pytest.raises(OptionError, match=rf"{name}\.json: {complaint} scheduler file"):
            require_scheduler(str(tmp_path / f"{name}.json"), Dask())


def test_scheduler_that_has_gone_is_named_within_seconds(tmp_path, capsys, manifest, hears):
    corpus = manifest({"audio_filepath": "a.wav", "text": "hello"})
    model = hears(small={"a.wav": "hello"})["small"]
    words = ["curate", str(corpus), "--output", str(tmp_path / "out"), "--small", model]
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"tcp://127.0.0.1:{listener.getsockname()[1]}"
    file = tmp_path / "scheduler.json"
    file.write_text(json.dumps({"address": address, "id": "Scheduler-0"}))
    for devices, place in ((str(file), f"{address}, which {file} names"), (address, address)):
        began = time.monotonic()
        with pytest.raises(SystemExit) as ended:
            main([*words, "--devices", devices])
        assert ended.value.code == 2
        assert time.monotonic() - began < 10
        printed = capsys.readouterr().err
        assert printed.startswith(f"winnow: no Dask scheduler answers at {place} (ConnectionRefusedError")
        assert printed.count("\n") == 1


@pytest.mark.parametrize("protocol", ["tcp", "tls"])
def test_port_of_something_else_is_not_a_scheduler(protocol):
    """In a process of its own: what Dask leaves behind must not keep it from ending."""
    code = (
        "import sys\nfrom winnow.devices.executors import open_executor\n"
        "from winnow.parameters.curation import Curation\n"
        "try: open_executor(Curation(manifest='a', output='b', small='c', devices=sys.argv[1])).__enter__()\n"
        "except Exception as error: print(error.exit_code, error)"
    )
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"{protocol}://127.0.0.1:{silent.getsockname()[1]}"
        process = subprocess.run([sys.executable, "-c", code, address], capture_output=True, text=True, timeout=60)
    assert process.stdout.startswith(f"2 no Dask scheduler answers at {address} (")
    assert process.stdout.count("\n") == 1


def test_workers_end_with_the_run(two_workers):
    with open_executor(curation(devices="local")) as workers:
        assert isinstance(workers, DaskExecutor)
        _, pid, _, cores = workers.run(report_place, 0)
        assert cores == str(len(os.sched_getaffinity(0)))
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
