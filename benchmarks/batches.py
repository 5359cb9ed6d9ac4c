"""The best batch size on this device: the engine with several sizes, compared with its own choice.

python -m benchmarks.batches            # the demo's checkpoints and two of realistic size
python -m benchmarks.batches --quick    # the demo's checkpoints, a twelfth of its utterances
"""

import functools
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.engine import Case, cases, engine
from benchmarks.turns import equal_texts, main, ratio, take_turns

BATCH_SECONDS = (10.0, 20.0, 80.0, 160.0)


def compare(quick: bool, rounds: int) -> Iterator[dict[str, Any]]:
    """Yield a row for each case and batch size."""
    with tempfile.TemporaryDirectory() as folder:
        for case in cases(Path(folder), quick):
            if case.precision != "fp32":
                continue
            contenders = {"automatic": engine} | {
                f"{seconds:g} s": functools.partial(engine_with_batches, seconds=seconds) for seconds in BATCH_SECONDS
            }
            turns = take_turns(contenders, case, rounds)
            ours = turns.pop("automatic")
            for name, theirs in turns.items():
                yield {
                    "corpus": case.corpus.name,
                    "model": f"{case.model}, {case.branch or case.checkpoint.stem}",
                    "precision": "fp32",
                    "against": name,
                    "cpu_ratio": ratio(theirs, ours, "cpu"),
                    "wall_ratio": ratio(theirs, ours, "wall"),
                    "texts_equal": equal_texts(theirs, ours),
                    "padding": 1 - theirs[-1].facts["audio_seconds"] / theirs[-1].facts["padded_seconds"],
                    "mebibytes": theirs[-1].mebibytes,
                }


def engine_with_batches(case: Case, seconds: float) -> Any:
    """Return the engine as a contender with batches of this many seconds."""
    return engine(replace(case, batch_seconds=seconds))


if __name__ == "__main__":
    main(__doc__ or "", compare)
