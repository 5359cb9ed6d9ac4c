"""The engine on real checkpoints and real speech."""

import json

import numpy as np
import pytest

from tasks.audio import Clip
from tasks.checkpoint import BadCheckpoint, resolve
from tasks.config import Engine
from tasks.engine import Heard, batches, hear, read
from tasks.recogniser import Request, resident
from tests.conftest import DEMO


def requests(count: int) -> list[Request]:
    """The first utterances of the demo corpus."""
    found = []
    for line in (DEMO / "corpus" / "manifest.jsonl").read_text().splitlines():
        if line.startswith("{") and '"audio/0' in line:
            row = json.loads(line)
            found.append(Request(str(DEMO / "corpus" / row["audio_filepath"]), None, row["duration"]))
    return found[:count]


@pytest.mark.parametrize(("model", "branch"), [("small", "transducer"), ("large", "transducer"), ("large", "ctc")])
def test_texts_are_those_of_nemo_one_by_one(model, branch):
    checkpoint = resolve(str(DEMO / f"{model}.nemo"))
    asked = requests(24)
    ours, spent = hear(resident(checkpoint, branch, 120), asked, Engine(branch=branch, batch_seconds=15))

    from nemo.collections.asr.models import ASRModel

    theirs = ASRModel.restore_from(str(checkpoint.path))
    theirs.preprocessor.featurizer.dither = 0.0
    if branch == "ctc":
        theirs.change_decoding_strategy(decoder_type="ctc", verbose=False)
    alone = [theirs.transcribe([one.path], batch_size=1, verbose=False)[0].text for one in asked]
    assert [heard.text for heard in ours] == alone
    assert spent["utterances"] == 24
    assert spent["audio_seconds"] == pytest.approx(sum(one.duration for one in asked), abs=0.1)


def test_bad_audio_costs_only_itself(tmp_path, demo_small):
    asked = requests(6)
    (tmp_path / "page.wav").write_text("<html></html>")
    bad = [Request(str(tmp_path / name), None, None) for name in ("missing.wav", "page.wav")]
    model = resident(demo_small, "transducer", 120)
    alone, _ = hear(model, asked, Engine())
    mixed, _ = hear(model, [asked[0], bad[0], *asked[1:5], bad[1], asked[5]], Engine())
    assert [one.reason for one in mixed] == [None, "AUDIO_MISSING", None, None, None, None, "AUDIO_UNREADABLE", None]
    assert [one for one in mixed if one.text is not None] == alone


class Fussy:
    """A model that fails on whatever batch holds a clip of exactly two seconds."""

    rate = 16_000
    lanes = 1
    together = 1

    def texts(self, batches):
        if any(clip.seconds == 2.0 for batch in batches for _, clip in batch):
            raise RuntimeError("no")
        return [request.path for batch in batches for request, _ in batch]


def clip(seconds: float) -> Clip:
    return Clip(np.zeros(1, np.float32), seconds)


def test_a_batch_that_fails_is_halved_down_to_the_culprit():
    batch = [(Request(f"{seconds}", None, None), clip(seconds)) for seconds in (1.0, 3.0, 2.0, 4.0, 5.0)]
    first, second, failed, *rest = read([batch[:3], batch[3:]], Fussy())
    assert [first, second, *rest] == ["1.0", "3.0", "4.0", "5.0"]
    assert repr(failed) == "RuntimeError('no')"


class Forgetful:
    """A model that returns a text too few, as `transcribe()` does for audio it cannot slice."""

    rate = 16_000
    lanes = 1
    together = 1

    def texts(self, batches):
        return [request.path for batch in batches for request, _ in batch if request.path != "b"]


def test_texts_are_never_given_to_other_utterances():
    batch = [(Request(name, None, None), clip(1.0)) for name in "abcd"]
    texts = read([batch], Forgetful())
    assert [texts[0], *texts[2:]] == ["a", "c", "d"]
    assert str(texts[1]) == "0 texts for 1 utterances"


class Broken:
    """A model, or a device, that cannot read anything."""

    rate = 16_000
    lanes = 1
    together = 1

    def __init__(self, error):
        self.error, self.calls = error, 0

    def texts(self, batches):
        self.calls += 1
        raise self.error


@pytest.mark.parametrize(
    ("error", "calls"),
    [(ValueError("wrong shape"), 3), (RuntimeError("CUDA error: device-side assert triggered"), 1), (MemoryError(), 1)],
)
def test_a_failure_of_the_model_itself_is_not_blamed_on_the_utterances(tone, error, calls):
    asked = [Request(str(tone(name)), None, None) for name in ("a.wav", "b.wav")]
    model = Broken(error)
    with pytest.raises(type(error)):
        hear(model, asked, Engine())
    assert model.calls == calls


def test_batches_hold_clips_of_like_length_within_their_seconds():
    clips = [(i, clip(seconds)) for i, seconds in enumerate([1.0, 9.0, 2.0, 5.0, 1.0, 30.0])]
    assert [[i for i, _ in batch] for batch in batches(clips, seconds=10)] == [[5], [1], [3, 2], [0, 4]]


def test_readings_stand_for_a_model_that_was_run_elsewhere(tone, hears):
    path = tone("a.wav")
    model = resident(resolve(hears(small={"a.wav": "good morning"})["small"]), "transducer", 120)
    answers, _ = hear(model, [Request(str(path), None, None), Request(str(tone("b.wav")), None, None)], Engine())
    assert answers == [Heard("good morning", 1.0), Heard(None, 1.0, "MODEL_ERROR")]


@pytest.mark.parametrize(
    ("lines", "complaint"),
    [
        ('{"audio_filepath": "a.wav"}', "small.jsonl:1: no reading .* missing required field `pred_text`"),
        ('{"audio_filepath": "a.wav", "pred_text": 7}', "small.jsonl:1: no reading .* Expected `str`, got `int`"),
        ('\n{"audio_filepath": "a.wav", "pred_text": "a"}\n{"audio_filepath": "a.wav", "pred_text": "b"}',
         "small.jsonl:3: a second reading of a.wav at 0.0 s"),
    ],
)  # fmt: skip
def test_readings_that_are_none_are_refused(tmp_path, lines, complaint):
    (tmp_path / "small.jsonl").write_text(lines)
    with pytest.raises(BadCheckpoint, match=complaint):
        resident(resolve(str(tmp_path / "small.jsonl")), "transducer", 120)


@pytest.mark.parametrize(
    ("name", "content", "complaint"),
    [
        ("missing.nemo", None, "no such file"),
        ("page.nemo", "<html></html>", "not a NeMo checkpoint"),
        ("parakeet", None, "no .nemo file, no manifest of readings"),
        ("nvidia/no-such-model", None, "could not be had from the hub"),
    ],
)
def test_a_checkpoint_that_cannot_be_had_is_refused(tmp_path, name, content, complaint):
    if content:
        (tmp_path / name).write_text(content)
        name = str(tmp_path / name)
    with pytest.raises(BadCheckpoint, match=complaint):
        resolve(name)
