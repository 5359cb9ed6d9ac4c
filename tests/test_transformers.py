"""Models of transformers: what is refused before it is opened, and what is read, compared with transformers itself."""

import functools
import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.conftest import DEMO, published_rows
from tests.in_process import curate
from tests.tiny_transformers import CTC, TRANSDUCERS, WRITERS
from winnow.audio.decode import load_clip
from winnow.engines.engine import Request
from winnow.engines.failed_calls import transcribe_batches
from winnow.engines.transformers.engine import TransformersEngine
from winnow.errors import CheckpointError
from winnow.models.model_card import engine_card
from winnow.parameters.engine import EngineOptions

pytest.importorskip("transformers", reason="needs winnow[transformers]")

ENGINE = TransformersEngine()
SPEECH = sorted((DEMO / "corpus" / "audio").glob("*.flac"))[:3]


@functools.cache
def clips():
    return [load_clip(str(path), None, None, 16_000, 60) for path in SPEECH]


def requests(*texts: str, **options) -> list[Request]:
    return [Request(str(path), None, None, texts=texts, text_language="en", **options) for path in SPEECH]


@pytest.fixture(scope="session")
def saved(tmp_path_factory):
    """Return what makes a tiny model of a class and returns its folder."""

    @functools.cache
    def make(kinds: str, name: str) -> Path:
        torch.manual_seed(1)
        return getattr(__import__("tests.tiny_transformers", fromlist=[kinds]), kinds)[name](
            tmp_path_factory.mktemp(name)
        )

    return make


def load(folder: Path, **options):
    return ENGINE.load(ENGINE.resolve(f"hf:{folder}"), EngineOptions(**options))


def read_together(model, wanted: list[Request]) -> list:
    return model.transcribe([list(zip(wanted, clips(), strict=True))])


def read_alone(model, wanted: list[Request]) -> list:
    return [model.transcribe([[pair]])[0] for pair in zip(wanted, clips(), strict=True)]


def pipeline_texts(folder: Path) -> list[str]:
    """Return the texts of transformers' own pipeline, one file at a time."""
    from transformers import pipeline

    own = pipeline("automatic-speech-recognition", model=str(folder))
    return [" ".join(own(clip.samples.copy())["text"].split()) for clip in clips()]


TESTED_CTC = sorted(CTC.keys() - {"GraniteSpeech5"})
"""Classes that need nothing beside transformers."""

MASKED_FRAME = {"Wav2Vec2Bert"}
"""Whose features end with a frame that is half padding, which the pipeline reads and the model's own mask excludes."""


@pytest.mark.parametrize("name", TESTED_CTC)
def test_ctc_model_reads_in_batches_what_the_pipeline_reads_one_by_one(saved, name):
    folder = saved("CTC", name)
    model = load(folder, timestamps=True)
    together, alone = read_together(model, requests()), read_alone(model, requests())
    texts = [hypothesis.text for hypothesis in together]
    assert texts == [hypothesis.text for hypothesis in alone]
    if name in MASKED_FRAME:
        assert all(own.startswith(text[:-1]) for own, text in zip(pipeline_texts(folder), texts, strict=True))
    else:
        assert texts == pipeline_texts(folder)
    for hypothesis, clip in zip(together, clips(), strict=True):
        assert 0 <= hypothesis.confidence <= 1
        if hypothesis.words is not None:
            assert hypothesis.words[-1].end <= clip.seconds + 0.1


@pytest.mark.parametrize("name", TRANSDUCERS)
def test_transducer_reads_in_batches_what_generate_reads_one_by_one(saved, name):
    folder = saved("TRANSDUCERS", name)
    model = load(folder, timestamps=True)
    together, alone = read_together(model, requests("of the and")), read_alone(model, requests("of the and"))
    texts = [hypothesis.text for hypothesis in together]
    assert texts == [hypothesis.text for hypothesis in alone] == transducer_texts(folder)
    for one, other, clip in zip(together, alone, clips(), strict=True):
        assert one.evidence[0].gap == pytest.approx(other.evidence[0].gap, abs=1e-3)
        assert 0 <= one.confidence <= 1
        assert 0 <= one.words[0].start <= one.words[-1].end <= clip.seconds + 0.5


