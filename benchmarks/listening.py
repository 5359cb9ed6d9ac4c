"""Measures of audio through Winnow, beside the bare ONNX models that they run, on one core.

    python -m benchmarks.listening                # ten minutes of speech for Silero VAD, 40 seconds for DNSMOS
    python -m benchmarks.listening --quick        # a minute, and 20 seconds
    python -m benchmarks.listening --json FILE    # the rows for machines

The speech is the demo corpus's. Bare is the loop that the packages document: `silero_vad.onnx`, one window of 32 ms a
call, and DNSMOS, one window of 9.01 s a call, whose mel features are given. Winnow's share has everything from samples
to columns. `ratio` is the bare CPU time divided by Winnow's; `difference` is the largest between their values.
"""

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.turns import Work, main, ratio, take_turns_here
from winnow.audio.decode import load_clip
from winnow.audio.onnx_models import open_onnx, packaged_file
from winnow.audio.voice_activity import CONTEXT, WINDOW, speech_probabilities
from winnow.listening import quality
from winnow.listening.measure import RATE
from winnow.listening.mel import Floats
from winnow.listening.quality import OVERALL, mel_features, models, window_starts
from winnow.listening.registry import listen

CORPUS = Path(__file__).parent.parent / "demo/corpus/audio"


@cache
def speech(seconds: int) -> Floats:
    """Return so many seconds of the demo corpus."""
    parts: list[Floats] = []
    for path in sorted(CORPUS.glob("[0-9]*.ogg")):
        parts.append(load_clip(str(path), None, None, RATE, longest=120).samples)
        if sum(map(len, parts)) >= seconds * RATE:
            break
    return np.concatenate(parts)[: seconds * RATE]


def bare_silero(seconds: int) -> Work:
    session = open_onnx(packaged_file("silero_vad", "data/silero_vad.onnx"))
    samples, rate = speech(seconds), np.array(RATE)

    def work() -> tuple[list[str], dict[str, Any]]:
        state, before, found = np.zeros((2, 1, 128), np.float32), np.zeros(CONTEXT, np.float32), []
        for start in range(0, len(samples) - WINDOW + 1, WINDOW):
            window = samples[start : start + WINDOW]
            inputs = {"input": np.concatenate([before, window])[None], "state": state, "sr": rate}
            probability, state = session.run(None, inputs)
            found.append(float(probability[0, 0]))
            before = window[-CONTEXT:]
        return [], {"values": np.array(found)}

    return work


def our_speech(seconds: int) -> Work:
    samples = speech(seconds)

    def work() -> tuple[list[str], dict[str, Any]]:
        listen(["speech"], samples)
        return [], {}

    return work


def bare_dnsmos(seconds: int) -> Work:
    p835, p808 = map(open_onnx, models())
    samples = speech(seconds)
    starts = window_starts(samples)
    windows = [samples[start * RATE :][: quality.WINDOW] for start in starts]
    features = np.concatenate(list(mel_features(samples, starts)))

    def work() -> tuple[list[str], dict[str, Any]]:
        overall = [p835.run(None, {"input_1": window[None]})[0][0, 2] for window in windows]
        p808_scores = [p808.run(None, {"input_1": mel[None]})[0][0, 0] for mel in features]
        return [], {"values": np.array([np.polyval(OVERALL, overall).mean(), np.mean(p808_scores)])}

    return work


def our_quality(seconds: int) -> Work:
    samples = speech(seconds)

    def work() -> tuple[list[str], dict[str, Any]]:
        found = listen(["quality"], samples)
        return [], {"values": np.array([found["dnsmos"], found["dnsmos_p808"]])}

    return work


def compare(quick: bool, rounds: int) -> Iterator[dict[str, Any]]:
    """Yield a row for each measure."""
    cases = {
        "speech": (bare_silero, our_speech, 60 if quick else 600),
        "quality": (bare_dnsmos, our_quality, 20 if quick else 40),
    }
    for name, (bare, ours, seconds) in cases.items():
        turns = take_turns_here({"bare": bare, "winnow": ours}, seconds, rounds)
        theirs, own = turns["bare"], turns["winnow"]
        if name == "speech":
            values = np.concatenate(list(speech_probabilities([speech(seconds)])))[: seconds * RATE // WINDOW]
        else:
            values = own[-1].facts["values"]
        yield {
            "measure": name,
            "seconds_of_audio": seconds,
            "bare_x_real_time": seconds / np.median([turn.cpu for turn in theirs]).item(),
            "winnow_x_real_time": seconds / np.median([turn.cpu for turn in own]).item(),
            "ratio": ratio(theirs, own, "cpu"),
            "difference": float(np.abs(values - theirs[-1].facts["values"]).max()),
        }


if __name__ == "__main__":
    main(__doc__ or "", compare)
