"""NeMo's models as recognisers: every family, with real checkpoints and with small ones of random weights."""

import functools
import json
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch

from tests.conftest import DEMO, resolve_unpinned
from winnow.audio.decode import load_clip
from winnow.engines.batching import batch_seconds_for
from winnow.engines.engine import Request
from winnow.engines.inference import transcribe_requests
from winnow.engines.model_cache import get_model
from winnow.engines.nemo.model import NemoModel, restore_model
from winnow.engines.nemo.nemo_import import without_compiler
from winnow.engines.precision import choose_precision
from winnow.errors import CheckpointError, OptionError
from winnow.parameters.engine import EngineOptions
from winnow.text.hypothesis import Word
from winnow.validation.engine_options import check_options


def demo_requests(count: int) -> list[Request]:
    """Return requests for the first utterances of the demo corpus."""
    first_requests = []
    for line in (DEMO / "corpus" / "manifest.jsonl").read_text().splitlines():
        if line.startswith("{") and '"audio/0' in line:
            row = json.loads(line)
            first_requests.append(Request(str(DEMO / "corpus" / row["audio_filepath"]), None, row["duration"]))
    return first_requests[:count]


SHORTEST = sorted(demo_requests(40), key=lambda request: request.duration)


@functools.cache
def open_with_nemo(checkpoint, branch=None):
    """Return the checkpoint as NeMo opens it."""
    model = restore_model(checkpoint, "cpu")
    model.preprocessor.featurizer.dither = 0.0
    if branch:
        model.change_decoding_strategy(decoder_type=branch, verbose=False)
    return model


def nemo_texts(checkpoint, utterances, branch=None, **decoding):
    """Return the texts of NeMo's own transcribe(), one utterance at a time."""
    model = open_with_nemo(checkpoint, branch)
    if decoding:
        model.change_decoding_strategy(decoding)
    return [model.transcribe([request.path], batch_size=1, verbose=False)[0].text for request in utterances]


@functools.cache
def load(checkpoint, **options):
    return NemoModel(checkpoint, EngineOptions(**options))


def hypothesis_texts(network, utterances, **options):
    results, _ = transcribe_requests(network, utterances, EngineOptions(**options))
    return [result.hypothesis.text for result in results]


@pytest.mark.parametrize(("model", "branch"), [("small", None), ("large", None), ("large", "ctc")])
def test_hypotheses_equal_those_of_nemo_one_at_a_time(model, branch):
    checkpoint = resolve_unpinned(DEMO / f"{model}.nemo")
    utterances = demo_requests(8)
    options = EngineOptions(decoder=branch, batch_seconds=15)
    results, usage = transcribe_requests(get_model(checkpoint, options), utterances, options)
    assert [result.hypothesis.text for result in results] == nemo_texts(checkpoint, utterances, branch)
    assert usage["utterances"] == 8
    assert usage["audio_seconds"] == pytest.approx(sum(request.duration for request in utterances), abs=0.1)
    assert (usage["device"], usage["precision"]) == ("cpu", "fp32")


@pytest.mark.parametrize(("model", "branch"), [("small", None), ("large", None), ("large", "ctc")])
def test_resampled_audio_gives_the_hypothesis_of_nemo_for_the_same_samples(model, branch):
    """NeMo resamples files with a shorter filter than soxr's, so it is given the samples."""
    telephone = Request(str(DEMO / "corpus" / "audio" / "8khz.wav"), None, None)
    checkpoint = resolve_unpinned(DEMO / f"{model}.nemo")
    network = get_model(checkpoint, EngineOptions(decoder=branch, batch_seconds=15))
    samples = load_clip(telephone.path, None, None, network.sample_rate, 60).samples
    theirs = open_with_nemo(checkpoint, branch).transcribe([samples], batch_size=1, verbose=False)
    assert hypothesis_texts(network, [telephone]) == [theirs[0].text]


@pytest.mark.parametrize(
    ("name", "family", "decoding"),
    [
        ("letters", "ctc", {}),
        ("quartznet", "ctc", {}),
        ("rnnt", "transducer", {}),
        ("tdt", "transducer", {}),
        ("canary", "multitask", {"strategy": "greedy", "greedy": {"max_generation_delta": 20}}),
    ],
)
def test_every_family_transcribes_as_nemo_does(random_model, name, family, decoding):
    checkpoint = random_model(name)
    assert checkpoint.family == family
    utterances = SHORTEST[:5]
    hypotheses = hypothesis_texts(load(checkpoint), utterances)
    assert hypotheses == nemo_texts(checkpoint, utterances, **decoding)
    assert len(set(hypotheses)) > 2  # the weights are random, but depend on the audio


def first_hypothesis(checkpoint, **options):
    (request,) = demo_requests(1)
    network = load(checkpoint, **options)
    return network.transcribe([[(request, load_clip(request.path, None, None, network.sample_rate, 60))]])[0]


