"""The allocator leases shares of devices, and never more than a device has."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from winnow.errors import NoDevice
from winnow.parameters.placement import Placement

POLL_SECONDS = 1.0  # devices come and go without notice
TOLERANCE = 1e-9  # shares are sums of floats


@dataclass(frozen=True)
class Device:
    """A worker process with its device, its address and its resources: GPU, CPU, MEMORY in GB, and its pools.

    A worker without resources takes one piece of work.
    """

    name: str
    resources: dict[str, float] = field(default_factory=dict, hash=False)
    address: str = ""

    @property
    def kind(self) -> str:
        """The resource that a share of the device is a share of."""
        return next((name for name in ("GPU", "CPU") if self.resources.get(name)), "slot")

    @property
    def amounts(self) -> dict[str, float]:
        return {"slot": 1.0} | self.resources

    def demand(self, placement: Placement) -> dict[str, float]:
        """Return how much of each resource a piece of work takes of this device."""
        demand = {name: placement.share * self.amounts.get(name, 0.0) for name in (self.kind, placement.pool) if name}
        if placement.cpus:
            demand["CPU"] = placement.cpus
        if placement.memory:
            demand["MEMORY"] = placement.memory
        return demand

    def capacity(self, placement: Placement) -> int:
        """Return how many such pieces of work fit on the device at once."""
        demand = self.demand(placement).items()
        return min(int(self.amounts.get(name, 0.0) / amount + TOLERANCE) if amount else 0 for name, amount in demand)


def select_devices(devices: list[Device], placement: Placement) -> list[Device]:
    """Return the devices that a placement names, by name or by pool; by default those with a GPU, if there are any."""
    if placement.device_id:
        names = {name.strip() for name in placement.device_id.split(",")}
        devices = [device for device in devices if device.name in names]
    if placement.pool:
        return [device for device in devices if placement.pool in device.resources]
    return [device for device in devices if placement.device_id or device.kind == "GPU"] or devices


def describe_resources(amounts: dict[str, float]) -> str:
    return ", ".join(f"{name} {amount:g}" for name, amount in amounts.items()) or "a slot"


class Allocator:
    """The devices that `devices` returns at any moment, and what of them is leased. `dropped` ones are used no more."""

    def __init__(self, devices: Callable[[], list[Device]]) -> None:
        self.devices = devices
        self.dropped: set[str] = set()
        self._leased: dict[str, Counter[str]] = {}
        self._changed = threading.Condition()

    def eligible(self, placement: Placement) -> list[Device]:
        """Return the devices on which such work fits when nothing else runs there."""
        live = [device for device in self.devices() if device.name not in self.dropped]
        return [device for device in select_devices(live, placement) if device.capacity(placement)]

    def require(self, placement: Placement, patience: float) -> list[Device]:
        """Return the eligible devices; raises NoDevice if there is none for `patience` seconds."""
        end = time.monotonic() + patience
        while not (devices := self.eligible(placement)):
            if time.monotonic() > end:
                raise NoDevice(self._explain_no_device(placement))
            time.sleep(POLL_SECONDS)
        return devices

    def _explain_no_device(self, placement: Placement) -> str:
        request = ", ".join(f"{name} {value}" for name, value in placement.model_dump(exclude_none=True).items())
        devices = [f"{device.name} ({describe_resources(device.resources)})" for device in self.devices()]
        dropped = f"; dropped after faults: {', '.join(sorted(self.dropped))}" if self.dropped else ""
        return f"no device has {request}; the devices are: {'; '.join(devices) or 'none'}{dropped}"

    @contextmanager
    def lease(self, placement: Placement, patience: float) -> Iterator[Device]:
        """Lease the least loaded eligible device for the time of the block, as soon as one is free.

        Raises NoDevice if none is eligible for `patience` seconds.
        """
        with self._changed:
            while (device := self._least_loaded(placement)) is None:
                self._changed.wait(POLL_SECONDS)
                if not self.eligible(placement):
                    self._changed.release()
                    try:
                        self.require(placement, patience)
                    finally:
                        self._changed.acquire()
            demand = device.demand(placement)
            self._leases_of(device).update(demand)
        try:
            yield device
        finally:
            with self._changed:
                self._leases_of(device).subtract(demand)
                self._changed.notify_all()

    def _least_loaded(self, placement: Placement) -> Device | None:
        free = [device for device in self.eligible(placement) if self._fits(device, placement)]
        return min(free, key=lambda device: (self._load(device), device.name), default=None)

    def _fits(self, device: Device, placement: Placement) -> bool:
        leased, demand = self._leases_of(device), device.demand(placement).items()
        return all(leased[name] + amount <= device.amounts[name] + TOLERANCE for name, amount in demand)

    def _load(self, device: Device) -> float:
        return self._leases_of(device)[device.kind] / device.amounts[device.kind]

    def _leases_of(self, device: Device) -> Counter[str]:
        return self._leased.setdefault(device.name, Counter())
