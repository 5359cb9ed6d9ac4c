"""Decode audio to what a model needs: mono samples at its rate, and measurements; or the reason why it cannot be."""

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

from winnow.audio.identity import identify
from winnow.audio.measurements import AudioStats, BadAudio, Samples, Signal, measure
from winnow.audio.safe_open import TRANSIENT_ERRORS, TrackedFile, open_audio

MIN_SECONDS = 0.1
SAMPLE_RATES = range(4_000, 384_001)  # Hz
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
    """An utterance's samples at the model's rate, and what was measured before resampling.

    `identity` tells whether another pass decodes the same audio.
    """

    samples: Samples
    stats: AudioStats
    identity: str = ""

    @property
    def seconds(self) -> float:
        return self.stats.seconds


class Stream(soundfile.SoundFile):  # type: ignore[misc]
    """Audio that is read straight on: soundfile would seek after each read, which fails if a flac has no length."""

    def __init__(self, file: TrackedFile) -> None:
        self.bytes = io.BufferedReader(file, 2**16)
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
    """Decode an utterance at `rate` Hz, channels averaged: a slice of its file if there is an offset, else all of it.

    Raises BadAudio for audio that is missing, broken, longer than `longest` seconds or outside `root`, and if a stated
    `duration` is off by more than 0.1 s and 1 %, by which truncated files are found. I/O errors that may pass are
    retried after each of `delays`, in seconds.
    """
    for delay in (*delays, None):
        try:
            with open_audio(path, root) as file:
                return decode_file(file, offset, duration, rate, longest)
        except (FileNotFoundError, NotADirectoryError, ValueError) as error:  # no file's name has a NUL or surrogates
            raise BadAudio("AUDIO_MISSING", "no such file") from error
        except OSError as error:
            if delay is None or error.errno not in TRANSIENT_ERRORS:
                raise BadAudio("AUDIO_IO", describe_error(error)) from error
            time.sleep(delay)
    raise AssertionError("the last try returns or raises")


def header_duration(path: str, root: str | Path | None = None) -> float:
    """Return the seconds that a file's header states, which may be wrong; 0 if it states none or cannot be read."""
    try:
        with open_audio(path, root) as file, Stream(file) as stream:
            return float(stream.frames / stream.samplerate) if stream.frames != UNKNOWN_LENGTH else 0.0
    except MemoryError:
        raise
    except Exception:
        return 0.0  # decoding it will say what is wrong


def describe_error(error: Exception) -> str:
    """Describe an error without the path, which is in another column."""
    if isinstance(error, OSError):
        return f"{errno.errorcode.get(error.errno or 0, 'I/O error')}: {error.strerror}"
    if isinstance(error, soundfile.LibsndfileError):
        return str(error.error_string)
    return f"{type(error).__name__}: {error}"


def decode_file(file: TrackedFile, offset: float | None, duration: float | None, rate: int, longest: float) -> Clip:
    """Decode the utterance in an open file; any error of the decoder is the file's fault, unless the disk had one."""
    try:
        with Stream(file) as stream:
            return decode_utterance(stream, offset, duration, rate, longest)
    except (BadAudio, OSError, MemoryError):
        raise
    except Exception as error:
        raise BadAudio("AUDIO_UNREADABLE", describe_error(error)) from error
    finally:
        if file.error is not None:
            raise file.error


