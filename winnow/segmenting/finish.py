"""Finish a segmentation: write the files, count, and mark the output as complete."""

from collections.abc import Iterator
from pathlib import Path

from winnow.errors import CountMismatch
from winnow.runs import ledger
from winnow.runs.records import read_record
from winnow.runs.shard_files import read_table
from winnow.segmenting.annotations import CTM, TEXTGRIDS, write_ctm, write_textgrids
from winnow.segmenting.manifest import write_files
from winnow.segmenting.parts import Part
from winnow.segmenting.record import SegmentReport, complete_segmentation


def finish(
    output: Path, cut: list[Path], placed: list[Path], loaded: list[Path], ctm: bool = False, textgrids: bool = False
) -> SegmentReport:
    """Write the manifest, the list of other parts, and other forms if they are asked for.

    Raises CountMismatch if seconds or words were lost.
    """
    report = write_files(output, placed, loaded, lengths_of(cut))
    if not report.balanced:
        raise CountMismatch(f"{output}: seconds or words of recordings were lost: {report.table}")
    invalidate_others(output, {"cut": cut, "place": placed, "attach": loaded})
    others = [write_ctm(output / CTM, parts_of(placed))] if ctm else []
    others += write_textgrids(output / TEXTGRIDS, parts_of(placed)) if textgrids else []
    return complete_segmentation(output, report, [str(path.relative_to(output)) for path in others])


def parts_of(placed: list[Path]) -> Iterator[Part]:
    """Yield the parts of all recordings, shard by shard."""
    for shard in placed:
        yield from read_table(shard).to_pylist()


def invalidate_others(output: Path, used: dict[str, list[Path]]) -> None:
    """Invalidate records of these stages with other files, such as those of another version, which count no more."""
    for path in ledger.record_files(output):
        record = read_record(path)
        files = {output / name for name in record["files"]} if record else set()
        if record is None or not files <= set(used.get(record["stage"], files)):
            ledger.invalidate(path)


def lengths_of(cut: list[Path]) -> dict[int, int]:
    """Return the length of each recording that could be read, in milliseconds, from the parts that it was cut into."""
    lengths: dict[int, int] = {}
    for shard in cut:
        parts = read_table(shard, columns=["id", "end_ms"])
        for recording, end in zip(parts["id"].to_pylist(), parts["end_ms"].to_pylist(), strict=True):
            if end is not None:
                lengths[recording] = max(end, lengths.get(recording, 0))
    return lengths
