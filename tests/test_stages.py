"""Score and gate: what a shard says before and after."""

from tasks.score import score
from tests.conftest import shard
from winnow.schema import UTTERANCE, after_transcribe


def test_score_compares_what_was_heard_with_the_reference():
    table = shard(
        after_transcribe(UTTERANCE, "small"),
        text=["Good morning, Sir.", "good morning", "good morning", "?!"],
        small_pred_text=["good morning sir", "", None, "hello"],
        reason=[None, None, "AUDIO_MISSING", None],
    )
    scored = score(table, role="small", normalizer="basic")
    assert scored["small_wer"].to_pylist() == [0.0, 1.0, None, None]
    assert scored["small_exact_wer"].to_pylist() == [1.0, 1.0, None, None]
    assert scored["reason"].to_pylist() == [None, None, "AUDIO_MISSING", "EMPTY_REFERENCE"]
