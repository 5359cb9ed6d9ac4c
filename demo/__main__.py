"""The demo: curate a corpus whose wrong references are known, and print how many of them were found.

python -m demo
"""

import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from cli.console import console
from cli.run import curate
from winnow.errors import RunMismatch
from winnow.parameters.curation import Curation
from winnow.reports.summary import Report

HERE = Path(__file__).parent


def main() -> None:
    """Curate the demo corpus into demo/run and print recall and precision."""
    settings = Curation(
        manifest=HERE / "corpus" / "manifest.jsonl",
        output=HERE / "run",
        small=pinned("small"),
        large=pinned("large"),
        shard_hours=0.1,
    )
    curate_and_report(settings)


def curate_and_report(settings: Curation) -> None:
    """Curate a corpus whose rows have `true_text`, and print what was found."""
    try:
        report = curate(settings)
    except RunMismatch:  # the run is of an older version of the demo
        shutil.rmtree(settings.output)
        report = curate(settings)
    console.print("", *outcome(Path(settings.output), report), sep="\n", soft_wrap=True)


def pinned(name: str) -> str:
    """Return a checkpoint of the demo, pinned by its digest."""
    sums = {name: digest for digest, name in map(str.split, (HERE / "SHA256SUMS").read_text().splitlines())}
    return f"{HERE / name}.nemo@sha256:{sums[f'{name}.nemo']}"


def outcome(run: Path, report: Report) -> list[str]:
    """Return sentences on what the run found, what it cost, and that no line was lost."""
    escalated = f"The large model transcribed {report.escalated_hours / report.hours:.0%} of the audio."
    return [recall_and_precision(run), escalated, report.balance]


def recall_and_precision(run: Path) -> str:
    """Return a sentence on how many wrong references the run dropped; only this function uses `true_text`."""
    columns = ["text", "true_text", "decision"]
    rows = pa.concat_tables([pq.read_table(run / part, columns=columns) for part in ("data", "rejects")])
    rows = rows.filter(pc.not_equal(rows["decision"], "quarantine"))
    wrong = pc.not_equal(rows["text"], rows["true_text"])
    dropped = pc.equal(rows["decision"], "drop")
    caught = pc.sum(pc.and_(wrong, dropped)).as_py()
    wrong, dropped = pc.sum(wrong).as_py(), pc.sum(dropped).as_py()
    return (
        f"{caught} of {wrong} wrong references were dropped: recall {caught / wrong:.3f}. "
        f"{dropped - caught} of {dropped} dropped references were right: precision {caught / dropped:.3f}."
    )


if __name__ == "__main__":
    main()