def test_prompt_has_language_task_and_punctuation(random_model):
    checkpoint = random_model("canary")

    def prompt(row_language=None, **options):
        network = load(checkpoint, **options)
        return network.model.tokenizer.ids_to_tokens(network.decoder.prompt(row_language).tolist())[1:]

    assert prompt() == ["<|en|>", "<|transcribe|>", "<|en|>", "<|pnc|>"]
    assert prompt(language="de") == ["<|de|>", "<|transcribe|>", "<|de|>", "<|pnc|>"]
    assert prompt(punctuation=False) == ["<|en|>", "<|transcribe|>", "<|en|>", "<|nopnc|>"]
    assert prompt(target_language="de") == ["<|en|>", "<|translate|>", "<|de|>", "<|pnc|>"]
    assert prompt("de-ch") == prompt(language="de") == prompt("en", language="de")
    assert first_hypothesis(checkpoint).text != first_hypothesis(checkpoint, language="de").text
    with pytest.raises(CheckpointError, match="no language 'fr' in its prompt"):
        NemoModel(checkpoint, EngineOptions(language="fr"))


def test_prompt_has_the_language_of_its_row(random_model):
    checkpoint = random_model("canary")
    network, utterances = load(checkpoint), demo_requests(4)
    spoken = [
        replace(request, language=language)
        for request, language in zip(utterances, ["de", None, "en", "de-at"], strict=True)
    ]
    clips = [load_clip(request.path, None, None, network.sample_rate, 60) for request in utterances]
    mixed = [hypothesis.text for hypothesis in network.transcribe([list(zip(spoken, clips, strict=True))])]
    english, german = (
        [
            hypothesis.text
            for hypothesis in load(checkpoint, language=tag).transcribe([list(zip(utterances, clips, strict=True))])
        ]
        for tag in ("en", "de")
    )
    assert mixed == [german[0], english[1], english[2], german[3]]
    assert english[0] != german[0]


@pytest.mark.parametrize("family", ["prompted transducer", "prompted hybrid"])
def test_prompted_transducer_uses_the_language(random_model, family):
    """NeMo 3.0.0 accepts the language only with samples, not with files."""
    checkpoint = random_model(family)
    utterances = [replace(request, offset=0.0, duration=1.5) for request in demo_requests(2)]
    assert checkpoint.family == family
    network = load(checkpoint)
    german = [replace(request, language="de-at") for request in utterances]
    model = open_with_nemo(checkpoint)
    clips = [load_clip(request.path, 0.0, 1.5, network.sample_rate, 60).samples for request in utterances]

    @functools.cache
    def theirs(language):
        return [model.transcribe([c], batch_size=1, verbose=False, target_lang=language)[0].text for c in clips]

    assert hypothesis_texts(network, utterances) == theirs("auto")
    assert hypothesis_texts(network, german) == theirs("de-AT") != theirs("auto")
    assert hypothesis_texts(load(checkpoint, language="de-AT"), utterances) == theirs("de-AT")
    assert [network.decoder.prompt_number(tag) for tag in (None, "en", "de", "en-us")] == [0, 1, 2, 1]
    with pytest.raises(
        CheckpointError, match=r"no language 'fr' in its prompt .*: expected one of auto, en-US, de-DE, de-AT"
    ):
        NemoModel(checkpoint, EngineOptions(language="fr"))


def test_words_have_confidence_and_times(demo_small, demo_large):
    for checkpoint, branch in ((demo_small, None), (demo_large, None), (demo_large, "ctc")):
        hypothesis = first_hypothesis(checkpoint, decoder=branch, timestamps=True)
        words = hypothesis.text.split()
        assert [word.word for word in hypothesis.words] == words
        starts = [word.start for word in hypothesis.words]
        assert starts == sorted(starts)
        assert all(0 <= word.start < word.end < 7.05 for word in hypothesis.words)  # seconds of audio
        assert len(hypothesis.word_confidence) == len(words)
        assert all(0 < confidence < 1 for confidence in [*hypothesis.word_confidence, hypothesis.confidence])
        assert hypothesis.tokens >= len(words)
    assert first_hypothesis(demo_small).words is None


def test_confidence_equals_that_of_nemo(demo_large):
    (request,) = demo_requests(1)
    model = restore_model(demo_large, "cpu")
    model.preprocessor.featurizer.dither = 0.0
    settings = {"preserve_word_confidence": True, "preserve_token_confidence": True}
    for branch in ("rnnt", "ctc"):
        config = model.cfg.aux_ctc.decoding if branch == "ctc" else model.cfg.decoding
        model.change_decoding_strategy(
            {**config, "strategy": "greedy_batch", "confidence_cfg": settings}, decoder_type=branch, verbose=False
        )
        (theirs,) = model.transcribe([request.path], batch_size=1, return_hypotheses=True, verbose=False)
        ours = first_hypothesis(demo_large, decoder="ctc" if branch == "ctc" else None)
        assert ours.word_confidence == pytest.approx([float(value) for value in theirs.word_confidence], abs=1e-4)


def test_noise_lowers_confidence(demo_large):
    utterances = demo_requests(1)[0]
    network = load(demo_large)
    clip = load_clip(utterances.path, None, None, network.sample_rate, 60)
    noise = np.random.default_rng(0).normal(0, 0.1, len(clip.samples)).astype(np.float32)
    clear, noisy = network.transcribe(
        [[(utterances, clip), (utterances, type(clip)(clip.samples + noise, clip.stats))]]
    )
    assert noisy.confidence < clear.confidence


