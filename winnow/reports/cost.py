"""What a run cost, where the price of a device hour is known."""

from pydantic import BaseModel

from winnow.parameters.curation import Curation
from winnow.parameters.ensemble import Settings
from winnow.reports.throughput import Throughput
from winnow.roles import Role


class Cost(BaseModel, frozen=True):
    """The cost of all passes in the currency of `price`, that of a device hour.

    `device_hours` is the time that shards took, times their share of a device: not that in which a device loads a model
    or has nothing to do, nor that of attempts that failed. `per_1000_hours` is for audio like this run's; None if
    nothing was transcribed.
    """

    price: float
    device_hours: float
    amount: float
    per_1000_hours: float | None


def cost_of(speed: dict[Role, Throughput], settings: Settings, hours: float) -> Cost | None:
    """Return the cost of passes over so many hours of audio; None if no price is given."""
    if settings.price is None:
        return None
    device_hours = sum(device_seconds(passed) * share_of(role, settings) for role, passed in speed.items()) / 3600
    amount = device_hours * settings.price
    per_1000_hours = 1000 * amount / hours if hours else None
    return Cost(price=settings.price, device_hours=device_hours, amount=amount, per_1000_hours=per_1000_hours)


def device_seconds(passed: Throughput) -> float:
    """Return the seconds of those models of a pass that ran on devices of the run."""
    return sum(model.seconds for model in passed.models or [passed] if model.on_devices)


def share_of(role: Role, settings: Settings) -> float:
    """Return the share of a device that a shard takes in the pass of this role."""
    if not isinstance(settings, Curation):
        return settings.models_placement.share
    return (settings.small_placement if role == "small" else settings.large_placement).share
