"""How far a run is: hours of audio transcribed, how fast, and the time left, for Prefect and the terminal."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import cast
from uuid import UUID

from prefect.artifacts import create_progress_artifact, update_progress_artifact

from winnow.models.passes import seconds_to_transcribe
from winnow.roles import Role
from winnow.runs.ledger import name_of
from winnow.schema import ShardedManifest

UPDATE_SECONDS = 2.0  # between two updates of the artifact

ShowProgress = Callable[[float, str], None]
"""Shows the share that is done (0 to 1), and a description of it."""

listeners: list[ShowProgress] = []
"""Whatever else in this process shows the progress of flow runs, such as the command's progress bar."""


class ProgressArtifact:
    """An artifact of the flow run. It is updated at most every UPDATE_SECONDS, and when everything is done."""

    def __init__(self, key: str, description: str) -> None:
        self._artifact = cast(UUID, create_progress_artifact(0.0, key=key, description=description))
        self._updated = time.monotonic()

    def show(self, share: float, description: str) -> None:
        for listener in listeners:
            listener(share, description)
        if share == 1.0 or time.monotonic() - self._updated > UPDATE_SECONDS:
            self._updated = time.monotonic()
            update_progress_artifact(self._artifact, 100 * share, description=description)


class Progress:
    """The seconds of audio that a run's passes have transcribed, and those that they have to, as far as is known."""

    def __init__(
        self, manifest: ShardedManifest, start: Callable[[str, str], ShowProgress], full_passes: int = 1
    ) -> None:
        """`full_passes` is the number of models that transcribe the whole manifest."""
        self._stated = dict(zip(map(name_of, manifest.shards), manifest.seconds, strict=True))
        self.total, self.done = full_passes * sum(manifest.seconds), 0.0
        self._began = time.monotonic()
        self._show = start("progress", self.description)

    def transcribed(self, shard: Path) -> None:
        """Count a shard that a model has transcribed as a whole."""
        self.done += self._stated[name_of(shard)]
        self.show()

    def escalated(self, role: Role, shard: Path) -> None:
        """Add what a larger model has to transcribe of a shard."""
        self.total += seconds_to_transcribe(shard, role)
        self.show()

    def transcribed_by_larger(self, role: Role, shards: list[Path]) -> None:
        """Count what a larger model has transcribed of these shards."""
        self.done += sum(seconds_to_transcribe(shard, role) for shard in shards)
        self.show()

    @property
    def share(self) -> float:
        return min(1.0, self.done / self.total) if self.total else 1.0

    @property
    def description(self) -> str:
        """Hours done and in total, how fast, and the time left at that pace."""
        elapsed = time.monotonic() - self._began
        hours = f"{self.done / 3600:,.2f} of {self.total / 3600:,.2f} h of audio"
        if not self.done:
            return hours
        left = elapsed * (1 - self.share) / self.share
        return f"{hours}, RTFx {self.done / elapsed:,.0f}, {clock(left)} left"

    def show(self) -> None:
        self._show(self.share, self.description)


def clock(seconds: float) -> str:
    """Format seconds as m:ss or h:mm:ss."""
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"
