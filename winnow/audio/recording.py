"""Read a recording of any length in blocks, so that hours of audio never have to fit into memory."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import av
import numpy as np
import soxr

from winnow.audio.channels import ChannelsCancel, Tally, read_blocks
from winnow.audio.decode import (
    MAX_CHANNELS,
    RETRY_DELAYS,
    SAMPLE_RATES,
    Slice,
    bad_offset,
    describe_error,
    header_mismatch,
    retry_reads,
    seek_to,
    tolerance,
)
from winnow.audio.formats import open_stream
from winnow.audio.measurements import BadAudio, Samples
from winnow.audio.open_audio import open_audio
from winnow.audio.places import find_audio
from winnow.audio.safe_open import AudioFile
from winnow.audio.stream import AudioStream

T = TypeVar("T")

LONGEST = 10**12  # frames, more than any file has


@dataclass(frozen=True)
class Recording:
    """A recording that was read to its end: its length, and where its file is if its name is written otherwise."""

    milliseconds: int
    sample_rate: int
    found: str | None = None


Consume = Callable[[Iterator[Samples]], T]
"""What takes the blocks of mono samples, all of them. It may be called again: with other samples, or after an error."""


def read_recording(
    path: str,
    part: Slice,
    rate: int,
    consume: Consume[T],
    root: str | Path | None = None,
    delays: tuple[float, ...] = RETRY_DELAYS,
) -> tuple[T, Recording]:
    """Decode a recording at `rate` Hz, in blocks that `consume` takes; return what that returns, and the length.

    Raises BadAudio as `load_clip` does. I/O errors that may pass are retried after each of `delays`, in seconds.
    """
    return retry_reads(lambda: read_file(path, part, rate, consume, root), delays)


def read_file(path: str, part: Slice, rate: int, consume: Consume[T], root: str | Path | None) -> tuple[T, Recording]:
    """Decode the recording in the file at a path, or in the one that the path means (`find_audio`)."""
    try:
        file = open_audio(path, root)
    except (FileNotFoundError, NotADirectoryError, ValueError) as error:  # no file's name has a NUL or surrogates
        found = find_audio(path)
        if found is None or found == path:
            raise BadAudio("AUDIO_MISSING", "no such file") from error
        result, recording = read_file(found, part, rate, consume, root)
        return result, replace(recording, found=found)
    with file:
        try:
            return read_open_file(file, part, rate, consume)
        except ChannelsCancel as cancel:
            return read_open_file(file, replace(part, channel=cancel.loudest), rate, consume)


def read_open_file(file: AudioFile, part: Slice, rate: int, consume: Consume[T]) -> tuple[T, Recording]:
    with decoder_errors(file):
        stream = open_stream(file, part.from_start)
        start = start_of(stream, part)
    wanted = None if part.whole else round((part.duration or 0.0) * stream.sample_rate)
    tally = Tally(np.zeros(stream.channels + 1))
    blocks = decoded_blocks(file, stream, part, wanted, tally)
    result = consume(blocks if stream.sample_rate == rate else resampled(blocks, stream.sample_rate, rate))
    if start and not tally.length and wanted != 0:
        raise bad_offset(part.offset, start / stream.sample_rate)
    seconds = tally.length / stream.sample_rate
    if part.duration is not None and abs(seconds - part.duration) > tolerance(part, stream):
        raise BadAudio("DURATION_MISMATCH", f"stated {part.duration:.2f} s, measured {seconds:.2f} s")
    with decoder_errors(file):
        if mismatch := header_mismatch(stream, start, tally.length, wanted):
            raise BadAudio("BAD_HEADER", mismatch)
    return result, Recording(1000 * tally.length // stream.sample_rate, stream.sample_rate)


def start_of(stream: AudioStream, part: Slice) -> int:
    """Check the format and go to the beginning of the recording; return its frame."""
    if stream.sample_rate not in SAMPLE_RATES or not 1 <= stream.channels <= MAX_CHANNELS:
        raise BadAudio("BAD_FORMAT", f"{stream.sample_rate} Hz, channels: {stream.channels}")
    if part.channel is not None and not 0 <= part.channel < stream.channels:
        raise BadAudio("BAD_CHANNEL", f"channel {part.channel}, counted from 0, of a file with {stream.channels}")
    return seek_to(stream, part.offset)


def decoded_blocks(
    file: AudioFile, stream: AudioStream, part: Slice, wanted: int | None, tally: Tally
) -> Iterator[Samples]:
    """Yield the samples as they are decoded: their mean over the channels, or those of one."""
    with decoder_errors(file):
        yield from read_blocks(stream, LONGEST if wanted is None else wanted, part.channel, tally)


def resampled(blocks: Iterator[Samples], rate: int, target: int) -> Iterator[Samples]:
    """Resample blocks; the result does not depend on how the samples are cut into them."""
    resampler = soxr.ResampleStream(rate, target, 1, dtype="float32")
    for block in blocks:
        yield resampler.resample_chunk(np.ascontiguousarray(block, np.float32))
    yield resampler.resample_chunk(np.empty(0, np.float32), last=True)


@contextmanager
def decoder_errors(file: AudioFile) -> Iterator[None]:
    """Turn any error of a decoder into BadAudio, unless the disk had one."""
    try:
        yield
    except av.FFmpegError as error:
        raise BadAudio("AUDIO_UNREADABLE", describe_error(error)) from error
    except (BadAudio, ChannelsCancel, OSError, MemoryError):
        raise
    except Exception as error:
        raise BadAudio("AUDIO_UNREADABLE", describe_error(error)) from error
    finally:
        if file.error is not None:
            raise file.error
