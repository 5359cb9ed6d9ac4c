"""How far a run is: hours of audio transcribed, how fast, and the time left, for Prefect and the terminal."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self, cast
from uuid import UUID

from prefect.artifacts import create_progress_artifact, update_progress_artifact

from winnow.engines import call_progress
from winnow.models.passes import seconds_to_transcribe, seconds_transcribed
from winnow.roles import Role
from winnow.runs.ledger import files_by_stage, name_of, run_of
from winnow.runs.retry import PASS
from winnow.runs.storage import is_local
from winnow.schema import ShardedManifest
from winnow.telemetry.instruments import PASS_REMAINING

UPDATE_SECONDS = 2.0  # between two updates of the artifact

ShowProgress = Callable[[float, str], None]
"""Shows the share that is done (0 to 1), and a description of it."""

listeners: list[Callable[[str, float, str], None]] = []
"""Whatever else in this process shows progress, such as the command's bars: of each pass its name, share and words."""


class ProgressArtifact:
    """An artifact of the flow run. It is updated at most every UPDATE_SECONDS, and when everything is done."""

    def __init__(self, key: str, description: str) -> None:
        self._artifact = cast(UUID, create_progress_artifact(0.0, key=key, description=description))
        self._updated = time.monotonic()

    def show(self, share: float, description: str) -> None:
        if share == 1.0 or time.monotonic() - self._updated > UPDATE_SECONDS:
            self._updated = time.monotonic()
            update_progress_artifact(self._artifact, 100 * share, description=description)


@dataclass
class PassProgress:
    """The seconds of audio that a pass has to transcribe, as far as is known, and those that it has transcribed.

    `running` has what is transcribed of shards that are not done, `reused` what of `done` an earlier attempt did, which
    says nothing about the pace. `stated` is what the input states of all shards, `stated_done` of those that are done:
    it need not be what they have, and is assumed for utterances whose duration is not stated.
    """

    total: float = 0.0
    done: float = 0.0
    stated: float = 0.0
    stated_done: float = 0.0
    reused: float = 0.0
    running: dict[call_progress.Work, float] = field(default_factory=dict)
    began: float = field(default_factory=time.monotonic)
    latest_result: float | None = None

    def end(self, seconds: float, stated: float) -> None:
        """Count so many seconds as done, of which something else may be stated; expect the same of the others."""
        self.done += seconds
        self.stated_done += stated
        if self.is_over:
            self.total = self.done
        elif self.done and self.stated_done:
            self.total = self.done + self.done / self.stated_done * (self.stated - self.stated_done)

    @property
    def is_over(self) -> bool:
        """Whether all that the input states is done, but for errors of rounding."""
        return 0 < self.stated <= self.stated_done + 1e-3

    @property
    def transcribed(self) -> float:
        return min(self.total, self.done + sum(self.running.values()))

    @property
    def new(self) -> float:
        return max(0.0, self.transcribed - self.reused)

    @property
    def share(self) -> float:
        return self.transcribed / self.total if self.total else float(self.is_over)

    @property
    def description(self) -> str:
        """Hours done and in total, how fast, and the time left at that pace."""
        hours = f"{self.transcribed / 3600:,.2f} of {self.total / 3600:,.2f} h of audio"
        if not self.total:
            return "nothing to transcribe" if self.is_over else "nothing to transcribe yet"
        if not self.new:
            return hours if self.transcribed else f"{hours}, no result yet"
        ended = self.latest_result if self.share == 1.0 else None
        elapsed = (time.monotonic() if ended is None else ended) - self.began
        left = elapsed * (self.total - self.transcribed) / self.new
        return f"{hours}, RTFx {self.new / elapsed:,.0f}, {clock(left)} left"


