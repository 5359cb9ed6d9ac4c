"""What a decoder offers: a file's audio from a frame on, as far as it goes, and what its header and codec say."""

from typing import Protocol

from winnow.audio.measurements import BadAudio, Samples

MAX_PARTS = 1_000  # files joined to one


class AudioStream(Protocol):
    """Open audio. A frame is one sample of each channel.

    `stated` is the number of frames that the header states: None if it states none, or if the decoder would guess it.
    `full_scale` is the loudest positive value of the encoding, `padding` the seconds that encoder and codec may add.
    """

    sample_rate: int
    channels: int
    stated: int | None
    full_scale: float
    padding: float

    def seek(self, frame: int) -> int:
        """Go to a frame, counted from the start, before anything is read; return it, or the end if it comes before."""

    def read(self, most: int) -> Samples:
        """Return the next frames, with a column for each channel: at least one, unless the audio has ended."""

    def unread(self) -> str | None:
        """Describe, once all frames were read, which part of the file was not although its size suggests it."""

    def appended(self) -> "AudioStream | None":
        """Return the audio of the file that was appended to this one by `cat`."""


class JoinedStream(AudioStream):
    """Audio of a file, and of those that were appended to it."""

    def __init__(self, first: AudioStream) -> None:
        self.part, self.parts = first, 1
        self.sample_rate, self.channels, self.stated = first.sample_rate, first.channels, first.stated
        self.full_scale, self.padding = first.full_scale, first.padding

    def seek(self, frame: int) -> int:
        reached = self.part.seek(frame)
        while reached < frame and self.open_next():
            reached += self.part.seek(frame - reached)
        return reached

    def read(self, most: int) -> Samples:
        block = self.part.read(most)
        while not len(block) and self.open_next():
            block = self.part.read(most)
        return block

    def open_next(self) -> bool:
        """Go on to the next part; return False if there is none. Raises BadAudio if its format is another."""
        part = self.part.appended()
        if part is None:
            return False
        if (part.sample_rate, part.channels) != (self.sample_rate, self.channels):
            raise format_changes(self.sample_rate, self.channels, part.sample_rate, part.channels)
        if self.parts == MAX_PARTS:
            raise BadAudio("AUDIO_UNREADABLE", f"more than {MAX_PARTS} files were joined to one")
        self.part, self.parts = part, self.parts + 1
        self.stated = None if self.stated is None or part.stated is None else self.stated + part.stated
        self.padding += part.padding
        return True

    def unread(self) -> str | None:
        return self.part.unread() if self.parts == 1 else None

    def appended(self) -> AudioStream | None:
        return None


def format_changes(rate: int, channels: int, next_rate: int, next_channels: int) -> BadAudio:
    """Return the error of audio whose format changes within the file."""
    return BadAudio(
        "BAD_FORMAT", f"changes from {rate} Hz, channels: {channels} to {next_rate} Hz, channels: {next_channels}"
    )
