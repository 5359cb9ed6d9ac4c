"""What benchmarks read, and the models they read it with."""

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
LONGEST = 60.0
# NeMo's published sizes (examples/asr/conf/fastconformer/fast-conformer_ctc_bpe.yaml)
SIZES = {"14 M": Size(176, 16, 4, 176), "115 M": Size(512, 17, 8, 256), "0.6 B": Size(1024, 24, 8, 256)}


@dataclass(frozen=True)
class Corpus:
    """Audio files with their lengths in seconds, in no order."""

    name: str
    requests: list[Request]


def demo_corpus() -> Corpus:
    """The utterances of the demo that are whole files and can be read."""
    found = []
    for line in (DEMO / "corpus" / "manifest.jsonl").read_text().splitlines():
        if line.startswith('{"audio_filepath": "audio/') and line.endswith("}"):
            row = json.loads(line)
            path = str(DEMO / "corpus" / row["audio_filepath"])
            try:
                load_clip(path, row.get("offset"), row.get("duration"), SAMPLE_RATE, LONGEST)
            except BadAudio:
                continue
            if row.get("offset") is None and row["text"]:
                found.append(Request(path, None, row.get("duration")))
    return Corpus("demo", found)


def librispeech_like(folder: Path, utterances: int) -> Corpus:
    """Flac files of demo speech, 1 to 17 s long with most of them long, as in LibriSpeech's training sets."""
    pick = np.random.default_rng(7)
    speech = [load_clip(r.path, None, None, SAMPLE_RATE, LONGEST).samples for r in demo_corpus().requests[:150]]
    requests = []
    for i in range(utterances):
        samples = np.concatenate([speech[j] for j in pick.permutation(len(speech))[:12]])
        samples = samples[: int((1 + 16 * pick.beta(2.5, 1.3)) * SAMPLE_RATE)]
        path = folder / f"{i:04}.flac"
        soundfile.write(path, samples, SAMPLE_RATE)
        requests.append(Request(str(path), None, len(samples) / SAMPLE_RATE))
    return Corpus("LibriSpeech-like", requests)


def random_weights(name: str, kind: str, folder: Path, corpus: Corpus) -> Path:
    """A FastConformer of a published size, ctc or tdt; its blank is as likely as lets 3.5 tokens a second through."""
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
        made = configuration(SIZES[name], folder, hybrid=kind == "tdt")
        if kind == "tdt":
            model = EncDecRNNTBPEModel(cfg=OmegaConf.create(token_and_duration(made))).eval()
        else:
            model = EncDecCTCModelBPE(cfg=OmegaConf.create(made)).eval()
            less_blank(model, corpus)
        path = folder / f"{kind}.nemo"
        model.save_to(str(path))
    return path


def token_and_duration(config: dict[str, Any]) -> dict[str, Any]:
    """The transducer's configuration, of tokens and durations as parakeet-tdt has it."""
    durations = [0, 1, 2, 3, 4]
    del config["aux_ctc"]
    config["joint"]["num_extra_outputs"] = len(durations)
    config["decoding"] |= {"model_type": "tdt", "durations": durations}
    config["loss"] = {"loss_name": "tdt", "tdt_kwargs": {"durations": durations}}
    return config


def less_blank(model: Any, corpus: Corpus) -> None:
    """Move the bias of the blank so that about 3.5 tokens a second are said, as in speech."""
    import torch

    clip = load_clip(corpus.requests[0].path, None, None, SAMPLE_RATE, LONGEST)
    wave, length = torch.from_numpy(clip.samples)[None], torch.tensor([len(clip.samples)])
    with torch.inference_mode():
        features, frames = model.preprocessor(input_signal=wave, length=length)
        encoded, _ = model.encoder(audio_signal=features, length=frames)
        scores = model.decoder(encoder_output=encoded)[0]
        margin = (scores[:, :-1].max(-1).values - scores[:, -1]).sort(descending=True).values
        model.decoder.decoder_layers[0].bias[-1] += margin[min(int(3.5 * clip.seconds), len(margin) - 1)]
