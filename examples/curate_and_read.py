"""Curate a corpus with two models, and read the results.

python examples/curate_and_read.py [MANIFEST [OUTPUT]]
"""

import sys

from flows.curate import curate
from winnow import open_run

manifest, output = (*sys.argv[1:], *("demo/corpus/manifest.jsonl", "demo/run")[len(sys.argv) - 1 :])

if __name__ == "__main__":
    curate(manifest=manifest, output=output, small="demo/small.nemo", large="demo/large.nemo")

    run = open_run(output)
    print(run.report.balance)
    for row in run:
        if row["decision"] != "keep":
            print(f"line {row['id']}: {row['decision']}: {', '.join(row['reasons'] or [row['reason']])}")