def transducer_texts(folder: Path) -> list[str]:
    import transformers
    from transformers import AutoProcessor

    name = json.loads((folder / "config.json").read_text())["architectures"][0]
    model, processor = getattr(transformers, name).from_pretrained(folder), AutoProcessor.from_pretrained(folder)
    read = []
    for clip in clips():
        ids = model.generate(**processor(clip.samples, sampling_rate=16_000)).sequences
        (text,) = processor.batch_decode(ids, skip_special_tokens=True)
        read.append(" ".join(text.split()))
    return read


@torch.inference_mode()
def test_likelihood_of_a_text_is_the_loss_of_its_tdt_model(saved):
    from transformers import AutoProcessor, ParakeetForTDT

    folder = saved("TRANSDUCERS", "ParakeetTDT")
    model, own, processor = load(folder), ParakeetForTDT.from_pretrained(folder), AutoProcessor.from_pretrained(folder)
    ids = model.reader.vocabulary.write("of the and", None)
    reading = model.reader.read([clip.samples for clip in clips()], requests())
    for row, clip in enumerate(clips()):
        inputs = processor(clip.samples, sampling_rate=16_000)
        labels = torch.tensor([ids])
        decoder_ids = torch.tensor([[own.config.blank_token_id, *ids]])
        loss = own(
            **inputs, labels=labels, decoder_input_ids=decoder_ids, reduction="sum", output_attention_mask=True
        ).loss.item()
        assert -reading.scorer.log_likelihoods([(row, ids)])[0] == pytest.approx(loss, rel=1e-5, abs=1e-3)


ASKED = {"Whisper": {"language": "en", "task": "transcribe"}}
"""What `generate` is told."""


@torch.inference_mode()
def generated_texts(folder: Path, model) -> list[str]:
    """Return the texts of transformers' own `generate`, one clip at a time."""
    import transformers

    name = json.loads((folder / "config.json").read_text())["architectures"][0]
    own = getattr(transformers, name).from_pretrained(folder)
    processor = transformers.AutoProcessor.from_pretrained(folder)
    family = name.removesuffix("ForConditionalGeneration")
    read = []
    for clip in clips():
        if hasattr(processor, "apply_transcription_request"):
            inputs = processor.apply_transcription_request(audio=[clip.samples])
            prompt = inputs["input_ids"].shape[1]
        else:
            inputs = processor.feature_extractor(clip.samples, sampling_rate=16_000, return_tensors="pt")
            prompt = 0
        most = model.reader.limit(
            30.0 if family == "Whisper" else clip.seconds, prompt or len(ASKED.get(family, ())) * 2
        )
        ids = own.generate(**inputs, max_new_tokens=most, do_sample=False, num_beams=1, **ASKED.get(family, {}))
        text = processor.tokenizer.decode(ids[0, prompt:], skip_special_tokens=True)
        read.append(" ".join(text.split()))
    return read


@pytest.mark.parametrize("name", WRITERS)
def test_model_that_writes_reads_in_batches_what_generate_writes_one_by_one(saved, name, monkeypatch):
    monkeypatch.setattr("winnow.engines.transformers.generator.TOKENS_PER_SECOND", 2)  # models of noise never end
    folder = saved("WRITERS", name)
    model = load(folder, language="en" if name == "Whisper" else None)
    together, alone = read_together(model, requests()), read_alone(model, requests())
    texts = [hypothesis.text for hypothesis in together]
    assert texts == [hypothesis.text for hypothesis in alone] == generated_texts(folder, model)
    assert all(0 <= hypothesis.confidence <= 1 for hypothesis in together if hypothesis.tokens)
    assert {hypothesis.language for hypothesis in together} == {"en" if name == "Whisper" else None}


