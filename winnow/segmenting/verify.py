"""Whether segmented recordings keep their promises: all files are hashed again, seconds and words counted from them."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec

from winnow.corpora.registry import open_source
from winnow.errors import ManifestError, OutputError
from winnow.runs import ledger
from winnow.runs.completion import SUCCESS, ledger_digest
from winnow.runs.records import Record, read_record
from winnow.runs.shard_files import read_table
from winnow.runs.storage import is_draft, sha256_if_exists
from winnow.runs.verify import Verification
from winnow.segmenting.annotations import CTM, TEXTGRIDS
from winnow.segmenting.finish import lengths_of
from winnow.segmenting.record import (
    FILES,
    LEFT_OUT,
    MANIFEST,
    SegmentReport,
    read_segment_record,
    read_segment_report,
)
from winnow.segmenting.recordings import digest_or_none
from winnow.text.words import split_words

OWN = {*FILES, CTM, TEXTGRIDS, SUCCESS, "_lock", ledger.LEDGER, ledger.STAGES, ledger.ANSWERS}


def verify_segmentation(output: Path) -> list[Verification]:
    """Check every promise of segmented recordings."""
    read = {path: read_record(path) for path in ledger.record_files(output)}
    records = [record for record in read.values() if record is not None]
    files = {name: sha256 for record in records for name, sha256 in record["files"].items()}
    damaged = [name for name, sha256 in sorted(files.items()) if sha256_if_exists(output / name) != sha256]
    try:
        report = read_segment_report(output)
    except OutputError as error:
        return [Verification(str(error), False), check_files(files, records, damaged)]
    lost = [path.stem for path, record in read.items() if record is None]
    checks = [check_records(output, records, lost, report), check_files(files, records, damaged)]
    checks += [check_file(output, name, report) for name in dict.fromkeys([*FILES, *report.sha256])]
    if all(check.holds for check in checks):
        checks += [check_seconds(output, records, report), check_words(output, records, report)]
    return [*checks, check_other_files(output), *check_text_files(records), check_corpus(output)]


def check_records(output: Path, records: list[Record], lost: list[str], report: SegmentReport) -> Verification:
    """Every record is what was written, and none was added or removed since the end."""
    if lost:
        return Verification(f"{len(lost):,} records in {output / ledger.LEDGER} are damaged: {lost[0]}", False)
    same = report.ledger == ledger_digest(output)
    problem = "" if same else "; since the output was completed, some were added or removed"
    return Verification(f"{len(records):,} records are intact{problem}", same)


def check_files(files: dict[str, str], records: list[Record], damaged: list[str]) -> Verification:
    """Every file that a record names exists and has the recorded sha256."""
    names = f"; missing or altered: {', '.join(damaged[:5])}" if damaged else ""
    return Verification(f"{len(files):,} files match their {len(records):,} records{names}", not damaged)


def check_file(output: Path, name: str, report: SegmentReport) -> Verification:
    same = report.sha256.get(name) is not None and sha256_if_exists(output / name) == report.sha256[name]
    return Verification(f"{name} is {'unchanged' if same else 'missing or altered'}", same)


def check_seconds(output: Path, records: list[Record], report: SegmentReport) -> Verification:
    """Check that the parts of each recording follow on each other from its beginning to its end."""
    lengths = lengths_of(files_of(output, records, "cut"))
    places: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for line in [*lines_of(output / MANIFEST), *lines_of(output / LEFT_OUT)]:
        if "offset" in line:
            places[line["recording"]].append((microseconds(line["offset"]), microseconds(line["duration"])))
    faulty = [name for name, length in lengths.items() if not follow(sorted(places.pop(name, [])), 1000 * length)]
    total = sum(lengths.values())
    names = f"; not those of recording {faulty[0]}" if faulty else ""
    sentence = f"the parts of {len(lengths):,} recordings follow on each other, {total / 1000:,.3f} s in total{names}"
    return Verification(sentence, not faulty and not places and total == report.milliseconds and report.balanced)


def follow(places: list[tuple[int, int]], length: int) -> bool:
    """Tell whether each place begins where the one before it ends, and they are so long in total."""
    for (start, duration), (after, _) in pairwise(places):
        if abs(start + duration - after) > 1:  # what rounding makes of offsets of recordings within files
            return False
    return sum(duration for _, duration in places) == length


def microseconds(seconds: float) -> int:
    return round(seconds * 1_000_000)


def check_words(output: Path, records: list[Record], report: SegmentReport) -> Verification:
    """Check that each word of a text is once in a segment, or in what was left out."""
    words: dict[int, Counter[str]] = defaultdict(Counter)
    for shard in files_of(output, records, "attach"):
        for row in read_table(shard, columns=["id", "text"]).to_pylist():
            words[row["id"]].update(split_words(row["text"] or ""))
    total = sum(counter.total() for counter in words.values())
    for line in [*lines_of(output / MANIFEST), *lines_of(output / LEFT_OUT)]:
        words[line["recording"]].subtract(split_words(line.get("text") or ""))
    faulty = [name for name, counter in words.items() if any(counter.values())]
    names = f"; not those of recording {faulty[0]}" if faulty else ""
    sentence = f"{total:,} words = {report.segments.words:,} in segments + {total - report.segments.words:,} left out"
    return Verification(sentence + names, not faulty and total == report.words)


def files_of(output: Path, records: list[Record], stage: str) -> list[Path]:
    """Return the files of a stage, each once: two records may name the same."""
    return [output / name for name in sorted({n for r in records if r["stage"] == stage for n in r["files"]})]


def lines_of(path: Path) -> Iterator[dict[str, Any]]:
    with path.open("rb") as lines:
        for line in lines:
            yield msgspec.json.decode(line)


def check_other_files(output: Path) -> Verification:
    """Check that no attempt left files; those of others are named, and are not part of the output."""
    foreign = [path.name for path in sorted(output.iterdir()) if path.name not in OWN]
    leftovers = [name for name in foreign if is_draft(output / name)]
    names = f"; not the command's, and not checked: {', '.join(foreign[:5])}" if foreign else ""
    return Verification(f"{len(leftovers)} files are left of attempts that died{names}", not leftovers)


def check_text_files(records: list[Record]) -> Iterator[Verification]:
    """Check that files with texts and turns are still what was read, as far as they are on this machine."""
    attached = [record.get("facts", {}) for record in records if record["stage"] == "attach"]
    read = {name: digest for facts in attached for name, digest in facts.get("read", {}).items()}
    now = {name: digest_or_none(Path(name)) for name in read}
    changed = [name for name, digest in sorted(now.items()) if digest not in (None, read[name])]
    missing = sum(digest is None for digest in now.values())
    names = f"; changed: {', '.join(changed[:5])}" if changed else ""
    absent = f"; {missing:,} are not on this machine and were not compared" if missing else ""
    if read:
        yield Verification(f"{len(read):,} files with texts or turns are what was read{names}{absent}", not changed)


def check_corpus(output: Path) -> Verification:
    """Check that the corpus is still what was segmented, if it is on this machine."""
    try:
        record = read_segment_record(output)
    except OutputError as error:
        return Verification(str(error), False)
    parameters = record["parameters"]
    manifest, columns = str(parameters["manifest"]), str(parameters["columns"])
    folder = parameters.get("relative_to") or parameters.get("audio_root")  # tars may be there
    try:
        digest = open_source(manifest, folder, columns=columns).digest()
    except (ManifestError, OSError):
        return Verification(f"{manifest} is not on this machine and was not compared", True)
    return Verification(f"{manifest} is what was segmented", digest == record["sha256"]["manifest"])