def decode_utterance(stream: Stream, offset: float | None, duration: float | None, rate: int, longest: float) -> Clip:
    """Decode from the offset to the end of the utterance; raises BadAudio if it fails a check."""
    if stream.samplerate not in SAMPLE_RATES or not 1 <= stream.channels <= MAX_CHANNELS:
        raise BadAudio("BAD_FORMAT", f"{stream.samplerate} Hz, channels: {stream.channels}")
    status = os.fstat(stream.bytes.fileno())
    available = seek_to(stream, offset)
    whole = offset is None or duration is None
    expected = available if whole else min(available, round((duration or 0.0) * stream.samplerate))
    most = int(longest * stream.samplerate)
    signal = read_signal(stream, min(expected, most + 1))
    if len(signal.samples) > most:
        raise BadAudio("TOO_LONG", f"more than {longest:g} s")
    stats = measure(signal)
    if duration is not None and abs(stats.seconds - duration) > max(0.1, 0.01 * duration):
        raise BadAudio("DURATION_MISMATCH", f"stated {duration:.2f} s, measured {stats.seconds:.2f} s", stats)
    if mismatch := header_mismatch(stream, len(signal.samples), expected, to_end=expected == available):
        raise BadAudio("BAD_HEADER", mismatch, stats)
    if stats.seconds < MIN_SECONDS:
        raise BadAudio("TOO_SHORT", f"{stats.seconds:.3f} s", stats)
    samples, identity = signal.samples, identify(status, signal.samples)
    if stream.samplerate != rate:
        samples = soxr.resample(samples, stream.samplerate, rate)
    return Clip(np.ascontiguousarray(samples, np.float32), stats, identity)


def seek_to(stream: Stream, offset: float | None) -> int:
    """Go to the offset, in seconds; return the frames from there to the end, as the header states."""
    frames, rate = int(stream.frames), int(stream.samplerate)
    if offset is None:
        return frames
    seconds = frames / rate
    if not 0 <= offset < max(seconds, 1e-9):
        raise BadAudio("BAD_OFFSET", f"offset {offset:.2f} s in a file of {seconds:.2f} s")
    start = round(offset * rate)
    try:
        stream.seek(start)
    except soundfile.SoundFileError as error:
        raise BadAudio("BAD_OFFSET", f"cannot seek to offset {offset:.2f} s") from error
    return frames - start


def read_signal(stream: Stream, most: int) -> Signal:
    """Decode up to `most` frames and average their channels.

    In blocks, since a header may state any number of frames; an utterance of a minute is one block. Raises BadAudio
    for samples that are not finite.
    """
    full_scale = FULL_SCALE.get(stream.subtype, 0.999)
    parts, peak, clipped, length = [np.empty(0, np.float32)], 0.0, 0, 0
    while length < most:
        shape = (min(most - length, BLOCK_VALUES // stream.channels), stream.channels)
        block = stream.read(out=np.empty(shape, np.float32))
        if not len(block):
            break
        loudest = max(float(block.max()), -float(block.min()))
        if not loudest < MAX_AMPLITUDE:
            raise BadAudio("NONFINITE_AUDIO", f"samples of {loudest:g}")
        if loudest >= full_scale:
            clipped += int(np.count_nonzero(np.abs(block) >= full_scale))
        parts.append(downmix(block))
        peak, length = max(peak, loudest), length + len(block)
    samples = parts[1] if len(parts) == 2 else np.concatenate(parts)
    clipped_share = clipped / max(1, length * stream.channels)
    return Signal(samples, stream.samplerate, stream.channels, peak, clipped_share)


def downmix(block: Samples) -> Samples:
    """Average the channels; column by column, since numpy's mean over rows of two takes 25 times as long."""
    total = block[:, 0]
    for channel in range(1, block.shape[1]):
        total = total + block[:, channel]
    return total / np.float32(block.shape[1]) if block.shape[1] > 1 else total


def header_mismatch(stream: Stream, length: int, expected: int, to_end: bool) -> str | None:
    """Describe how the header misstates the audio, given the frames that were read and expected.

    `to_end` tells whether they were to be all up to the end. A header that was written ahead of a stream may state any
    length.
    """
    if stream.frames != UNKNOWN_LENGTH and length < 0.99 * expected:
        rate = stream.samplerate
        return f"the header states {expected / rate:.2f} s, the file has {length / rate:.2f} s"
    if not to_end:
        return None
    if sizes := CORRECTED_SIZE.search(stream.extra_info):
        stated, actual = map(int, sizes.groups())
        if actual < 0.99 * stated and stated < STREAMED_SIZE:
            return f"the header states {stated} bytes, the file has {actual}"
    end, size = stream.bytes.tell(), os.fstat(stream.bytes.fileno()).st_size
    return f"{size - end} of {size} bytes come after the last frame" if end < size / 2 else None
