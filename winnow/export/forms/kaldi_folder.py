"""Kaldi data folders: `wav.scp`, `text`, `utt2spk` and more, with `segments` if the audio stays where it is.

Ids are unique and all lists are sorted by bytes, as Kaldi requires. An utterance's id begins with its speaker, so that
sorting by one sorts by the other.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from winnow.errors import OptionError
from winnow.export.form import Entry, Example, ExportContext, ExportShard, ShardEntries
from winnow.export.forms.nemo_manifest import check_nameable, save_audio
from winnow.export.rows import KeptRow

Lists = dict[str, dict[str, str]]
"""The lists of a folder by the names of their files; each has a value for each id."""


class KaldiFolder:
    """A folder of lists for each part. The paths in `wav.scp` are absolute."""

    default_part = ""

    def write(
        self, shard: ExportShard, examples: Iterator[Example], root: Path, context: ExportContext
    ) -> Iterator[Entry]:
        for example in examples:
            row = example.row
            if example.audio is None:
                check_whole_recording(row)
                place = {"path": row.fields["audio_filepath"]}
            else:
                folder = "/".join([context.final, *([shard.folder] if shard.folder else [])])
                place = {"path": f"{folder}/{save_audio(example, shard, root)}"}
            if any(character.isspace() for character in place["path"]):
                raise OptionError(f"{place['path']}: Kaldi cannot read a path with spaces: use another form or folder")
            yield example.entry(place["path"]) | place | kaldi_ids(row)

    def finish(self, shards: ShardEntries, root: Path, context: ExportContext) -> None:
        for part in dict.fromkeys(shard.part for shard, _ in shards):
            members = [entries for shard, entries in shards if shard.part == part]
            rows = (entry for entries in members for entry in entries())
            folder = root / part
            folder.mkdir(parents=True, exist_ok=True)
            for name, values in lists_of(rows, context.settings.audio == "reference").items():
                (folder / name).write_bytes(
                    b"".join(sorted(f"{key} {value}\n".encode() for key, value in values.items()))
                )


def lists_of(entries: Iterable[Entry], segmented: bool) -> Lists:
    """Return the lists of a part; with `segmented`, an utterance is a segment of a recording that others may share."""
    names = ("wav.scp", "text", "utt2spk", "utt2dur", "utt2lang", *(("segments",) if segmented else ()))
    lists: Lists = {name: {} for name in names}
    recordings: dict[str, str] = {}
    speakers: dict[str, list[str]] = {}
    for entry in entries:
        key, speaker = entry["utterance"], entry["kaldi_speaker"]
        lists["text"][key] = " ".join(str(entry["text"]).split())
        lists["utt2spk"][key] = speaker
        lists["utt2dur"][key] = f"{entry['duration']:.6g}"
        speakers.setdefault(speaker, []).append(key)
        if entry.get("lang"):
            lists["utt2lang"][key] = "".join(str(entry["lang"]).split())
        recording = key
        if segmented:
            recording = recordings.setdefault(entry["path"], key)
            start = entry.get("offset") or 0.0
            lists["segments"][key] = f"{recording} {start:.6f} {start + entry['duration']:.6f}"
        lists["wav.scp"][recording] = entry["path"]
    lists["spk2utt"] = {speaker: " ".join(sorted(keys, key=str.encode)) for speaker, keys in speakers.items()}
    if len(lists["utt2lang"]) < len(lists["text"]):
        del lists["utt2lang"]  # a list must have all
    return lists


def kaldi_ids(row: KeptRow) -> dict[str, Any]:
    """Return the ids of an utterance and of its speaker: each utterance is a speaker where none is known."""
    if row.speaker is None:
        return {"utterance": row.key, "kaldi_speaker": row.key}
    speaker = "".join(character if is_plain(character) else escape(character) for character in row.speaker)
    return {"utterance": f"{speaker}-{row.key}", "kaldi_speaker": speaker}


def is_plain(character: str) -> bool:
    """Tell whether a character may be in a speaker's id: all of them sort behind the hyphen that ends the id."""
    return character.isalnum() or character == "_"


def escape(character: str) -> str:
    return "".join(f".{byte:02X}" for byte in character.encode())


def check_whole_recording(row: KeptRow) -> None:
    """Raise OptionError if Kaldi could not open the audio of a row, or would read more than its channel."""
    check_nameable(row)
    if row.channel is not None:
        raise OptionError(
            f"--audio reference: {row.fields['audio_filepath']}: one channel of a file: use --audio original"
        )
