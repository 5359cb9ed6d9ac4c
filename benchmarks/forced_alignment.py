"""Word times that a model reads, beside those of NeMo's CTC aligner, which is given the same segments and their text.

    python -m benchmarks.forced_alignment FOLDER [--minutes 5] [--seed 1]

The recording is that of `benchmarks.long_recordings`, of which it is known where each sentence begins and ends. The
model is demo/large.nemo: Winnow reads with its transducer, NeMo's aligner takes the probabilities of its CTC decoder.
"""

import argparse
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.long_recordings import ROOT, Sentence, aligning_seconds, lines_of, make_corpus
from flows.orchestrator import InProcess
from flows.segment import run_segmentation
from winnow.audio.decode import load_clip
from winnow.parameters.segment import Segment

RATE = 16_000
BATCH = 8  # segments
NEAR = 0.6  # seconds: a word that begins or ends farther away from where a sentence does is another one
Word = tuple[float, float]
"""Start and end, in seconds from the beginning of the recording."""


def read_words(segments: list[dict[str, Any]]) -> Iterator[Word]:
    """Yield the times of words in segments."""
    for line in segments:
        for word in line["words"]:
            yield line["offset"] + word["start"], line["offset"] + word["end"]


def aligned_words(model: Any, segments: list[dict[str, Any]]) -> Iterator[Word]:
    """Yield the times that NeMo's aligner finds for the words of segments."""
    from nemo.collections.asr.parts.utils import aligner_utils as nemo

    for start in range(0, len(segments), BATCH):
        lines = segments[start : start + BATCH]
        audio = [
            load_clip(line["audio_filepath"], line["offset"], line["duration"], RATE, 60).samples for line in lines
        ]
        texts = [line["text"].lower().replace(".", "") for line in lines]
        *batch, utterances, step = nemo.get_batch_variables(
            audio=audio, model=model, gt_text_batch=texts, verbose=False
        )
        paths = nemo.viterbi_decoding(*batch)
        for line, utterance, path in zip(lines, utterances, paths, strict=True):
            found = nemo.add_t_start_end_to_utt_obj(utterance, path, step)
            words = [
                each
                for part in found.segments_and_tokens
                if isinstance(part, nemo.Segment)
                for each in part.words_and_tokens
                if isinstance(each, nemo.Word)
            ]
            for word in words:
                yield line["offset"] + word.t_start, line["offset"] + word.t_end


def errors(words: list[Word], sentences: list[Sentence]) -> dict[str, float]:
    """Return the median errors, in milliseconds, where sentences begin and end, and how many have a word near both."""
    starts, ends = np.array(words).T
    found = []
    for item in sentences:
        start, end = np.abs(starts - item.start).min(), np.abs(ends - item.end).min()
        if item.said and item.written and max(start, end) <= NEAR:
            found.append((start, end))
    start, end = np.median(found, axis=0) * 1000
    return {"sentences": len(found), "start": round(float(start)), "end": round(float(end))}


def open_aligner() -> Any:
    """Return the model with its CTC decoder."""
    from nemo.collections.asr.models import ASRModel

    model = ASRModel.restore_from(str(ROOT / "demo/large.nemo"), map_location="cpu").eval()
    model.change_decoding_strategy(decoder_type="ctc", verbose=False)
    return model


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    (sentences,) = make_corpus(options.folder, 1, options.minutes, options.seed)
    output, corpus = options.folder / "segments", options.folder / "corpus.jsonl"
    run_segmentation(Segment(manifest=corpus, output=output, model=str(ROOT / "demo/large.nemo")), InProcess())
    segments = [*lines_of(output / "manifest.jsonl")]
    model = open_aligner()
    begin = time.perf_counter()
    theirs = [*aligned_words(model, segments)]
    seconds = time.perf_counter() - begin
    figures = {
        "Winnow": errors([*read_words(segments)], sentences) | aligning_seconds(output),
        "NeMo's CTC aligner": errors(theirs, sentences) | {"reading and aligning": seconds},
    }
    print(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()
