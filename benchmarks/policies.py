"""How well policies separate good references from bad ones, and how much audio the large model transcribes for that.

    python -m benchmarks.policies                # the tables of docs/performance.md
    python -m benchmarks.policies --json FILE    # the rows for machines
    python -m benchmarks.policies --tune         # other speech, to which the constants of evidence are fitted

Both models transcribe each corpus once; what they say is then judged by every policy. Policies by WER choose their
limits by labels, on one half of each corpus. Policies by evidence use no label: their limits are those of a run, found
by planted errors.
"""

import argparse
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.doubt import tune
from benchmarks.evidence_policies import compare_by_evidence, compare_one_word
from benchmarks.scored_corpora import corpora, one_word_wrong, score_corpus
from benchmarks.wer_policies import compare_by_wer
from winnow.evidence.planting import LABELS

Row = dict[str, Any]
Tables = dict[str, list[Row]]


def compare() -> Tables:
    """Return the rows of both tables, for each policy and corpus."""
    references: list[Row] = []
    errors: list[Row] = []
    with tempfile.TemporaryDirectory() as folder:
        for number, corpus in enumerate(corpora(Path(folder))):
            scored = score_corpus(corpus)
            references += [*compare_by_wer(scored), *compare_by_evidence(scored)]
            errors += compare_one_word(scored)
            if number == 0:
                errors += compare_one_word(score_corpus(one_word_wrong(corpus)))
    return {"references": references, "errors": errors}


def reference_table(rows: list[Row]) -> Iterator[list[str]]:
    """Yield the table of what policies keep of references of which a fifth is wrong."""
    yield ["", "Limits", "Precision", "Recall", "F1", "Bad kept", "Large model"]
    for row in rows:
        rates = [f"{row[name]:.3f}" for name in ("precision", "recall", "f1")]
        yield [row["policy"], row["limits"], *rates, f"{row['bad_kept']} of {row['bad']}", f"{row['cost']:.1%}"]


def error_table(rows: list[Row]) -> Iterator[list[str]]:
    """Yield the table of what is found of errors that no run plants, and in brackets what a run promises."""
    kinds = list(rows[0]["found"])
    yield ["", "Limits", "Right lost", "Large model", "Right", *(LABELS[kind] for kind in kinds)]
    for row in rows:
        lost, right, found = f"{row['lost']:.1%}", "", [f"{row['found'][kind]:.1%}" for kind in kinds]
        if promised := row.get("promised"):
            lost += f" ({row['lost_promised']:.1%})"
            right = f"{row['right']:.1%} ({row['right_promised']:.1%})"
            found = [f"{share} ({promised[kind]:.1%})" for share, kind in zip(found, kinds, strict=True)]
        yield [row["policy"], row["limits"], lost, f"{row['cost']:.1%}", right, *found]


def markdown(rows: Iterator[list[str]]) -> str:
    head = next(rows)
    return "\n".join(f"| {' | '.join(line)} |" for line in [head, ["---"] * len(head), *rows])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, help="write the rows to this file")
    parser.add_argument("--tune", action="store_true", help="fit the constants of evidence to other speech")
    options = parser.parse_args()
    if options.tune:
        for line in tune():
            print(f"| {' | '.join(line)} |" if line else "")
        raise SystemExit
    tables = compare()
    for table, name in ((reference_table, "references"), (error_table, "errors")):
        for corpus in dict.fromkeys(row["corpus"] for row in tables[name]):
            print(f"{corpus}: {name}\n\n{markdown(table([row for row in tables[name] if row['corpus'] == corpus]))}\n")
    if options.json:
        options.json.write_text(json.dumps(tables, indent=1) + "\n")
