"""Decode audio to what a model needs: mono samples at its rate, and measurements; or the reason why it cannot be."""

import errno
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

import av
import numpy as np
import soundfile
import soxr

from winnow.audio.channels import ChannelsCancel, read_signal
from winnow.audio.formats import open_stream
from winnow.audio.identity import identify
from winnow.audio.measurements import AudioStats, BadAudio, Samples, measure
from winnow.audio.open_audio import open_audio
from winnow.audio.places import find_audio
from winnow.audio.safe_open import TRANSIENT_ERRORS, AudioFile
from winnow.audio.stream import AudioStream

T = TypeVar("T")

MIN_SECONDS = 0.1
SAMPLE_RATES = range(4_000, 384_001)  # Hz
MAX_CHANNELS = 8
LONGEST_OFFSET = 1e9  # seconds; 30 years
RETRY_DELAYS = (0.1, 0.4, 1.6)  # seconds before each retry of an I/O error


@dataclass(frozen=True)
class Clip:
    """An utterance's samples at the model's rate, and what was measured before resampling.

    `identity` tells whether another pass decodes the same audio. `mended` has the keys of `winnow.schema.MENDINGS` that
    apply to the audio, and `found` the path of a file whose name is written otherwise in the input. `heard` has what
    measures found, by their columns.
    """

    samples: Samples
    stats: AudioStats
    identity: str = ""
    mended: tuple[str, ...] = ()
    found: str | None = None
    heard: Mapping[str, Any] = field(default_factory=dict)

    @property
    def seconds(self) -> float:
        return self.stats.seconds


@dataclass(frozen=True)
class Slice:
    """What of a file is an utterance: the whole of it, or `duration` seconds from `offset` on, of one channel or all.

    `rounding` is half a unit of the last digit in which the duration was written.
    """

    offset: float | None = None
    duration: float | None = None
    channel: int | None = None
    rounding: float = 0.0

    @property
    def from_start(self) -> bool:
        """Whether the utterance begins with the file."""
        return not self.offset

    @property
    def whole(self) -> bool:
        """Whether the utterance goes on to the end of the file."""
        return self.offset is None or self.duration is None


def load_clip(
    path: str,
    offset: float | None,
    duration: float | None,
    rate: int | None,
    longest: float,
    root: str | Path | None = None,
    delays: tuple[float, ...] = RETRY_DELAYS,
    channel: int | None = None,
    rounding: float = 0.0,
) -> Clip:
    """Decode an utterance at `rate` Hz: a slice of its file if there is an offset, else all of it.

    Without a rate, it is that of the file. It is the given channel, counted from 0, or the mean of all. Raises BadAudio
    for audio that is missing, broken, longer than `longest` seconds or outside `root`, and for a stated `duration` that
    is off by more than `tolerance`: often the file is truncated. I/O errors that may pass are retried after each of
    `delays`, in seconds.
    """
    part = Slice(offset, duration, channel, rounding)
    return retry_reads(lambda: load_part(path, part, rate, longest, root), delays)


def retry_reads(read: Callable[[], T], delays: tuple[float, ...] = RETRY_DELAYS) -> T:
    """Return what is read; I/O errors that may pass are retried after each of `delays`, others are BadAudio."""
    for delay in (*delays, None):
        try:
            return read()
        except OSError as error:
            if delay is None or error.errno not in TRANSIENT_ERRORS:
                raise BadAudio("AUDIO_IO", describe_error(error)) from error
            time.sleep(delay)
    raise AssertionError("the last try returns or raises")


def load_part(path: str, part: Slice, rate: int | None, longest: float, root: str | Path | None) -> Clip:
    """Decode the utterance in the file at a path, or in the one that the path means (`find_audio`)."""
    try:
        with open_audio(path, root) as file:
            return decode_file(file, part, rate, longest)
    except (FileNotFoundError, NotADirectoryError, ValueError) as error:  # no file's name has a NUL or surrogates
        found = find_audio(path)
        if found is None or found == path:
            raise BadAudio("AUDIO_MISSING", "no such file") from error
    clip = load_part(found, part, rate, longest, root)
    return replace(clip, mended=("FILE_NAME", *clip.mended), found=found)


def header_duration(path: str, root: str | Path | None = None) -> float:
    """Return the seconds that a file's header states, which may be wrong; 0 if it states none or cannot be read."""
    try:
        with open_audio(path, root) as file:
            stream = open_stream(file)
            return (stream.stated or 0) / stream.sample_rate
    except MemoryError:
        raise
    except Exception:
        return 0.0  # decoding it will say what is wrong


def describe_error(error: Exception) -> str:
    """Describe an error without the path, which is in another column."""
    if isinstance(error, soundfile.LibsndfileError):
        return str(error.error_string)
    if isinstance(error, av.FFmpegError):
        return f"{error.strerror}."
    if isinstance(error, OSError):
        return f"{errno.errorcode.get(error.errno or 0, 'I/O error')}: {error.strerror}"
    return f"{type(error).__name__}: {error}"


