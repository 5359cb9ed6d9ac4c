"""Audio as the model wants it: mono samples at its rate, what was measured in them, or why there are none."""

import errno
import io
import os
import re
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import soxr

from winnow.audio.measurements import AudioStats, BadAudio, Samples, measure
from winnow.audio.safe_open import TRANSIENT_ERRORS, TrackedFile, open_regular

MIN_SECONDS = 0.1  # seconds
SAMPLE_RATES = range(4_000, 384_001)
MAX_CHANNELS = 8
MAX_AMPLITUDE = 1e9  # beyond it the power spectrum is infinite in float32
BLOCK_VALUES = 2**20  # values decoded at once, 4 MiB; a minute of 16 kHz mono

FULL_SCALE = {"PCM_U8": 0.992, "PCM_S8": 0.992, "ULAW": 0.98, "ALAW": 0.984}  # their loudest positive code
RETRY_DELAYS = (0.1, 0.4, 1.6)  # seconds before each retry of an I/O error
UNKNOWN_LENGTH = 2**63 - 1  # libsndfile's number of frames where a flac's header has none
STREAMED_SIZE = 0x7FFF_F000  # from this size on, a header was written before the end was known
CORRECTED_SIZE = re.compile(r"(?:data|SSND|Data Size) *: (\d+) \(should be (\d+)\)")  # in libsndfile's log


@dataclass(frozen=True)
class Clip:
    """One utterance's samples at the model's rate, and what was measured in the file."""

    samples: Samples
    stats: AudioStats

    @property
    def seconds(self) -> float:
        return self.stats.seconds


class Stream(soundfile.SoundFile):  # type: ignore[misc]
    """Audio read straight on: soundfile would seek after each read, which fails where a flac has no length."""

    def __init__(self, disk: TrackedFile) -> None:
        self.bytes = io.BufferedReader(disk, 2**16)
        super().__init__(self.bytes)

    def seekable(self) -> bool:
        return False


def load_clip(
    path: str,
    offset: float | None,
    duration: float | None,
    rate: int,
    longest: float,
    root: str | Path | None = None,
    delays: tuple[float, ...] = RETRY_DELAYS,
) -> Clip:
    """The utterance at `rate`, channels averaged; with an offset a slice of its file, else the whole file.

    A stated duration must be true to 0.1 s or 1 %, whichever is more: that is how truncated files are found.
    With a root, whatever lies outside it once links are followed is not opened. I/O errors that may pass are retried.
    """
    for delay in (*delays, None):
        try:
            with open_regular(path, root) as disk:
                return decode_file(disk, offset, duration, rate, longest)
        except (FileNotFoundError, NotADirectoryError, ValueError) as error:  # no file's name has a NUL or surrogates
            raise BadAudio("AUDIO_MISSING", "no such file") from error
        except OSError as error:
            if delay is None or error.errno not in TRANSIENT_ERRORS:
                raise BadAudio("AUDIO_IO", describe_error(error)) from error
            time.sleep(delay)
    raise AssertionError("the last try returns or raises")


def header_duration(path: str, root: str | Path | None = None) -> float:
    """The seconds that the file's header promises, which need not be true; 0 where it says nothing."""
    try:
        with open_regular(path, root) as disk, Stream(disk) as file:
            return float(file.frames / file.samplerate) if file.frames != UNKNOWN_LENGTH else 0.0
    except MemoryError:
        raise
    except Exception:
        return 0.0  # whatever is the matter is found when it is decoded


def describe_error(error: Exception) -> str:
    """What went wrong, without the path, which a detail must not repeat."""
    if isinstance(error, OSError):
        return f"{errno.errorcode.get(error.errno or 0, 'I/O error')}: {error.strerror}"
    if isinstance(error, soundfile.LibsndfileError):
        return str(error.error_string)
    return f"{type(error).__name__}: {error}"


def decode_file(disk: TrackedFile, offset: float | None, duration: float | None, rate: int, longest: float) -> Clip:
    """The open file's utterance; whatever the decoder throws is the file's fault, unless the disk failed it."""
    try:
        with Stream(disk) as file:
            return decode_utterance(file, offset, duration, rate, longest)
    except (BadAudio, OSError, MemoryError):
        raise
    except Exception as error:
        raise BadAudio("AUDIO_UNREADABLE", describe_error(error)) from error
    finally:
        if disk.error is not None:
            raise disk.error


