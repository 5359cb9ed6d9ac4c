"""What reviewing the rows that the queue puts first is worth, on a corpus whose true texts are known.

    python -m benchmarks.review demo/run --output reviewed

A reviewer who hears what was said keeps a right reference, and writes the true text in the place of a wrong one. The
run is a finished one of a corpus with the field `true_text`, such as the demo's; its copy in the output is reviewed.
"""

import argparse
import json
import shutil
from pathlib import Path
from typing import Any, NamedTuple

from flows.orchestrator import InProcess
from flows.refilter import run_refilter
from winnow.api.run import Run, open_run
from winnow.parameters.maintenance import Refilter
from winnow.review.label_studio import open_lines
from winnow.review.session import Session
from winnow.runs.run_record import load_settings


class Kept(NamedTuple):
    """Of the rows that were transcribed: how many are kept, and of these how many have the text that was said.

    `found` are the wrong references of the manifest that are dropped or corrected, `lost` the right ones that are
    dropped; `f1` is that of finding the wrong ones.
    """

    rows: int
    kept: int
    kept_right: int
    wrong: int
    found: int
    lost: int

    @property
    def f1(self) -> float:
        return 2 * self.found / (2 * self.found + self.lost + self.wrong - self.found)


def measure(run: Run) -> Kept:
    """Compare the texts of a run with what was said."""
    rows = [row for row in run if row["decision"] != "quarantine"]
    kept = [row for row in rows if row["decision"] == "keep"]
    wrong = [row for row in rows if (row.get("input_text") or row["text"]) != row["true_text"]]
    found = sum(row["decision"] == "drop" or row["text"] == row["true_text"] for row in wrong)
    lost = sum(row["decision"] == "drop" and row["text"] == row["true_text"] for row in rows)
    right = sum(row["text"] == row["true_text"] for row in kept)
    return Kept(len(rows), len(kept), right, len(wrong), found, lost)


def review_first(run: Path, count: int) -> dict[str, int]:
    """Review so many rows as one who hears what was said; return how many verdicts there are of each kind."""
    session = Session(str(run), "truth")
    kinds: dict[str, int] = {}
    for line in list(open_lines(session, count)):
        row = session.row(line)[1]
        truth = json.loads(row["fields"])["true_text"]
        kind = "keep" if row["text"] == truth else "edit"
        session.decide(line, kind, truth if kind == "edit" else None)
        kinds[kind] = kinds.get(kind, 0) + 1
    session.close()
    return kinds


def review_loop(run: Path, output: Path, count: int) -> dict[str, Any]:
    """Review a copy of a run, make a new run that follows the verdicts, and compare both."""
    copy, new = output / "run", output / "reviewed"
    shutil.copytree(run, copy)
    kinds = review_first(copy, count)
    rules = load_settings(copy).filter
    report = run_refilter(Refilter(run=str(copy), output=str(new), filter=rules, reviews=True), InProcess())
    before, after = measure(open_run(run)), measure(open_run(new))
    reviewed = report.reviewed.model_dump() if report.reviewed else None
    both = {"before": before._asdict() | {"f1": before.f1}, "after": after._asdict() | {"f1": after.f1}}
    return {"verdicts": kinds, **both, "reviewed": reviewed}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="folder of a finished run of a corpus with true_text")
    parser.add_argument("--output", type=Path, required=True, help="new folder for the copy and the reviewed run")
    parser.add_argument("--rows", type=int, default=40, help="how many rows are reviewed")
    given = parser.parse_args()
    print(json.dumps(review_loop(given.run, given.output, given.rows), indent=1))


if __name__ == "__main__":
    main()