def decode_file(file: AudioFile, part: Slice, rate: int | None, longest: float) -> Clip:
    """Decode the utterance in an open file; any error of the decoder is the file's fault, unless the disk had one."""
    try:
        try:
            return decode_utterance(open_stream(file, part.from_start), part, rate, longest, file.identity)
        except ChannelsCancel as found:
            part = replace(part, channel=found.loudest)
            clip = decode_utterance(open_stream(file, part.from_start), part, rate, longest, file.identity)
            return replace(clip, mended=("CHANNELS_CANCEL",))
    except av.FFmpegError as error:
        raise BadAudio("AUDIO_UNREADABLE", describe_error(error)) from error
    except (BadAudio, OSError, MemoryError):
        raise
    except Exception as error:
        raise BadAudio("AUDIO_UNREADABLE", describe_error(error)) from error
    finally:
        if file.error is not None:
            raise file.error


def decode_utterance(stream: AudioStream, part: Slice, rate: int | None, longest: float, file_identity: str) -> Clip:
    """Decode from the offset to the end of the utterance; raises BadAudio if it fails a check.

    `file_identity` is that of the file when it was opened.
    """
    if stream.sample_rate not in SAMPLE_RATES or not 1 <= stream.channels <= MAX_CHANNELS:
        raise BadAudio("BAD_FORMAT", f"{stream.sample_rate} Hz, channels: {stream.channels}")
    if part.channel is not None and not 0 <= part.channel < stream.channels:
        raise BadAudio("BAD_CHANNEL", f"channel {part.channel}, counted from 0, of a file with {stream.channels}")
    start = seek_to(stream, part.offset)
    most = int(longest * stream.sample_rate)
    wanted = None if part.whole else round((part.duration or 0.0) * stream.sample_rate)
    signal = read_signal(stream, most + 1 if wanted is None else min(most + 1, wanted), part.channel)
    length = len(signal.samples)
    if length > most:
        raise BadAudio("TOO_LONG", f"more than {longest:g} s")
    if start and not length and wanted != 0:
        raise bad_offset(part.offset, start / stream.sample_rate)
    stats = measure(signal)
    if part.duration is not None and abs(stats.seconds - part.duration) > tolerance(part, stream):
        raise BadAudio("DURATION_MISMATCH", f"stated {part.duration:.2f} s, measured {stats.seconds:.2f} s", stats)
    if mismatch := header_mismatch(stream, start, length, wanted):
        raise BadAudio("BAD_HEADER", mismatch, stats)
    if stats.seconds < MIN_SECONDS:
        raise BadAudio("TOO_SHORT", f"{stats.seconds:.3f} s", stats)
    samples, identity = signal.samples, identify(file_identity, signal.samples)
    if rate is not None and stream.sample_rate != rate:
        samples = resample(samples, stream.sample_rate, rate)
    return Clip(np.ascontiguousarray(samples, np.float32), stats, identity)


def resample(samples: Samples, before: int, after: int) -> Samples:
    """Return samples at another rate, both in Hz."""
    resampled: Samples = np.ascontiguousarray(soxr.resample(samples, before, after), np.float32)
    return resampled


def tolerance(part: Slice, stream: AudioStream) -> float:
    """Return by how many seconds the audio may differ from the stated duration.

    0.1 s, 1 %, what the codec adds to the end of a file (two of its frames, and the delay of its encoder), or half a
    unit of the last digit in which the duration is written.
    """
    padding = stream.padding if part.whole else 0.0
    return max(0.1, 0.01 * (part.duration or 0.0), padding, part.rounding)


def seek_to(stream: AudioStream, offset: float | None) -> int:
    """Go to the offset, in seconds; return its frame."""
    if offset is None:
        return 0
    if not offset >= 0:
        raise bad_offset(offset, stream.stated and stream.stated / stream.sample_rate)
    start = round(min(offset, LONGEST_OFFSET) * stream.sample_rate)
    reached = stream.seek(start) if start else 0
    if reached < start or stream.stated == 0:
        raise bad_offset(offset, reached / stream.sample_rate)
    return start


def bad_offset(offset: float | None, seconds: float | None) -> BadAudio:
    """Return the error of an offset outside the audio, whose length is given if it is known."""
    place = "" if seconds is None else f" in a file of {seconds:.2f} s"
    return BadAudio("BAD_OFFSET", f"offset {offset:.2f} s{place}")


def header_mismatch(stream: AudioStream, start: int, length: int, wanted: int | None) -> str | None:
    """Describe how the header misstates the audio, of which `length` frames from `start` were read, of those wanted.

    With None, all up to the end were wanted. A header that was written ahead of a stream may state any length.
    """
    if stream.stated is not None:
        expected = stream.stated - start if wanted is None else min(wanted, stream.stated - start)
        if length < 0.99 * expected:
            rate = stream.sample_rate
            return f"the header states {expected / rate:.2f} s, the file has {length / rate:.2f} s"
    return stream.unread() if wanted is None or length < wanted else None
