"""How fast hypotheses are compared with their references, in turns with jiwer on the same pairs.

    python -m benchmarks.scoring                 # 200,000 pairs of ten words, a tenth of them wrong
    python -m benchmarks.scoring --quick         # 20,000
    python -m benchmarks.scoring --json FILE     # the rows for machines

The texts differ only in their words. jiwer gets them one pair at a time or, which is faster, all at once (`batched`).
`equal` is the share of equal results. `stage` is all that `score` does to a shard (normalization, every metric, and the
WER before normalization), compared with jiwer's counts alone.
"""

from collections.abc import Callable, Iterator
from random import Random
from statistics import median
from typing import Any

from benchmarks.turns import Turn, Work, equal_texts, main, ratio, take_turns

PAIRS, QUICK_PAIRS = 200_000, 20_000

Pairs = tuple[list[str], list[str]]


def pairs(count: int) -> Pairs:
    """Return references, and hypotheses in which a tenth of the words are wrong, missing or doubled."""
    pick = Random(1)
    words = ["".join(pick.choices("abcdefghijklmnopqrstuvwxyz", k=pick.randint(2, 9))) for _ in range(5_000)]
    references = [pick.choices(words, k=10) for _ in range(count)]
    hypotheses = []
    for reference in references:
        spoken: list[str] = []
        for word in reference:
            spoken += pick.choices(([word], ["wrong"], [], [word, word]), (90, 6, 2, 2))[0]
        hypotheses.append(" ".join(spoken))
    return [" ".join(reference) for reference in references], hypotheses


def compare_each(compare: Callable[[str, str], object]) -> Callable[[int], Work]:
    """Return a benchmark that compares one pair at a time."""

    def make(count: int) -> Work:
        references, hypotheses = pairs(count)
        return lambda: ([str(compare(*pair)) for pair in zip(references, hypotheses, strict=True)], {})

    return make


def our_rates(count: int) -> Work:
    from winnow.text.metrics import word_error_rate

    return compare_each(word_error_rate)(count)


def their_rates(count: int) -> Work:
    import jiwer

    return compare_each(jiwer.wer)(count)


def our_corpus(count: int) -> Work:
    """Compute the word error rate of all pairs together from the rate of each."""
    from winnow.text.metrics import word_error_rate

    references, hypotheses = pairs(count)

    def work() -> tuple[list[str], dict[str, Any]]:
        rates = [word_error_rate(*pair) for pair in zip(references, hypotheses, strict=True)]
        lengths = [reference.count(" ") + 1 for reference in references]
        wrong = sum(round((rate or 0) * length) for rate, length in zip(rates, lengths, strict=True))
        return [f"{wrong / sum(lengths):.12g}"], {}

    return work


def their_corpus(count: int) -> Work:
    import jiwer

    references, hypotheses = pairs(count)
    return lambda: ([f"{jiwer.wer(references, hypotheses):.12g}"], {})


def our_counts(count: int) -> Work:
    from winnow.text.metrics import compare_texts

    def counts(reference: str, hypothesis: str) -> list[int]:
        errors = compare_texts(reference, hypothesis)
        assert errors is not None
        return [errors.hits, errors.substitutions, errors.deletions, errors.insertions]

    return compare_each(counts)(count)


def their_counts(count: int) -> Work:
    import jiwer

    def counts(reference: str, hypothesis: str) -> list[int]:
        errors = jiwer.process_words(reference, hypothesis)
        return [errors.hits, errors.substitutions, errors.deletions, errors.insertions]

    return compare_each(counts)(count)


def our_stage(count: int) -> Work:
    import pyarrow as pa

    from tasks.score import score
    from winnow.schema import UTTERANCE, after_transcribe, select_columns

    references, hypotheses = pairs(count)
    columns = {"id": range(count), "text": references, "small_pred_text": hypotheses}
    shard = select_columns(
        pa.table({name: list(column) for name, column in columns.items()}), after_transcribe(UTTERANCE, "small")
    )

    def work() -> tuple[list[str], dict[str, Any]]:
        counts = score(shard, "small", "basic").select(
            [f"small_{name}" for name in ("hits", "substitutions", "deletions", "insertions")]
        )
        return [str(list(row.values())) for row in counts.to_pylist()], {}

    return work


CASES: dict[str, tuple[Callable[[int], Work], Callable[[int], Work]]] = {
    "WER": (our_rates, their_rates),
    "WER, jiwer batched": (our_corpus, their_corpus),
    "all metrics": (our_counts, their_counts),
    "stage": (our_stage, their_counts),
}


def compare(quick: bool, rounds: int) -> Iterator[dict[str, Any]]:
    count = QUICK_PAIRS if quick else PAIRS
    for name, (winnow, jiwer) in CASES.items():
        turns: dict[str, list[Turn]] = take_turns({"winnow": winnow, "jiwer": jiwer}, count, rounds)
        yield {
            "what": name,
            "pairs": f"{count:,}",
            "winnow_pairs_per_second": round(count / median(turn.wall for turn in turns["winnow"])),
            "jiwer_pairs_per_second": round(count / median(turn.wall for turn in turns["jiwer"])),
            "jiwer_times_cpu": ratio(turns["jiwer"], turns["winnow"], "cpu"),
            "equal": equal_texts(turns["jiwer"], turns["winnow"]),
        }


if __name__ == "__main__":
    main(__doc__ or "", compare)
