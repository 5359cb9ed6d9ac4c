"""FFmpeg (PyAV): formats that libsndfile cannot read, and MP3, whose length it would guess.

A file is decoded to its end by one named demuxer and one of the named audio decoders. FFmpeg gets an open file and
nothing else: it can reach no other file, no playlist and no network.
"""

import io
import re
from collections import deque
from collections.abc import Iterator
from typing import Any

import av
import numpy as np
from av.container import InputContainer
from av.stream import Discard

from winnow.audio.measurements import BadAudio, Samples
from winnow.audio.mp3 import Mp3Layout, mp3_layout
from winnow.audio.mp4 import check_mp4
from winnow.audio.riff import riff_appended
from winnow.audio.safe_open import AudioFile, FileView, find_bytes
from winnow.audio.stream import AudioStream, format_changes

DECODERS = frozenset(
    """aac aac_latm ac3 adpcm_ima_qt adpcm_ima_wav adpcm_ms adpcm_swf adpcm_yamaha alac amrnb amrwb
    dca eac3 flac g722 g723_1 g726 g726le g729 gsm gsm_ms libopencore_amrnb libopencore_amrwb mp1 mp1float mp2 mp2float
    mp3 mp3float opus pcm_alaw pcm_f32be pcm_f32le pcm_f64be pcm_f64le pcm_mulaw pcm_s16be pcm_s16le pcm_s24be pcm_s24le
    pcm_s32be pcm_s32le pcm_s8 pcm_u8 qcelp speex truespeech vorbis wavpack wmalossless wmapro wmav1 wmav2
    wmavoice""".split()
)
ENCODER_DELAY = {"mp3": 1_105, "mp2": 481, "aac": 2_112}  # frames; the largest of the common encoders
UNPADDED = ("pcm_", "alac", "flac", "g72", "wavpack", "wmalossless")
HEADER_LENGTH = {"mov", "wv"}  # demuxers whose duration is in a header
CONSTANT_RATE = ("pcm_", "adpcm_", "g72", "gsm")  # codecs whose duration follows from the number of bytes
SEEK_BACK = 12  # frames of the codec that a decoder gets before those wanted; MP3 refers to nine before
TRIMMED = {"mov"}  # demuxers that state where the audio ends, but do not cut off the codec's padding after it
PRIMED = {"aac"}  # demuxers without a header that states the encoder's delay; AAC's is at least one block
BLOCK_FRAMES = 2**16  # frames decoded at once to pass over them
LAST_TIME_STAMP = 2**62
MAX_UNDECODABLE = 0.05  # share of the packets
MIN_UNDECODABLE = 20  # packets; tags in the middle of a file may look like as many

ASF_HEADER = re.compile(rb"\x30\x26\xb2\x75\x8e\x66\xcf\x11\xa6\xd9\0\xaa\0\x62\xce\x6c")


def asf_appended(file: AudioFile, start: int) -> int | None:
    """Return the byte at which another ASF (WMA) was appended, if there is one."""
    return find_bytes(file, ASF_HEADER, start + 1)


APPENDED = {"mov": check_mp4, "wav": riff_appended, "asf": asf_appended}
"""How to find another file after the first, where FFmpeg would not read it."""

SAMPLE_TYPES = {"u8": np.uint8, "s16": np.int16, "s32": np.int32, "flt": np.float32, "dbl": np.float64}
FULL_SCALE = {"u8": 2**7, "s16": 2**15, "s32": 2**31}


class Blocks(Iterator[Any]):
    """The blocks of samples (FFmpeg's frames) that a file is decoded to; packets that cannot be decoded are skipped."""

    def __init__(self, view: FileView, demuxer: str) -> None:
        options = {"protocol_whitelist": "", "format_whitelist": demuxer, "codec_whitelist": ",".join(DECODERS)}
        reader = io.BufferedReader(view, 2**16)
        self.container: InputContainer = av.open(reader, "r", demuxer, options=options, metadata_errors="ignore")
        if not self.container.streams.audio:
            raise BadAudio("AUDIO_UNREADABLE", "a file without audio")
        self.stream: Any = self.container.streams.audio[0]
        if self.stream.codec_context is None or self.stream.codec_context.name not in DECODERS:
            raise BadAudio("AUDIO_UNREADABLE", "a codec that is not supported")
        self.stream.codec_context.thread_count = 1
        for stream in self.container.streams.video:
            stream.discard = Discard.all
        self.packets = self.undecodable = 0
        self.demuxed, self.decoded = self.container.demux(self.stream), deque[Any]()

    def __next__(self) -> Any:
        while not self.decoded:
            packet = next(self.demuxed, None)
            if packet is None:
                self.check()
                raise StopIteration
            self.packets += 1
            try:
                self.decoded.extend(packet.decode())
            except av.InvalidDataError:
                self.undecodable += 1
        return self.decoded.popleft()

    def check(self) -> None:
        """Raise BadAudio if more was skipped than tags between the audio explain."""
        if self.undecodable > max(MIN_UNDECODABLE, MAX_UNDECODABLE * self.packets):
            raise BadAudio("AUDIO_UNREADABLE", f"{self.undecodable} of {self.packets} packets cannot be decoded")

    def seek(self, time_stamp: int) -> None:
        """Go to a packet at or before a time stamp of the stream."""
        self.container.seek(time_stamp, stream=self.stream)
        self.demuxed, self.decoded = self.container.demux(self.stream), deque()


