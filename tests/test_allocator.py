"""The allocator: which device work gets, and how much of it."""

import threading
import time
from collections import Counter

import pytest

from winnow.devices.allocator import Allocator, Device
from winnow.errors import NoDevice
from winnow.parameters.placement import Placement

GPUS = [Device("cuda:0", {"GPU": 1, "CPU": 8, "MEMORY": 64}), Device("cuda:1", {"GPU": 1, "CPU": 8, "a100": 1})]
CPU = Device("cpu:0", {"CPU": 16})
PLAIN = Device("tcp://10.0.0.1:4711")


@pytest.mark.parametrize(
    ("devices", "on", "times"),
    [
        (GPUS, {}, {"cuda:0": 1, "cuda:1": 1}),
        ([*GPUS, CPU], {}, {"cuda:0": 1, "cuda:1": 1}),
        ([*GPUS, CPU], {"share": 0.25}, {"cuda:0": 4, "cuda:1": 4}),
        ([*GPUS, CPU], {"share": 0.1}, {"cuda:0": 10, "cuda:1": 10}),
        ([*GPUS, CPU], {"share": 0.6}, {"cuda:0": 1, "cuda:1": 1}),
        ([*GPUS, CPU], {"share": 0.25, "cpus": 4}, {"cuda:0": 2, "cuda:1": 2}),
        ([*GPUS, CPU], {"memory": 32, "share": 0.25}, {"cuda:0": 2}),
        ([*GPUS, CPU], {"pool": "a100"}, {"cuda:1": 1}),
        ([*GPUS, CPU], {"device_id": "cpu:0"}, {"cpu:0": 1}),
        ([*GPUS, CPU], {"device_id": "cpu:0, cuda:0", "share": 0.5}, {"cuda:0": 2, "cpu:0": 2}),
        ([*GPUS, CPU], {"device_id": "cpu:0", "cpus": 4}, {"cpu:0": 4}),
        ([CPU], {"share": 0.5}, {"cpu:0": 2}),
        ([PLAIN], {}, {PLAIN.name: 1}),
        ([PLAIN], {"share": 0.5}, {PLAIN.name: 2}),
    ],
)
def test_placement_selects_devices_and_fits_a_number_of_times(devices, on, times):
    eligible = Allocator(lambda: devices).eligible(Placement(**on))
    assert {device.name: device.capacity(Placement(**on)) for device in eligible} == times


@pytest.mark.parametrize(
    ("on", "named"),
    [
        ({"pool": "h100"}, "pool h100"),
        ({"device_id": "cuda:7"}, "device_id cuda:7"),
        ({"cpus": 9, "device_id": "cuda:0"}, r"cpus 9.0; the devices are: cuda:0 \(GPU 1, CPU 8, MEMORY 64\)"),
        ({"memory": 65}, "memory 65.0"),
    ],
)
def test_placement_that_no_device_fits_is_refused_by_name(on, named):
    with pytest.raises(NoDevice, match=named):
        Allocator(lambda: GPUS).require(Placement(**on), patience=0)


def test_lease_without_any_device_is_refused():
    with pytest.raises(NoDevice, match="the devices are: none"), Allocator(list).lease(Placement(), patience=0):
        pass


def test_lease_waits_for_a_device_that_joins_late():
    devices: list[Device] = []
    threading.Timer(0.2, devices.append, [CPU]).start()
    with Allocator(lambda: devices).lease(Placement(), patience=30) as device:
        assert device == CPU


def test_concurrent_leases_never_exceed_a_device():
    allocator = Allocator(lambda: GPUS)
    lock, running, most, finished = threading.Lock(), Counter(), Counter(), Counter()

    def work(on: Placement) -> None:
        with allocator.lease(on, patience=0) as device:
            with lock:
                running[device.name] += on.share
                most[device.name] = max(most[device.name], running[device.name])
                finished[device.name, on.share] += 1
            time.sleep(0.01)
            with lock:
                running[device.name] -= on.share

    shares = [0.25] * 40 + [1.0] * 10 + [0.5] * 20
    threads = [threading.Thread(target=work, args=[Placement(share=share)]) for share in shares]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert finished.total() == len(shares)
    assert most == {"cuda:0": 1.0, "cuda:1": 1.0}
    assert not any(running.values())


def test_least_loaded_device_is_leased_first():
    allocator = Allocator(lambda: GPUS)
    on = Placement(share=0.5)
    with (
        allocator.lease(on, 0) as a,
        allocator.lease(on, 0) as b,
        allocator.lease(on, 0) as c,
        allocator.lease(on, 0) as d,
    ):
        assert [a.name, b.name, c.name, d.name] == ["cuda:0", "cuda:1", "cuda:0", "cuda:1"]


def test_dropped_device_is_never_leased():
    allocator = Allocator(lambda: GPUS)
    allocator.dropped.add("cuda:0")
    with allocator.lease(Placement(), 0) as device:
        assert device.name == "cuda:1"
    allocator.dropped.add("cuda:1")
    with pytest.raises(NoDevice, match="dropped after faults: cuda:0, cuda:1"):
        allocator.require(Placement(), 0)
