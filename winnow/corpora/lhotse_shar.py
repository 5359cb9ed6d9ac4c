"""Lhotse's Shar: a folder of cuts in shards, with the audio of each shard in a tar.

Lhotse's own reader loads all audio into memory; it deserializes the cuts here, while the tars are only listed.
"""

import logging
from collections.abc import Iterator
from pathlib import Path

from winnow.corpora.lhotse_cuts import LhotseCuts

log = logging.getLogger("winnow")

CUTS = "cuts*.jsonl*"


class LhotseShar(LhotseCuts):
    """A folder that `CutSet.to_shar` wrote. A cut whose audio is not in its tar is AUDIO_MISSING."""

    form = "Lhotse Shar"

    @staticmethod
    def claims(location: str) -> bool:
        path = Path(location)
        return "://" not in location and path.is_dir() and any(path.glob(CUTS))

    def manifests(self) -> list[Path]:
        return sorted(Path(self.location).glob(CUTS))

    def lines(self) -> Iterator[bytes]:
        folder = Path(self.location)
        names = {file.name.partition(".")[0] for pattern in ("*.tar", "*.jsonl*") for file in folder.glob(pattern)}
        if others := sorted(names - {"cuts", "recording"}):
            log.warning("%s: fields in files of their own are left out: %s", self.location, ", ".join(others))
        yield from super().lines()