def decode_utterance(file: Stream, offset: float | None, duration: float | None, rate: int, longest: float) -> Clip:
    """What lies between the offset and its end, once it has passed every check."""
    if file.samplerate not in SAMPLE_RATES or not 1 <= file.channels <= MAX_CHANNELS:
        raise BadAudio("BAD_FORMAT", f"{file.samplerate} Hz, channels: {file.channels}")
    there = seek_to(file, offset)
    wanted = there if offset is None or duration is None else min(there, round(duration * file.samplerate))
    most = int(longest * file.samplerate)
    samples, peak, clipped = downmix(file, min(wanted, most + 1))
    if len(samples) > most:
        raise BadAudio("TOO_LONG", f"more than {longest:g} s")
    stats = measure(samples, file.samplerate, file.channels, peak, clipped)
    if duration is not None and abs(stats.seconds - duration) > max(0.1, 0.01 * duration):
        raise BadAudio("DURATION_MISMATCH", f"stated {duration:.2f} s, measured {stats.seconds:.2f} s", stats)
    if lie := header_mismatch(file, len(samples), wanted, whole=wanted == there):
        raise BadAudio("BAD_HEADER", lie, stats)
    if stats.seconds < MIN_SECONDS:
        raise BadAudio("TOO_SHORT", f"{stats.seconds:.3f} s", stats)
    if file.samplerate != rate:
        samples = soxr.resample(samples, file.samplerate, rate)
    return Clip(np.ascontiguousarray(samples, np.float32), stats)


def seek_to(file: Stream, offset: float | None) -> int:
    """Go to the offset; the frames that the header promises from there, which need not be true."""
    frames, rate = int(file.frames), int(file.samplerate)
    if offset is None:
        return frames
    whole = frames / rate
    if not 0 <= offset < max(whole, 1e-9):
        raise BadAudio("BAD_OFFSET", f"offset {offset:.2f} s in a file of {whole:.2f} s")
    start = round(offset * rate)
    try:
        file.seek(start)
    except soundfile.SoundFileError as error:
        raise BadAudio("BAD_OFFSET", f"offset {offset:.2f} s is not found in the file") from error
    return frames - start


def downmix(file: Stream, most: int) -> tuple[Samples, float, float]:
    """Up to `most` frames with their channels averaged; the peak and the clipped share of the channels before that.

    In blocks, since a header may promise any number of frames; an utterance of a minute is one block.
    """
    full = FULL_SCALE.get(file.subtype, 0.999)
    parts, peak, clipped, length = [np.empty(0, np.float32)], 0.0, 0, 0
    while length < most:
        block = file.read(out=np.empty((min(most - length, BLOCK_VALUES // file.channels), file.channels), np.float32))
        if not len(block):
            break
        loudest = max(float(block.max()), -float(block.min()))
        if not loudest < MAX_AMPLITUDE:
            raise BadAudio("NONFINITE_AUDIO", f"samples of {loudest:g}")
        if loudest >= full:
            clipped += int(np.count_nonzero(np.abs(block) >= full))
        parts.append(average_channels(block))
        peak, length = max(peak, loudest), length + len(block)
    samples = parts[1] if len(parts) == 2 else np.concatenate(parts)
    return samples, peak, clipped / max(1, length * file.channels)


def average_channels(block: Samples) -> Samples:
    """The mean of the channels; column by column, since numpy's mean over rows of two takes 25 times as long."""
    total = block[:, 0]
    for channel in range(1, block.shape[1]):
        total = total + block[:, channel]
    return total / np.float32(block.shape[1]) if block.shape[1] > 1 else total


def header_mismatch(file: Stream, length: int, wanted: int, whole: bool) -> str | None:
    """How the header lies about the frames, in words; one that was written ahead of a stream may say any length."""
    if file.frames != UNKNOWN_LENGTH and length < 0.99 * wanted:
        return f"its header promises {wanted / file.samplerate:.2f} s, {length / file.samplerate:.2f} s are there"
    if not whole:
        return None
    if found := CORRECTED_SIZE.search(file.extra_info):
        promised, there = map(int, found.groups())
        if there < 0.99 * promised and promised < STREAMED_SIZE:
            return f"its header promises {promised} bytes, {there} are there"
    end, size = file.bytes.tell(), os.fstat(file.bytes.fileno()).st_size
    return f"{size - end} of its {size} bytes come after its last frame" if end < size / 2 else None
