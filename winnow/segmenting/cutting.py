"""Cut recordings at their pauses."""

import numpy as np
import pyarrow as pa

from winnow.audio.decode import Slice
from winnow.audio.measurements import BadAudio
from winnow.audio.recording import read_recording
from winnow.audio.voice_activity import RATE, speech_probabilities
from winnow.segmenting.cuts import CutOptions, Piece, cut, pauses_in
from winnow.segmenting.parts import CUT, LEFT_OUT, SEGMENT, SILENCE, Part, part_of, unreadable
from winnow.segmenting.turns import Turn


def cut_recordings(rows: pa.Table, options: CutOptions, root: str | None) -> pa.Table:
    """Return the parts of all recordings (CUT), each from its beginning to its end, without gaps."""
    parts = [part for row in rows.to_pylist() for part in cut_recording(row, options, root)]
    return pa.Table.from_pylist(parts, CUT)


def cut_recording(row: Part, options: CutOptions, root: str | None) -> list[Part]:
    """Return the parts of a recording; one that cannot be read is left out as a whole."""
    if row["reason"] is not None:
        return [unreadable(row, row["reason"], row["detail"])]
    part = Slice(row["offset"], row["duration"], row["audio_channel"], row["duration_rounding"] or 0.0)
    try:
        probabilities, recording = read_recording(
            row["path"], part, RATE, lambda blocks: list(speech_probabilities(blocks)), root
        )
    except BadAudio as bad:
        return [unreadable(row, bad.reason, bad.detail)]
    row = row | {"found_path": recording.found or row["found_path"]}
    whole = np.concatenate([np.empty(0, np.float32), *probabilities])
    turns = [Turn(*turn.values()) for turn in row["turns"]] if options.by_speaker else None
    pieces = cut(whole, recording.milliseconds, options, turns)
    pauses = pauses_in(whole, pieces)
    return [as_part(row, piece, options, times) for piece, times in zip(pieces, pauses, strict=True)]


def as_part(row: Part, piece: Piece, options: CutOptions, pauses: list[int]) -> Part:
    place = piece.start, piece.end
    if piece.silent:
        return part_of(row, SILENCE, *place, reason="SILENCE")
    if options.by_speaker and len(piece.speakers) != 1:
        reason = "SEVERAL_SPEAKERS" if piece.speakers else "NO_SPEAKER"
        return part_of(row, LEFT_OUT, *place, reason=reason, ends_in_speech=piece.in_speech)
    if piece.length < options.shortest:
        return part_of(row, LEFT_OUT, *place, reason="SHORT_SPEECH", ends_in_speech=piece.in_speech)
    speaker = piece.speakers[0] if options.by_speaker else None
    return part_of(row, SEGMENT, *place, ends_in_speech=piece.in_speech, pauses=pauses, speaker=speaker)