def test_bf16_gives_the_same_hypotheses(demo_large):
    utterances = SHORTEST[:20]
    networks = {precision: load(demo_large, precision=precision) for precision in ("fp32", "bf16")}
    assert {name: network.runtime["precision"] for name, network in networks.items()} == {
        "fp32": "fp32",
        "bf16": "bf16",
    }
    assert next(networks["bf16"].model.encoder.parameters()).dtype == torch.bfloat16
    exact, rough = (hypothesis_texts(network, utterances) for network in networks.values())
    assert sum(text == other_text for text, other_text in zip(exact, rough, strict=True)) >= 19


def test_small_model_on_a_cpu_runs_in_fp32(demo_small):
    network = load(demo_small)
    assert choose_precision(network.model.encoder, EngineOptions()) == "fp32"


def test_bf16_is_chosen_if_it_is_measured_to_be_faster():
    large = torch.nn.Linear(3_000, 2_000)
    for gain, precision in ((6.0, "bf16"), (0.5, "fp32")):
        assert choose_precision(large, EngineOptions(), speedup=lambda gain=gain: gain) == precision


def test_fp16_is_refused_without_a_gpu(demo_small):
    with pytest.raises(OptionError, match=r"engine.precision: fp16 requires a GPU"):
        NemoModel(demo_small, EngineOptions(precision="fp16"))


def test_local_attention_limits_the_context(demo_small):
    network = NemoModel(demo_small, EngineOptions(local_attention=4))
    assert network.model.encoder.self_attention_model == "rel_pos_local_attn"
    far = demo_requests(4)
    wide = hypothesis_texts(NemoModel(demo_small, EngineOptions(local_attention=512)), far)
    assert wide == hypothesis_texts(load(demo_small), far)
    assert hypothesis_texts(network, far) != wide


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (
            {"decoder": "ctc"},
            r"engine.decoder requires a hybrid checkpoint; the models of this run are .*small.nemo \(ctc\)",
        ),
        ({"cuda_graphs": True}, "engine.cuda_graphs requires a transducer checkpoint"),
        ({"language": "de"}, r"engine.language requires a checkpoint with a prompt \(canary\)"),
        ({"punctuation": False}, "engine.punctuation requires a multitask checkpoint"),
    ],
)
def test_option_supported_by_no_model_is_refused(demo_small, options, complaint):
    with pytest.raises(OptionError, match=complaint):
        check_options(EngineOptions(**options), [demo_small])


def test_timestamps_require_a_model_with_frames(random_model):
    with pytest.raises(OptionError, match=r"engine.timestamps requires a CTC or transducer checkpoint"):
        check_options(EngineOptions(timestamps=True), [random_model("canary")])


def test_cuda_graphs_require_a_gpu(demo_large):
    with pytest.raises(OptionError, match=r"engine.cuda_graphs: this machine has no GPU"):
        NemoModel(demo_large, EngineOptions(cuda_graphs=True))


def test_batch_seconds_follow_from_free_memory():
    assert batch_seconds_for(bytes_per_second=1e6, free=int(1e9)) == 600
    assert batch_seconds_for(bytes_per_second=1e3, free=int(1e9)) == 1_200  # more would save no time
    assert batch_seconds_for(bytes_per_second=1e12, free=int(1e9)) == 1


def test_timestamps_equal_the_frames_of_nemo(demo_large):
    """A word starts at the frame in which NeMo's transducer emits its first token."""
    (request,) = demo_requests(1)
    model = restore_model(demo_large, "cpu")
    model.preprocessor.featurizer.dither = 0.0
    (theirs,) = model.transcribe([request.path], batch_size=1, timestamps=True, verbose=False)
    ours = first_hypothesis(demo_large, timestamps=True)
    expected = [Word(word["word"], round(word["start"], 3), round(word["end"], 3)) for word in theirs.timestamp["word"]]
    assert [(word.word, word.start) for word in ours.words] == [(word.word, word.start) for word in expected]


def test_nemo_is_imported_without_torchs_compiler_which_functions_get_when_called():
    compiled = []

    def compile_now(function, **options):
        compiled.append(options)
        return function

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch, "compile", compile_now)
        with without_compiler():
            doubled = torch.compile(lambda number: 2 * number, dynamic=True)
            tripled = torch.compile(dynamic=False)(lambda number: 3 * number)
        assert (torch.compile, compiled) == (compile_now, [])
        assert [doubled(1), doubled(2), tripled(1)] == [2, 4, 3]
        assert compiled == [{"dynamic": True}, {"dynamic": False}]

        patch.delitem(sys.modules, "torch._dynamo", raising=False)
        with without_compiler():
            from torch._dynamo import OptimizedModule, disable

            assert disable(len).__name__ == disable(reason="a reason")(len).__name__ == "len"
        assert not isinstance(torch.nn.Linear(1, 1), OptimizedModule)
        assert "torch._dynamo" not in sys.modules
