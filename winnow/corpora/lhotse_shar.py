"""Lhotse's Shar: a folder of cuts in shards, with the audio of each shard in a tar.

Lhotse's own reader loads all audio into memory; it deserializes the cuts here, while the tars are only listed.
"""

from pathlib import Path

from winnow.corpora.lhotse_cuts import LhotseCuts

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