@pytest.mark.parametrize("name", ["Moonshine", "Speech2Text", "Whisper"])
@torch.inference_mode()
def test_likelihood_of_a_text_is_the_cross_entropy_of_its_decoder(saved, name, monkeypatch):
    import transformers

    monkeypatch.setattr("winnow.engines.transformers.generator.TOKENS_PER_SECOND", 1)
    folder = saved("WRITERS", name)
    model = load(folder, language="en" if name == "Whisper" else None)
    class_name = json.loads((folder / "config.json").read_text())["architectures"][0]
    own = getattr(transformers, class_name).from_pretrained(folder)
    ids = model.reader.vocabulary.write("of the and", None)
    reading = model.reader.read([clip.samples for clip in clips()], requests())
    for row, clip in enumerate(clips()):
        inputs = model.reader.asking.loaded.extractor(clip.samples, sampling_rate=16_000, return_tensors="pt")
        prompt = model.reader.whisper.prompt("en") if name == "Whisper" else [own.config.decoder_start_token_id]
        logits = own(**inputs, decoder_input_ids=torch.tensor([[*prompt, *ids]])).logits[0, len(prompt) - 1 :]
        loss = torch.nn.functional.cross_entropy(logits, torch.tensor([*ids, model.reader.ends[0]]), reduction="sum")
        value = reading.scorer.log_likelihoods([(row, ids)])[0]
        assert -value == pytest.approx(loss.item(), rel=1e-5, abs=1e-3)


def test_evidence_is_not_that_of_what_another_thread_reads(saved):
    reader = load(saved("WRITERS", "Moonshine")).reader
    first, second, *_ = (clip.samples for clip in clips())
    with reader.encoder_output() as taken, ThreadPoolExecutor(1) as others:
        others.submit(reader.encode, [first]).result()
        own = reader.encode([second])
    (output,) = taken
    assert torch.equal(output.last_hidden_state, own)


def test_whisper_reads_more_than_a_window_and_tells_the_language_that_it_was_given(saved, monkeypatch):
    monkeypatch.setattr("winnow.engines.transformers.generator.TOKENS_PER_SECOND", 1)
    model = load(saved("WRITERS", "Whisper"))
    long = replace(clips()[0], samples=np.tile(clips()[0].samples, 6)[: 16_000 * 35])
    short, first, second = requests("of the and", language="de-AT")
    hypotheses = model.transcribe([[(short, clips()[0]), (first, long)]])
    assert [hypothesis.language for hypothesis in hypotheses] == ["de", "de"]
    assert hypotheses[1].confidence is None
    assert model.transcribe([[(second, clips()[1])]])[0].evidence[0].gap is not None


def test_speech_model_is_asked_in_the_language_of_each_row(saved, monkeypatch):
    monkeypatch.setattr("winnow.engines.transformers.generator.TOKENS_PER_SECOND", 1)
    model = load(saved("WRITERS", "Qwen3ASR"))
    wanted = [
        replace(request, language=language) for request, language in zip(requests(), ("en", "de", None), strict=True)
    ]
    assert [hypothesis.language for hypothesis in read_together(model, wanted)] == ["en", "de", None]
    (unknown,) = transcribe_batches([[(replace(wanted[0], language="xx"), clips()[0])]], model)
    assert "xx" in str(unknown)


@pytest.mark.parametrize("name", ["Wav2Vec2", "ParakeetCTC"])
@torch.inference_mode()
def test_likelihood_of_a_text_is_the_loss_of_its_ctc_model(saved, name):
    from transformers import AutoFeatureExtractor, AutoModelForCTC

    folder = saved("CTC", name)
    model = load(folder)
    ids = model.reader.vocabulary.write("of the and", None)
    reading = model.reader.read([clip.samples for clip in clips()], requests())
    own, extractor = AutoModelForCTC.from_pretrained(folder), AutoFeatureExtractor.from_pretrained(folder)
    own.config.ctc_loss_reduction = "sum"
    for row, clip in enumerate(clips()):
        inputs = extractor(clip.samples, sampling_rate=16_000, return_tensors="pt")
        loss = own(**inputs, labels=torch.tensor([ids])).loss.item()
        assert -reading.scorer.log_likelihoods([(row, ids)])[0] == pytest.approx(loss, rel=1e-5, abs=1e-3)


