"""The demo: curate a corpus whose wrong references are known, and say how many of them were found.

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

HERE = Path(__file__).parent


def main() -> None:
    settings = Curation(
        manifest=HERE / "corpus" / "manifest.jsonl",
        output=HERE / "run",
        small=pinned("small"),
        large=pinned("large"),
        shard_hours=0.1,
    )
    try:
        report = curate(settings)
    except RunMismatch:  # the demo itself has changed since
        shutil.rmtree(settings.output)
        report = curate(settings)
    read = f"The large model read {report.escalated_hours / report.hours:.0%} of the audio."
    console.print(recall_and_precision(Path(settings.output)), read, report.balance, sep="\n", soft_wrap=True)


def pinned(name: str) -> str:
    """A checkpoint of the demo, as it was when it was trained."""
    sums = {name: digest for digest, name in map(str.split, (HERE / "SHA256SUMS").read_text().splitlines())}
    return f"{HERE / name}.nemo@sha256:{sums[f'{name}.nemo']}"


def recall_and_precision(run: Path) -> str:
    """How well the run found the wrong references; `true_text`, which it never read, says which those are."""
    columns = ["text", "true_text", "decision"]
    rows = pa.concat_tables([pq.read_table(run / part, columns=columns) for part in ("data", "rejects")])
    rows = rows.filter(pc.not_equal(rows["decision"], "quarantine"))
    wrong = pc.not_equal(rows["text"], rows["true_text"])
    dropped = pc.equal(rows["decision"], "drop")
    caught = pc.sum(pc.and_(wrong, dropped)).as_py()
    wrong, dropped = pc.sum(wrong).as_py(), pc.sum(dropped).as_py()
    return (
        f"\nOf {wrong} wrong references {caught} were dropped: recall {caught / wrong:.3f}. "
        f"Of {dropped} dropped {dropped - caught} were right: precision {caught / dropped:.3f}."
    )


if __name__ == "__main__":
    main()
