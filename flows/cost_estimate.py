"""What a run will cost, as soon as the first shard of each model shows how fast it is."""

import logging
from pathlib import Path

from winnow.models.passes import Pass
from winnow.parameters.ensemble import Settings
from winnow.reports.cost import cost_of
from winnow.reports.formatting import format_amount
from winnow.reports.throughput import throughput_of_pass
from winnow.runs.ledger import read_records
from winnow.runs.retry import PASS

log = logging.getLogger("winnow")


class CostEstimate:
    """Logs what a pass will cost, after its first result, if a device hour has a price and the model runs on a device.

    `hours` is what the pass will transcribe, None if that is not known yet.
    """

    def __init__(self, run: Path, settings: Settings, model_pass: Pass, hours: float | None) -> None:
        self.run, self.settings, self.model_pass, self.hours = run, settings, model_pass, hours
        self._results = 0
        self._over = settings.price is None

    def add(self, result: object) -> None:
        """Note another result; as long as nothing was transcribed, look again after 2, 4, 8 … of them."""
        self._results += 1
        if self._over or self._results & (self._results - 1):
            return
        stage, role = f"{PASS}{self.model_pass.role}", self.model_pass.role
        facts = [record["facts"] for record in read_records(self.run).values() if record["stage"] == stage]
        speed = throughput_of_pass(self.model_pass.checkpoints, facts)
        cost = cost_of({role: speed}, self.settings, speed.hours)
        self._over = bool(cost and cost.per_1000_hours) or not speed.on_devices
        if cost and cost.per_1000_hours:
            log.info(describe(role, speed.hours, cost.per_1000_hours, self.hours))


def describe(role: str, measured: float, per_1000_hours: float, hours: float | None) -> str:
    """Return the estimate in one line; `hours` is what the model will transcribe, if that is known."""
    text = f"{role} model: {format_amount(per_1000_hours)} for 1,000 hours of audio"
    total = f", {format_amount(hours * per_1000_hours / 1000)} for this input" if hours else ""
    return f"{text}{total}, estimated from its first {measured:,.3f} h"
