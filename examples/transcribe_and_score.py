"""Transcribe some utterances of a corpus and score them.

python examples/transcribe_and_score.py [MANIFEST [MODEL]]
"""

import sys
from itertools import islice

from winnow import open_corpus, score, transcribe

manifest, model = (*sys.argv[1:], *("demo/corpus/manifest.jsonl", "demo/small.nemo")[len(sys.argv) - 1 :])

usable = (row for row in open_corpus(manifest) if row.reason is None)
utterances = list(islice(usable, 20))

for utterance, result in zip(utterances, transcribe(utterances, model), strict=True):
    if result.hypothesis is None:
        print(f"line {utterance.id}: {result.reason} ({result.detail})")
    elif measures := score(utterance.text or "", result.hypothesis.text):
        print(f"line {utterance.id}: WER {measures.wer:.2f}: {result.hypothesis.text}")