def test_evidence_is_zero_for_what_was_read_and_positive_for_other_words(saved):
    model = load(saved("CTC", "Hubert"))
    (plain, *_) = read_alone(model, requests())
    words = [word for word in plain.text.split() if "<" not in word]
    (hypothesis, *_) = read_together(model, requests(plain.text, " ".join(words[:3]), "€", "word " * 500))
    same, other, unwritable, endless = hypothesis.evidence
    assert same.gap == 0.0
    assert other.gap > 0
    assert unwritable.reason == "NO_WORDS"
    assert endless.reason == "TOO_LONG_FOR_AUDIO"


def test_a_run_has_what_both_of_its_models_give_and_goes_on_without_them(saved, tmp_path, monkeypatch):
    monkeypatch.setattr("winnow.engines.transformers.generator.TOKENS_PER_SECOND", 1)
    lines = [json.dumps({"audio_filepath": str(path), "text": "of the and", "lang": "en"}) for path in SPEECH[:2]]
    (tmp_path / "corpus.jsonl").write_text("\n".join(lines))
    run = {
        "manifest": tmp_path / "corpus.jsonl", "output": tmp_path / "run",
        "small": f"hf:{saved('CTC', 'Wav2Vec2')}", "large": f"hf:{saved('WRITERS', 'Whisper')}",
        "gate": {"by": "confidence", "accept_confidence": 1, "reject_confidence": 0}, "filter": {"max_wer": 0.5},
    }  # fmt: skip
    report = curate(**run)
    assert (report.lines, report.dropped) == (2, 2)
    for row in published_rows(tmp_path / "run"):
        assert row["small_gap"] > 0
        assert row["large_gap"] is not None  # may be below 0: what was read has no end
        assert min(row["small_confidence"], row["large_confidence"]) >= 0
        assert (row["small_spoken_language"], row["large_spoken_language"]) == (None, "en")
        assert row["large_no_speech"] is None
    (tmp_path / "run" / "_SUCCESS.json").unlink()
    monkeypatch.setattr(ENGINE.__class__, "load", None)  # nothing is transcribed again
    assert curate(**run) == report


def test_weights_in_several_files_are_one_model(saved, tmp_path):
    from transformers import AutoModelForCTC

    whole = saved("CTC", "Wav2Vec2")
    shutil.copytree(whole, tmp_path / "sharded", ignore=shutil.ignore_patterns("*.safetensors"))
    AutoModelForCTC.from_pretrained(whole).save_pretrained(tmp_path / "sharded", max_shard_size="40KB")
    assert len(list((tmp_path / "sharded").glob("*.safetensors"))) > 1
    texts = [
        [hypothesis.text for hypothesis in read_together(load(folder), requests())]
        for folder in (whole, tmp_path / "sharded")
    ]
    assert texts[0] == texts[1]


@pytest.fixture
def copy(saved, tmp_path) -> Path:
    """Return a copy of a model that a test may spoil."""
    return shutil.copytree(saved("CTC", "Wav2Vec2"), tmp_path / "copy")


def edit(folder: Path, file: str, **settings) -> None:
    content = json.loads((folder / file).read_text())
    (folder / file).write_text(json.dumps(content | settings))


def test_a_model_that_is_here_is_shown_as_the_one_of_its_family(copy):
    card = dict(engine_card(f"hf:{copy}", ENGINE))
    assert card["engine"] == "transformers (ctc)"
    edit(copy, "config.json", architectures=["Wav2Vec2Model"])
    assert dict(engine_card(f"hf:{copy}", ENGINE))["engine"] == "transformers"


def remove(name: str):
    return lambda folder: (folder / name).unlink()


def write(name: str, content: str):
    return lambda folder: (folder / name).write_text(content)


def set_in(file: str, **settings):
    return lambda folder: edit(folder, file, **settings)


INDEX = "model.safetensors.index.json"


