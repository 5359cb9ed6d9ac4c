"""The audio of an exported utterance: the bytes of its file, or what was cut out of it or encoded anew.

What is cut or encoded has one channel, the one that was transcribed or the mean of all, and 16 bits: audio of 16 bits
comes out with the same samples.
"""

import io
import re
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from winnow.audio.decode import Slice, load_clip, retry_reads, tolerance
from winnow.audio.formats import open_stream
from winnow.audio.measurements import BadAudio, Samples
from winnow.audio.open_audio import open_audio
from winnow.audio.places import parse_place
from winnow.export.rows import KeptRow

LONGEST = 1e6  # seconds; a run has limited the length of utterances before
OPUS_RATES = (8_000, 12_000, 16_000, 24_000, 48_000)  # Hz
OPUS_BITS = 32_000  # per second; speech of one channel sounds as before
SUFFIX = re.compile(r"\.[a-z0-9]{1,5}")


@dataclass(frozen=True)
class Encoding:
    """How audio is written: `original`, `flac`, `wav` or `opus`, and the sample rate in Hz, if it is not the file's."""

    format: str = "original"
    rate: int | None = None


@dataclass(frozen=True)
class EncodedAudio:
    """A file of audio: its bytes, the end of its name, such as flac, and what is in it."""

    content: bytes
    suffix: str
    sample_rate: int
    frames: int
    channels: int

    @property
    def seconds(self) -> float:
        return self.frames / self.sample_rate


def audio_of(row: KeptRow, encoding: Encoding, root: str | None) -> EncodedAudio:
    """Return the audio of a row; raises BadAudio if it cannot be read any more, or is not as long as it was."""
    path, offset, seconds = row.fields["audio_filepath"], row.fields.get("offset"), row.seconds
    rounding = 0.5 if seconds.is_integer() else 0.0  # it may be written without decimals in the input
    if encoding.format == "original" and offset is None and row.channel is None:
        return retry_reads(lambda: copy_file(path, seconds, rounding, root))
    rate = encoding.rate
    clip = load_clip(path, offset, seconds, rate, LONGEST, root, channel=row.channel, rounding=rounding)
    return encode(clip.samples, rate or int(clip.stats["sample_rate"]), encoding.format)


def copy_file(path: str, seconds: float, rounding: float, root: str | None) -> EncodedAudio:
    """Read a whole file; its header must state about the seconds of the row, or it is decoded to count them."""
    try:
        with open_audio(path, root) as file:
            content, name = file.read_at(file.size, 0), file.name
            stream = open_stream(file)
            rate, channels, frames = stream.sample_rate, stream.channels, stream.stated
            allowed = tolerance(Slice(duration=seconds, rounding=rounding), stream)
            if file.error is not None:
                raise file.error
    except (FileNotFoundError, NotADirectoryError) as error:
        raise BadAudio("AUDIO_MISSING", "no such file") from error
    except (BadAudio, OSError, MemoryError):
        raise
    except Exception as error:
        raise BadAudio("AUDIO_UNREADABLE", str(error)) from error
    if frames is None or abs(frames / rate - seconds) > allowed:
        clip = load_clip(path, None, seconds, None, LONGEST, root, rounding=rounding)
        frames = len(clip.samples)
    place = parse_place(path)
    suffix = Path(place.name or place.container).suffix.lower()
    if not SUFFIX.fullmatch(suffix):
        suffix = Path(name).suffix.lower() if SUFFIX.fullmatch(Path(name).suffix.lower()) else ".audio"
    return EncodedAudio(content, suffix[1:], rate, frames, channels)


def encode(samples: Samples, rate: int, form: str) -> EncodedAudio:
    """Encode samples of one channel, with 16 bits where the format has a number of bits."""
    if form == "opus":
        return encode_opus(samples, rate)
    suffix = "wav" if form == "wav" else "flac"
    file = io.BytesIO()
    soundfile.write(file, pcm_16(samples), rate, format=suffix.upper(), subtype="PCM_16")
    return EncodedAudio(file.getvalue(), suffix, rate, len(samples), 1)


def pcm_16(samples: Samples) -> NDArray[np.int16]:
    """Return samples with 16 bits, those of a file with 16 bits unchanged: libsndfile would scale them by 32,767."""
    scaled: NDArray[np.int16] = np.clip(np.rint(samples * np.float32(32_768)), -32_768, 32_767).astype(np.int16)
    return scaled


def encode_opus(samples: Samples, rate: int) -> EncodedAudio:
    """Encode Opus in Ogg by FFmpeg: libsndfile would put a random number into the file."""
    if rate not in OPUS_RATES:
        higher = min(known for known in OPUS_RATES if known >= min(rate, OPUS_RATES[-1]))
        samples, rate = soxr.resample(samples, rate, higher), higher
    file = io.BytesIO()
    page = min(1_000_000, 400_000 * len(samples) // rate)  # µs; libsndfile reads no file whose first page is its last
    options = {"fflags": "+bitexact", "serial_offset": "1", "page_duration": str(page)}
    with av.open(file, "w", format="ogg", options=options) as container:
        stream = container.add_stream("libopus", rate=rate, layout="mono")
        stream.bit_rate = OPUS_BITS
        frame = av.AudioFrame.from_ndarray(pcm_16(samples)[None, :], format="s16", layout="mono")
        frame.sample_rate = rate
        for packet in [*stream.encode(frame), *stream.encode(None)]:
            container.mux(packet)
    return EncodedAudio(file.getvalue(), "opus", rate, len(samples), 1)
