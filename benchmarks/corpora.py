"""Corpora for benchmarks, and models of published sizes with random weights."""

import json
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from demo.fastconformer import SAMPLE_RATE, Size, configuration
from winnow.audio.decode import load_clip
from winnow.audio.measurements import BadAudio
from winnow.engines.engine import Request
from winnow.engines.nemo.nemo_import import silence_nemo

DEMO = Path(__file__).parent.parent / "demo"
MAX_SECONDS = 60.0
# NeMo's published sizes (examples/asr/conf/fastconformer/fast-conformer_ctc_bpe.yaml)
SIZES = {
    "toy": Size(32, 2, 2, 32),
    "14 M": Size(176, 16, 4, 176),
    "115 M": Size(512, 17, 8, 256),
    "0.6 B": Size(1024, 24, 8, 256),
}


@dataclass(frozen=True)
class Corpus:
    """Requests for whole audio files, with their durations and references, unsorted."""

    name: str
    requests: list[Request]


def demo_corpus(every: int = 1) -> Corpus:
    """Return the demo's utterances that are whole files and can be decoded, of every so many lines."""
    requests = []
    for line in (DEMO / "corpus" / "manifest.jsonl").read_text().splitlines()[::every]:
        if line.startswith('{"audio_filepath": "audio/') and line.endswith("}"):
            row = json.loads(line)
            path = str(DEMO / "corpus" / row["audio_filepath"])
            try:
                load_clip(path, row.get("offset"), row.get("duration"), SAMPLE_RATE, MAX_SECONDS)
            except BadAudio:
                continue
            if row.get("offset") is None and row["text"]:
                requests.append(Request(path, None, row.get("duration"), texts=(row["text"],)))
    return Corpus("demo" if every == 1 else f"demo, 1/{every}", requests)


def librispeech_like(folder: Path, utterances: int) -> Corpus:
    """Write flac files of demo speech of 1 to 17 s, most of them long, as in LibriSpeech's training sets."""
    rng = np.random.default_rng(7)
    spoken = demo_corpus().requests[:150]
    speech = [load_clip(request.path, None, None, SAMPLE_RATE, MAX_SECONDS).samples for request in spoken]
    requests = []
    for i in range(utterances):
        pieces = rng.permutation(len(speech))[:12]
        samples = np.concatenate([speech[j] for j in pieces])
        words = " ".join(text for j in pieces for text in spoken[j].texts).split()
        share = int((1 + 16 * rng.beta(2.5, 1.3)) * SAMPLE_RATE) / len(samples)
        text = " ".join(words[: int(len(words) * share)])
        samples = samples[: int(len(samples) * share)]
        path = folder / f"{i:04}.flac"
        soundfile.write(path, samples, SAMPLE_RATE)
        requests.append(Request(str(path), None, len(samples) / SAMPLE_RATE, texts=(text,)))
    return Corpus("LibriSpeech-like", requests)


def random_weights(name: str, kind: str, folder: Path, corpus: Corpus) -> Path:
    """Save a FastConformer of a published size with random weights; `kind` is ctc, rnnt or tdt.

    The model emits about 3.5 tokens per second, as in speech.
    """
    import torch

    with silence_nemo():
        from nemo.collections.asr.models import EncDecCTCModelBPE, EncDecRNNTBPEModel
        from omegaconf import OmegaConf

        with tarfile.open(DEMO / "small.nemo") as archive:
            archive.extractall(folder, filter="data")
        for file in folder.iterdir():
            if "_tokenizer." in file.name or "_vocab." in file.name:
                file.rename(folder / file.name.partition("_")[2])
        torch.manual_seed(0)
        config = configuration(SIZES[name], folder, hybrid=kind != "ctc")
        if kind != "ctc":
            del config["aux_ctc"]
            config = tdt_configuration(config) if kind == "tdt" else config
            model = EncDecRNNTBPEModel(cfg=OmegaConf.create(config)).eval()
            balance_blank(model, corpus)
        else:
            model = EncDecCTCModelBPE(cfg=OmegaConf.create(config)).eval()
            lower_blank_bias(model, corpus)
        path = folder / f"{kind}.nemo"
        model.save_to(str(path))
    return path


def tdt_configuration(config: dict[str, Any]) -> dict[str, Any]:
    """Turn a transducer's configuration into a token-and-duration one, as parakeet-tdt has it."""
    durations = [0, 1, 2, 3, 4]
    config["joint"]["num_extra_outputs"] = len(durations)
    config["decoding"] |= {"model_type": "tdt", "durations": durations}
    config["loss"] = {"loss_name": "tdt", "tdt_kwargs": {"durations": durations}}
    return config


def balance_blank(model: Any, corpus: Corpus) -> None:
    """Find a bias of a transducer's blank with which it emits about 3.5 tokens per second, by bisection."""
    import torch

    seconds, encoded, frames = encode_first(model, corpus)
    bias = model.joint.joint_net[-1].bias
    blank, low, high = model.decoding.blank_id, -10.0, 10.0
    with torch.inference_mode():
        for _ in range(12):
            bias[blank] = (low + high) / 2
            (hypothesis,) = model.decoding.rnnt_decoder_predictions_tensor(encoded, frames)
            if len(hypothesis.y_sequence) > 3.5 * seconds:
                low = float(bias[blank])
            else:
                high = float(bias[blank])


def encode_first(model: Any, corpus: Corpus) -> tuple[float, Any, Any]:
    """Return the seconds of the corpus's first utterance, its encoding and the length of that [frames]."""
    import torch

    clip = load_clip(corpus.requests[0].path, None, None, SAMPLE_RATE, MAX_SECONDS)
    wave, length = torch.from_numpy(clip.samples)[None], torch.tensor([len(clip.samples)])
    with torch.inference_mode():
        features, frames = model.preprocessor(input_signal=wave, length=length)
        return clip.seconds, *model.encoder(audio_signal=features, length=frames)


def lower_blank_bias(model: Any, corpus: Corpus) -> None:
    """Change the bias of the blank so that the model emits about 3.5 tokens per second, as in speech."""
    import torch

    seconds, encoded, _ = encode_first(model, corpus)
    with torch.inference_mode():
        scores = model.decoder(encoder_output=encoded)[0]
        margin = (scores[:, :-1].max(-1).values - scores[:, -1]).sort(descending=True).values
        model.decoder.decoder_layers[0].bias[-1] += margin[min(int(3.5 * seconds), len(margin) - 1)]
