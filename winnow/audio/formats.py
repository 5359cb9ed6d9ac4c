"""Which decoder reads which format: it is chosen by the first bytes of a file, and always the same for a format."""

import re
from pathlib import Path

import av
import soundfile

from winnow.audio.ffmpeg import FFmpegStream
from winnow.audio.libsndfile import SoundFileStream
from winnow.audio.measurements import BadAudio
from winnow.audio.mp3 import mp3_layout, skip_id3
from winnow.audio.safe_open import AudioFile
from winnow.audio.stream import AudioStream, JoinedStream

FFMPEG_ONLY = re.compile(
    rb"""
    (?P<mp3>\xff[\xe2-\xe7\xf2-\xf7\xfa-\xff]) | (?P<aac>\xff[\xf0\xf1\xf8\xf9])
    | (?P<mov>....(?:ftyp|moov|mdat|wide|free|skip)) | (?P<matroska>\x1a\x45\xdf\xa3)
    | (?P<asf>\x30\x26\xb2\x75\x8e\x66\xcf\x11) | (?P<amr>\#!AMR) | (?P<wv>wvpk)
    """,
    re.DOTALL | re.VERBOSE,
)
"""How files begin that libsndfile cannot read, by FFmpeg's demuxer; and MP3, whose length libsndfile would guess."""

FFMPEG_TOO = re.compile(rb"(?P<wav>RIFF....WAVE)|(?P<ogg>OggS)|(?P<caf>caff)", re.DOTALL)
"""How files begin that libsndfile reads, unless it does not know their codec; then FFmpeg does."""

BY_SUFFIX = {".g722": "g722", ".gsm": "gsm", ".mp3": "mp3"}
"""Formats without a header, and MP3 after bytes that do not belong to it."""


def open_stream(file: AudioFile, from_start: bool = True) -> AudioStream:
    """Open a file's audio, with the files that were appended to it; raises what the decoder raises.

    libsndfile is twice as fast for MP3, and exact if the file states its length and is read from its start.
    """
    demuxer = demuxer_of(file, FFMPEG_ONLY)
    if demuxer is None:
        return JoinedStream(open_by_libsndfile(file))
    if demuxer == "mp3" and from_start and mp3_layout(file).complete:
        return SoundFileStream(file)
    return JoinedStream(FFmpegStream(file, demuxer))


def open_by_libsndfile(file: AudioFile) -> AudioStream:
    """Open with libsndfile, or with FFmpeg if it does not know the codec, or would guess the length."""
    try:
        stream = SoundFileStream(file)
        if "MPEG" not in stream.sound.subtype:
            return stream
        error: Exception = BadAudio("AUDIO_UNREADABLE", "MPEG audio in an unknown container")
    except soundfile.SoundFileError as failure:
        error = failure
    demuxer = demuxer_of(file, FFMPEG_TOO) or BY_SUFFIX.get(Path(file.name).suffix.lower())
    if demuxer is None or file.error:
        raise error
    try:
        return FFmpegStream(file, demuxer)
    except (av.FFmpegError, BadAudio):
        raise error from None


def demuxer_of(file: AudioFile, beginnings: re.Pattern[bytes]) -> str | None:
    """Return FFmpeg's demuxer for the format with which a file begins, after tags."""
    head = file.read_at(16, 0)
    if head.startswith(b"ID3"):
        head = file.read_at(16, skip_id3(file))
    begins = beginnings.match(head)
    return begins and begins.lastgroup