class FFmpegStream(AudioStream):
    """Audio that FFmpeg decodes, from a byte of the file on."""

    def __init__(self, file: AudioFile, demuxer: str, start: int = 0) -> None:
        self.file, self.demuxer, self.start = file, demuxer, start
        mp3 = mp3_layout(file, start) if demuxer == "mp3" else Mp3Layout()
        self.next = APPENDED[demuxer](file, start) if demuxer in APPENDED else mp3.appended
        self.end = mp3.end or self.next
        self.open()
        first = self.first_block()
        if first is None:
            raise BadAudio("AUDIO_UNREADABLE", f"none of {self.blocks.packets} packets can be decoded")
        codec = self.stream.codec_context
        name = codec.name.removesuffix("float")
        self.sample_rate, self.channels = int(first.sample_rate), int(first.layout.nb_channels)
        self.full_scale = 0.999
        self.block_frames = max(codec.frame_size, first.samples)
        delay, padded = ENCODER_DELAY.get(name, 0), 0 if name.startswith(UNPADDED) else 2 * self.block_frames
        self.padding = (delay + padded) / self.sample_rate
        states_length = mp3.states_length or demuxer in HEADER_LENGTH
        states_length |= demuxer == "wav" and name.startswith(CONSTANT_RATE)
        seconds = float((self.stream.duration or 0) * self.stream.time_base) if states_length else 0.0
        self.stated = round(seconds * self.sample_rate) if seconds > 0 else None
        self.origin = self.place(first) or 0
        self.waiting: list[Samples] = []
        self.start_with(first, at=0)

    def open(self) -> None:
        """Open the file at its start."""
        self.blocks = Blocks(FileView(self.file, self.start, self.end), self.demuxer)
        self.stream = self.blocks.stream

    def first_block(self) -> Any:
        """Return the first block after the encoder's delay; None if there is none."""
        first = next(self.blocks, None)
        return next(self.blocks, first) if self.demuxer in PRIMED else first

    def place(self, block: Any) -> int | None:
        """Return the frame at which a block begins by its time stamp; None if it has none."""
        return None if block.pts is None else round(block.pts * block.time_base * block.sample_rate)

    def start_with(self, block: Any, at: int) -> None:
        """Take a block as the first, which begins at a frame."""
        self.at, self.waiting, self.waiting_frames, self.ended = at, [], 0, False
        self.take(block)

    def take(self, block: Any) -> None:
        rate, channels = int(block.sample_rate), int(block.layout.nb_channels)
        if (rate, channels) != (self.sample_rate, self.channels):
            raise format_changes(self.sample_rate, self.channels, rate, channels)
        self.waiting.append(as_samples(block))
        self.waiting_frames += block.samples

    def seek(self, frame: int) -> int:
        """Go there by time stamps; by decoding everything before it where they do not lead there."""
        early = frame - SEEK_BACK * self.block_frames
        if early > 0 and not self.seek_near(early):
            self.open()
            first = self.first_block()
            if first is not None:
                self.start_with(first, at=0)
        while self.at < frame and len(self.read(min(frame - self.at, BLOCK_FRAMES))):
            pass
        return self.at

    def seek_near(self, frame: int) -> bool:
        """Go to a frame, or a little before or after; return False if that is not possible."""
        time_stamp = int((frame + self.origin) / self.sample_rate / self.stream.time_base)
        try:
            self.blocks.seek(min(time_stamp, LAST_TIME_STAMP))
            first = next(self.blocks, None)
        except av.FFmpegError:
            return False
        place = None if first is None else self.place(first)
        if place is None or not 0 <= place - self.origin <= frame + SEEK_BACK // 2 * self.block_frames:
            return False
        self.start_with(first, at=place - self.origin)
        return True

    def read(self, most: int) -> Samples:
        ahead = round(self.padding * self.sample_rate) if self.demuxer in TRIMMED else 0
        while self.waiting_frames < most + ahead and not self.ended:
            block = next(self.blocks, None)
            if block is None:
                self.ended = True
            else:
                self.take(block)
        samples = np.concatenate([np.empty((0, self.channels), np.float32), *self.waiting])
        if self.ended and ahead and 0 < self.at + len(samples) - (self.stated or 2**63) <= ahead:
            samples = samples[: max(0, (self.stated or 0) - self.at)]
        self.at += len(samples[:most])
        self.waiting = [samples[most:]]
        self.waiting_frames = len(samples[most:])
        return samples[:most]

    def unread(self) -> str | None:
        return None

    def appended(self) -> AudioStream | None:
        return FFmpegStream(self.file, self.demuxer, self.next) if self.next is not None else None


def as_samples(block: Any) -> Samples:
    """Return a block as float32, with a row for each frame; PyAV's own arrays take ten times as long."""
    name, channels = block.format.packed.name, block.layout.nb_channels
    dtype = SAMPLE_TYPES[name]
    planes = block.planes
    if len(planes) > 1:
        rows = np.stack([np.frombuffer(plane, dtype, block.samples) for plane in planes], axis=1)
    else:
        rows = np.frombuffer(planes[0], dtype, block.samples * channels).reshape(-1, channels)
    samples = rows.astype(np.float32, copy=False)
    if name == "u8":
        samples = samples - np.float32(128)
    return samples / np.float32(FULL_SCALE[name]) if name in FULL_SCALE else samples
