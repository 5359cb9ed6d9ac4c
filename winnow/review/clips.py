"""The audio of a row as a browser plays it, and the picture of it that a page draws."""

import base64
import tempfile
import threading
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from winnow.audio.audio_cache import AUDIO_CACHE
from winnow.audio.decode import Clip, load_clip, resample
from winnow.audio.measurements import BadAudio, Samples
from winnow.listening.measure import RATE
from winnow.listening.mel import mel_power
from winnow.parameters.ensemble import Settings

MOST_CLIPS = 64
COLUMNS = 800
"""Of a picture, at most: pairs of the lowest and the highest sample, and columns of the spectrogram."""

BANDS, FRAME, HOP = 64, 400, 160
FLOOR = -80.0  # decibels below the loudest


class Clips:
    """Decodes the audio of rows wherever it lies, and keeps the last few as WAV files in a temporary folder."""

    def __init__(self, settings: Settings) -> None:
        self._root, self._longest = settings.audio_root, settings.engine.max_seconds
        AUDIO_CACHE.limit = settings.audio.cache_bytes
        self._folder = tempfile.TemporaryDirectory(prefix="winnow-review-")
        self._files: OrderedDict[int, Path] = OrderedDict()
        self._lock = threading.Lock()

    def wav(self, row: dict[str, Any]) -> Path:
        """Return a WAV file with the audio of a row, cut at its offset and duration; raises BadAudio."""
        with self._lock:
            if (file := self._files.get(row["id"])) is None:
                clip = self.load(row, None)
                file = Path(self._folder.name) / f"{row['id']}.wav"
                rate = round(len(clip.samples) / clip.seconds)
                soundfile.write(file, np.clip(clip.samples, -1, 1), rate, subtype="PCM_16")
                self._files[row["id"]] = file
            self._files.move_to_end(row["id"])
            while len(self._files) > MOST_CLIPS:
                self._files.popitem(last=False)[1].unlink(missing_ok=True)
            return file

    def load(self, row: dict[str, Any], rate: int | None) -> Clip:
        """Decode the audio of a row; raises BadAudio."""
        if not row["path"]:  # its line in the manifest names none
            raise BadAudio("AUDIO_MISSING", row["detail"] or "its line names no audio")
        return load_clip(
            row["path"],
            row["offset"],
            row["duration"],
            rate,
            self._longest,
            self._root,
            channel=row["audio_channel"],
            rounding=row["duration_rounding"] or 0.0,
        )

    def picture(self, row: dict[str, Any]) -> dict[str, Any]:
        """Return the waveform and the spectrogram of a row's audio; raises BadAudio."""
        samples, rate = soundfile.read(self.wav(row), dtype="float32")
        return picture_of(samples, rate)

    def close(self) -> None:
        self._folder.cleanup()


def picture_of(samples: Samples, rate: int) -> dict[str, Any]:
    """Return the waveform as pairs of -127 to 127, and the spectrogram as bytes in base64, column by column.

    A byte is a level in decibels, 0 for FLOOR and 255 for the loudest; the first of a column is the lowest of BANDS.
    """
    edges = np.linspace(0, len(samples), min(COLUMNS, max(1, len(samples))) + 1).astype(int)[:-1]
    peaks = np.stack([np.minimum.reduceat(samples, edges), np.maximum.reduceat(samples, edges)], axis=1)
    heard = samples if rate == RATE else resample(samples, rate, RATE)
    power = mel_power(heard, FRAME, max(HOP, -(-len(heard) // COLUMNS)), BANDS)
    levels = 10 * np.log10(np.maximum(power, 1e-10))
    levels = (np.clip(levels - levels.max(), FLOOR, 0) / -FLOOR + 1) * 255
    return {
        "seconds": len(samples) / rate,
        "peaks": np.round(127 * np.clip(peaks, -1, 1)).astype(int).ravel().tolist(),
        "bands": BANDS,
        "spectrogram": base64.b64encode(levels.astype(np.uint8).tobytes()).decode(),
    }