def shards_elsewhere(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    (folder / INDEX).write_text(json.dumps({"weight_map": {"a": "../model.safetensors"}}))


REFUSED = {
    "no configuration": (remove("config.json"), "config.json is missing"),
    "weights as a pickle": (remove("model.safetensors"), "model.safetensors is missing; weights in other formats"),
    "weights of another folder": (shards_elsewhere, "expected names of files in the same folder"),
    "an adapter": (write("adapter_config.json", "{}"), "has an adapter beside the model"),
    "code of its own": (
        set_in("config.json", auto_map={"AutoModel": "modeling.X"}),
        "auto_map: asks for code of its own",
    ),
    "code of its tokenizer": (
        set_in("tokenizer_config.json", auto_map={"A": "t.X"}),
        "tokenizer_config.json: auto_map",
    ),
    "code inside": (set_in("config.json", a=[{"auto_map": {"A": "b.C"}}]), "auto_map: asks for code of its own"),
    "code from a hub": (set_in("config.json", _attn_implementation="kernels/x"), "asks for code from a hub"),
    "a further model": (
        write("processor_config.json", '{"audio_tokenizer": {"audio_tokenizer_class": "X", "path": "a/b"}}'),
        "processor_config.json: audio_tokenizer: asks for a further model",
    ),
    "quantized": (set_in("config.json", quantization_config={"bits": 4}), "has quantized weights"),
    "another class": (
        set_in("config.json", architectures=["Wav2Vec2Model"]),
        "unsupported model class 'Wav2Vec2Model'",
    ),
    "a synthesizer": (set_in("config.json", architectures=["DiaForConditionalGeneration"]), "unsupported model class"),
    "a broken configuration": (write("config.json", "[" * 100_000), "config.json: not JSON"),
}


@pytest.mark.parametrize(("spoil", "complaint"), REFUSED.values(), ids=REFUSED)
def test_what_could_run_code_or_is_no_model_is_refused_in_words(copy, spoil, complaint):
    spoil(copy)
    with pytest.raises(CheckpointError, match=complaint):
        ENGINE.resolve(f"hf:{copy}")


def damage(folder: Path) -> None:
    (folder / "model.safetensors").write_bytes(b"\x80\x04" * 100)


def change_weights(change):
    def spoil(folder: Path) -> None:
        from safetensors.torch import load_file, save_file

        tensors = load_file(folder / "model.safetensors")
        change(tensors)
        save_file(tensors, folder / "model.safetensors", {"format": "pt"})

    return spoil


BROKEN = {
    "damaged": (damage, "safetensors cannot open it"),
    "incomplete": (change_weights(lambda tensors: tensors.pop("lm_head.weight")), "1 weights are missing"),
    "not finite": (change_weights(lambda tensors: tensors["lm_head.bias"].fill_(float("nan"))), "not all weights are"),
    "no blank": (set_in("config.json", pad_token_id=99), "pad_token_id, the blank of CTC, is 99"),
}


@pytest.mark.parametrize(("spoil", "complaint"), BROKEN.values(), ids=BROKEN)
def test_broken_weights_are_refused_in_words(copy, spoil, complaint):
    spoil(copy)
    with pytest.raises(CheckpointError, match=complaint):
        load(copy)


def test_options_that_a_family_cannot_follow_are_refused(copy):
    checkpoint = ENGINE.resolve(f"hf:{copy}")
    assert ENGINE.refuses(checkpoint, EngineOptions(timestamps=True, doubtful_words=True)) == {}
    refused = ENGINE.refuses(checkpoint, EngineOptions(decoder="ctc", language="de", punctuation=True))
    assert set(refused) == {"decoder", "language", "punctuation"}
    whisper = checkpoint.model_copy(update={"family": "whisper"})
    assert set(ENGINE.refuses(whisper, EngineOptions(language="de", timestamps=True))) == {"timestamps"}


LACKING = {
    "ctc": {"no speech", "spoken language", "long audio"},
    "prompted transducer": {"no speech", "spoken language", "long audio"},
    "whisper": {"no speech", "word times", "evidence", "confidence"},
    "whisper-en": {"no speech", "word times", "evidence", "confidence", "spoken language"},
    "encoder-decoder": {"no speech", "word times", "spoken language", "long audio"},
    "prompted": {"no speech", "word times", "long audio"},
    "multilingual-speech-llm": {"no speech", "word times", "spoken language", "evidence", "long audio"},
}


@pytest.mark.parametrize("family", LACKING)
def test_models_tell_what_their_family_cannot_give(family):
    assert ENGINE.cannot_give(family).keys() == LACKING[family]