class Progress:
    """How far the passes of a run are; within this block, also while they transcribe a shard."""

    def __init__(
        self, manifest: ShardedManifest, start: Callable[[str, str], ShowProgress], full_passes: tuple[Role, ...]
    ) -> None:
        """`full_passes` are the roles of the models that transcribe the whole manifest."""
        self._stated = dict(zip(map(name_of, manifest.shards), manifest.seconds, strict=True))
        self._recorded = recorded_work(manifest.shards)
        self._ended: set[call_progress.Work] = set()
        self._lock = threading.RLock()
        stated = sum(manifest.seconds)
        self.passes = {role: PassProgress(total=stated, stated=stated) for role in full_passes}
        self._show = start("progress", self.description)

    def __enter__(self) -> Self:
        call_progress.listeners.append(self.heard)
        self.tell()
        return self

    def __exit__(self, *error: object) -> None:
        call_progress.listeners.remove(self.heard)

    def of(self, role: Role) -> PassProgress:
        return self.passes.setdefault(role, PassProgress())

    def heard(self, work: call_progress.Work, seconds: float) -> None:
        """Count what a call of a model has transcribed of shards that are not done; 0 s as it begins with them."""
        with self._lock:
            if work in self._ended:  # what a worker told arrives late
                return
            part = self.of(work[0])
            if not part.new and not part.running:
                part.began = time.monotonic()
            if seconds:
                part.latest_result = time.monotonic()
            part.running[work] = part.running.get(work, 0.0) + seconds if seconds else 0.0  # also of a retry
            self.tell()

    def transcribed(self, role: Role, shard: Path) -> None:
        """Count a shard that a model has transcribed as a whole."""
        self.count(role, [shard], seconds_transcribed(shard), self._stated[name_of(shard)])

    def escalated(self, role: Role, shard: Path) -> None:
        """Add what a larger model has to transcribe of a shard."""
        seconds = seconds_to_transcribe(shard, role)
        with self._lock:
            self.of(role).total += seconds
        self.show()

    def transcribed_by_larger(self, role: Role, shards: list[Path]) -> None:
        """Count what a larger model has transcribed of these shards."""
        self.count(role, shards, sum(seconds_to_transcribe(shard, role) for shard in shards))

    def count(self, role: Role, shards: list[Path], seconds: float, stated: float = 0.0) -> None:
        """Count so many seconds of shards as done, in the place of what was counted while they ran.

        `stated` is what the input states of them, where the total of the pass was made from that.
        """
        with self._lock:
            part, names = self.of(role), tuple(map(name_of, shards))
            self._ended.add((role, names))
            transcribed_here = part.running.pop((role, names), None) is not None
            if not transcribed_here and self._recorded.issuperset((f"{PASS}{role}", name) for name in names):
                part.reused += seconds
            part.end(seconds, stated)
            if not transcribed_here:
                part.latest_result = time.monotonic()
        self.show()

    @property
    def share(self) -> float:
        total = sum(part.total for part in self.passes.values())
        return sum(part.transcribed for part in self.passes.values()) / total if total else 1.0

    @property
    def description(self) -> str:
        """Describe every pass that has something to transcribe."""
        parts = [f"{role}: {part.description}" for role, part in self.passes.items() if part.total]
        return "; ".join(parts) or "nothing to transcribe"

    def show(self) -> None:
        """Show the state of all passes in Prefect's UI and in the terminal."""
        with self._lock:
            for role, part in self.passes.items():
                PASS_REMAINING.set(part.total - part.transcribed, {"role": role})
            state = self.share, self.description
            self.tell()
        self._show(*state)

    def tell(self) -> None:
        """Show the state of each pass in the terminal."""
        for listener in listeners:
            for role, part in self.passes.items():
                listener(role, part.share, part.description)


def recorded_work(shards: list[Path]) -> set[tuple[str, str]]:
    """Return the stage and the shard of everything that a run on this machine has recorded already."""
    run = run_of(shards[0]) if shards else None
    stages = files_by_stage(run) if run and is_local(run) else {}
    return {(stage, name_of(file)) for stage, files in stages.items() for file in files}


def clock(seconds: float) -> str:
    """Format seconds as m:ss or h:mm:ss."""
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"
