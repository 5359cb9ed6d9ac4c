"""How large a batch should be on this device: the engine at several budgets, against its own choice.

python -m benchmarks.batches            # the demo's checkpoints and two of real size
python -m benchmarks.batches --quick    # the small checkpoint of the demo only
"""

import functools
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.engine import Case, cases, engine
from benchmarks.turns import equal, main, ratio, take

BUDGETS = (10.0, 20.0, 80.0, 160.0)


def compare(quick: bool, rounds: int) -> Iterator[dict[str, Any]]:
    with tempfile.TemporaryDirectory() as folder:
        for case in cases(Path(folder), quick):
            if case.precision != "fp32":
                continue
            contenders = {"own choice": engine} | {
                f"{seconds:g} s": functools.partial(at, seconds=seconds) for seconds in BUDGETS
            }
            turns = take(contenders, case, rounds)
            ours = turns.pop("own choice")
            for name, theirs in turns.items():
                yield {
                    "corpus": case.corpus.name,
                    "model": f"{case.model}, {case.branch or case.checkpoint.stem}",
                    "precision": "fp32",
                    "against": name,
                    "cpu_ratio": ratio(theirs, ours, "cpu"),
                    "wall_ratio": ratio(theirs, ours, "wall"),
                    "texts_equal": equal(theirs, ours),
                    "padding": 1 - theirs[-1].facts["audio_seconds"] / theirs[-1].facts["padded_seconds"],
                    "mebibytes": theirs[-1].mebibytes,
                }


def at(case: Case, seconds: float) -> Any:
    return engine(replace(case, batch_seconds=seconds))


if __name__ == "__main__":
    main(__doc__ or "", compare)
