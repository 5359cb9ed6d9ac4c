"""Work on real Dask workers: placement, concurrency, and the death of a worker."""

import os
import signal
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from winnow.devices.dask_executor import DaskExecutor, refuse_exposed
from winnow.devices.executors import InlineExecutor, open_executor
from winnow.engines.engine import Checkpoint
from winnow.engines.model_cache import get_model
from winnow.errors import DeviceLost, InsecureScheduler
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
        ({"devices": "tcp://127.0.0.1:1", "dask": Dask(workers=2)}, "--dask.workers: needs --devices local"),
    ],
)
def test_contradictory_devices_are_refused(parameters, complaint):
    with pytest.raises(ValueError, match=complaint):
        curation(**parameters)


def test_workers_end_with_the_run(two_workers):
    with open_executor(curation(devices="local")) as workers:
        assert isinstance(workers, DaskExecutor)
        _, pid, _, cores = workers.run(report_place, 0)
        assert cores == str(len(os.sched_getaffinity(0)))
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
