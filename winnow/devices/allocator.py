"""Who has how much of which device. What is leased is never more than what there is."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from winnow.errors import NoDevice
from winnow.parameters.placement import Placement

POLL_SECONDS = 1.0  # seconds; devices come and go by themselves
TOLERANCE = 1e-9  # shares are sums of floats


@dataclass(frozen=True)
class Device:
    """A worker process with its device: its name, and how much it has of what (GPU, CPU, MEMORY in GB, its pools).

    One that says nothing of what it has takes one piece of work.
    """

    name: str
    has: dict[str, float] = field(default_factory=dict, hash=False)
    address: str = ""

    @property
    def kind(self) -> str:
        """What a share of the device is a share of."""
        return next((name for name in ("GPU", "CPU") if self.has.get(name)), "slot")

    @property
    def amounts(self) -> dict[str, float]:
        return {"slot": 1.0} | self.has

    def asked(self, on: Placement) -> dict[str, float]:
        """What a piece of work takes of this device, by name."""
        found = {name: on.share * self.amounts.get(name, 0.0) for name in (self.kind, on.pool) if name}
        if on.cpus:
            found["CPU"] = on.cpus
        if on.memory:
            found["MEMORY"] = on.memory
        return found

    def times(self, on: Placement) -> int:
        """How many such pieces of work it has room for."""
        asked = self.asked(on)
        return min(int(self.amounts.get(name, 0.0) / much + TOLERANCE) if much else 0 for name, much in asked.items())


def select_devices(devices: list[Device], on: Placement) -> list[Device]:
    """Those that a placement names: by name, by pool, or those with a GPU where there are any."""
    if on.device_id:
        names = {name.strip() for name in on.device_id.split(",")}
        devices = [device for device in devices if device.name in names]
    if on.pool:
        return [device for device in devices if on.pool in device.has]
    return [device for device in devices if on.device_id or device.kind == "GPU"] or devices


def describe_resources(amounts: dict[str, float]) -> str:
    return ", ".join(f"{name} {much:g}" for name, much in amounts.items()) or "a slot"


class Allocator:
    """The devices that there are, and what is taken of them."""

    def __init__(self, devices: Callable[[], list[Device]]) -> None:
        self.devices = devices
        self.dropped: set[str] = set()
        self._taken: dict[str, Counter[str]] = {}
        self._changed = threading.Condition()

    def open_to(self, on: Placement) -> list[Device]:
        """The devices that have room for such work when nothing else runs."""
        live = [device for device in self.devices() if device.name not in self.dropped]
        return [device for device in select_devices(live, on) if device.times(on)]

    def require(self, on: Placement, patience: float) -> list[Device]:
        """The devices open to such work; raises if there are none for so many seconds."""
        end = time.monotonic() + patience
        while not (found := self.open_to(on)):
            if time.monotonic() > end:
                raise NoDevice(self.missing(on))
            time.sleep(POLL_SECONDS)
        return found

    def missing(self, on: Placement) -> str:
        asked = ", ".join(f"{name} {value}" for name, value in on.model_dump(exclude_none=True).items())
        there = [f"{one.name} ({describe_resources(one.has)})" for one in self.devices()]
        dropped = f"; dropped after faults: {', '.join(sorted(self.dropped))}" if self.dropped else ""
        return f"no device has what is asked ({asked}); there are: {'; '.join(there) or 'none'}{dropped}"

    @contextmanager
    def lease(self, on: Placement, patience: float) -> Iterator[Device]:
        """A device with room, the freest one, for the time of the block; waits for one as long as there are any."""
        with self._changed:
            while (device := self._freest(on)) is None:
                self._changed.wait(POLL_SECONDS)
                if not self.open_to(on):
                    self._changed.release()
                    try:
                        self.require(on, patience)
                    finally:
                        self._changed.acquire()
            asked = device.asked(on)
            self._of(device).update(asked)
        try:
            yield device
        finally:
            with self._changed:
                self._of(device).subtract(asked)
                self._changed.notify_all()

    def _freest(self, on: Placement) -> Device | None:
        free = [device for device in self.open_to(on) if self._fits(device, on)]
        return min(free, key=lambda device: (self._load(device), device.name), default=None)

    def _fits(self, device: Device, on: Placement) -> bool:
        taken = self._of(device)
        return all(taken[name] + much <= device.amounts[name] + TOLERANCE for name, much in device.asked(on).items())

    def _load(self, device: Device) -> float:
        return self._of(device)[device.kind] / device.amounts[device.kind]

    def _of(self, device: Device) -> Counter[str]:
        return self._taken.setdefault(device.name, Counter())
