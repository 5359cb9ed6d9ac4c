"""How far a run is: hours of audio read, how fast, and how long the rest will take, for Prefect and the terminal."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import cast
from uuid import UUID

from prefect.artifacts import create_progress_artifact, update_progress_artifact

from tasks.gate import seconds_to_transcribe
from winnow.roles import Role
from winnow.runs.ledger import name_of
from winnow.schema import ShardedManifest

EVERY = 2.0  # seconds between two words to the server

shown: list[Callable[[float, str], None]] = []
"""Who else is told: of the share that is done (0 to 1), and of the words for it."""


class Progress:
    """The audio that a run's passes have read, and that they are to read as far as is known."""

    def __init__(self, manifest: ShardedManifest, times: int = 1) -> None:
        """`times`: how many models read all of it."""
        self.stated = dict(zip(map(name_of, manifest.shards), manifest.seconds, strict=True))
        self.todo, self.done = times * sum(manifest.seconds), 0.0
        self.began = self.told = time.monotonic()
        self.artifact = cast(UUID, create_progress_artifact(0.0, key="progress", description=self.words))

    def read(self, shard: Path) -> None:
        """A shard was read by a model that reads all of it."""
        self.done += self.stated[name_of(shard)]
        self.tell()

    def gated(self, role: Role, shard: Path) -> None:
        """A larger model is to read some of a shard."""
        self.todo += seconds_to_transcribe(shard, role)
        self.tell()

    def larger(self, role: Role, shards: list[Path]) -> None:
        """It has read that."""
        self.done += sum(seconds_to_transcribe(shard, role) for shard in shards)
        self.tell()

    @property
    def share(self) -> float:
        return min(1.0, self.done / self.todo) if self.todo else 1.0

    @property
    def words(self) -> str:
        """Hours done, of how many, how fast, and the time left at that pace."""
        spent = time.monotonic() - self.began
        said = f"{self.done / 3600:,.2f} of {self.todo / 3600:,.2f} h of audio"
        if not self.done:
            return said
        left = spent * (1 - self.share) / self.share
        return f"{said}, RTFx {self.done / spent:,.0f}, {clock(left)} left"

    def tell(self) -> None:
        for show in shown:
            show(self.share, self.words)
        if self.share == 1.0 or time.monotonic() - self.told > EVERY:
            self.told = time.monotonic()
            update_progress_artifact(self.artifact, 100 * self.share, description=self.words)


def clock(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"
