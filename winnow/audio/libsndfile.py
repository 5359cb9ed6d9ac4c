"""libsndfile: WAV, FLAC, Ogg, AIFF and other formats whose length it knows."""

import io
import re

import numpy as np
import soundfile

from winnow.audio.measurements import BadAudio, Samples
from winnow.audio.riff import riff_appended
from winnow.audio.safe_open import AudioFile, FileView, find_bytes
from winnow.audio.stream import AudioStream

FULL_SCALE = {"PCM_U8": 0.992, "PCM_S8": 0.992, "ULAW": 0.98, "ALAW": 0.984}  # their loudest positive code
UNKNOWN_LENGTH = 2**63 - 1  # libsndfile's number of frames where a flac's header has none
STREAMED_SIZE = 0x7FFF_F000  # from this size on, a header was written before the end was known
CORRECTED_SIZE = re.compile(r"(?:data|SSND|Data Size) *: (\d+) \(should be (\d+)\)")  # in libsndfile's log
BLOCK_FRAMES = re.compile(r"Samples/Block *: (\d+)")  # the same
CODEC_FRAMES = {"GSM": 320, "MPEG": 1_152, "NMS": 160}  # of codecs, by a part of their names

HEADERS = {
    "FLAC": re.compile(rb"fLaC[\0\x80]\0\0\x22"),
    "OGG": re.compile(rb"OggS\0[\x02\x06]"),
    "AU": re.compile(rb"\.snd\0\0[\0-\x0f].{4}.\0\0\0[\x01-\x1b]", re.DOTALL),
    "CAF": re.compile(rb"caff\0\x01\0\0desc"),
    "RF64": re.compile(rb"RF64\xff{4}WAVEds64"),
}
"""How files begin in formats that do not say where the file ends, but that people join by `cat`."""
READ_AHEAD = 2**14  # bytes that may be read beyond the last frame
LATER_PAGE = re.compile(rb"OggS\0[\0\x01\x04\x05]")  # before it, the streams of one Ogg file may begin


class Sound(soundfile.SoundFile):  # type: ignore[misc]
    """Audio that is read straight on: soundfile would seek after each read, which fails if a flac has no length."""

    def __init__(self, view: FileView) -> None:
        self.bytes = io.BufferedReader(view, 2**16)
        super().__init__(self.bytes)

    def seekable(self) -> bool:
        return False


class SoundFileStream(AudioStream):
    """Audio that libsndfile decodes, from a byte of the file on."""

    def __init__(self, file: AudioFile, start: int = 0) -> None:
        self.file, self.start, self.end = file, start, riff_appended(file, start)
        self.sound = Sound(FileView(file, start, self.end))
        self.format = str(self.sound.format)
        self.sample_rate, self.channels = int(self.sound.samplerate), int(self.sound.channels)
        self.stated = None if self.sound.frames == UNKNOWN_LENGTH else int(self.sound.frames)
        self.left = self.stated
        self.full_scale = FULL_SCALE.get(self.sound.subtype, 0.999)
        self.padding = 2 * self.codec_frames() / self.sample_rate

    def codec_frames(self) -> int:
        """Return the frames that the codec writes at once, with silence where there are fewer."""
        block = BLOCK_FRAMES.search(self.sound.extra_info) if "ADPCM" in self.sound.subtype else None
        codec = str(self.sound.subtype)
        return int(block[1]) if block else next((CODEC_FRAMES[name] for name in CODEC_FRAMES if name in codec), 0)

    def seek(self, frame: int) -> int:
        if self.stated is not None and frame >= self.stated:
            self.left = 0
            return self.stated
        try:
            self.sound.seek(frame)
        except soundfile.SoundFileError as error:
            raise BadAudio("BAD_OFFSET", f"cannot seek to {frame / self.sample_rate:.2f} s") from error
        self.left = None if self.left is None else self.left - frame
        return frame

    def read(self, most: int) -> Samples:
        frames = most if self.left is None else min(most, self.left)
        block: Samples = np.empty((frames, self.channels), np.float32)
        block = self.sound.read(out=block) if frames else block
        self.left = None if self.left is None else self.left - len(block)
        return block

    def unread(self) -> str | None:
        if sizes := CORRECTED_SIZE.search(self.sound.extra_info):
            stated, actual = map(int, sizes.groups())
            if actual < 0.99 * stated and stated < STREAMED_SIZE:
                return f"the header states {stated} bytes, the file has {actual}"
        end, size = self.position, self.file.size
        return f"{size - end} of {size} bytes come after the last frame" if end < size / 2 else None

    @property
    def position(self) -> int:
        """The byte of the file up to which libsndfile has read."""
        return self.start + int(self.sound.bytes.tell())

    def appended(self) -> AudioStream | None:
        if self.end is not None or self.format not in HEADERS:
            return SoundFileStream(self.file, self.end) if self.end is not None else None
        start = self.start + 1
        if self.left == 0:
            start = max(start, self.position - READ_AHEAD)
        if self.format == "OGG" and start == self.start + 1:
            start = find_bytes(self.file, LATER_PAGE, start) or start
        header = find_bytes(self.file, HEADERS[self.format], start)
        return SoundFileStream(self.file, header) if header else None
