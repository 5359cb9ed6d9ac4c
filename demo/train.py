"""Trains the demo's two checkpoints on espeak-ng speech; can be stopped and started again at any time.

    python -m demo.train small        a FastConformer-CTC, 0.4 M parameters
    python -m demo.train large        a hybrid transducer-CTC FastConformer, 2.9 M parameters

The sentences and voices of the demo corpus are not among the training data.
"""

import argparse
import concurrent.futures
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from demo.fastconformer import SAMPLE_RATE, Size, configuration
from demo.grammar import sentence
from demo.speech import (
    NOISES,
    TRAINING_VARIANTS,
    Samples,
    any_voice,
    noise,
    say,
    with_noise,
)

HERE = Path(__file__).parent
BUILD = HERE / "build"
UTTERANCES, HELD_OUT = 9_000, 150
TRAINING_SEED = 1


@dataclass(frozen=True)
class Recipe:
    """Sizes and schedule of one checkpoint; updates with the transducer loss come after those without."""

    size: Size
    vocabulary: int
    ctc_updates: int
    hybrid_updates: int
    learning_rate: float
    batch_seconds: float


RECIPES = {
    "small": Recipe(Size(72, 3, 4, 64, 0.05), 128, 6_000, 0, 3e-3, 30),
    "large": Recipe(Size(128, 6, 4, 64, 0.05), 128, 3_000, 6_000, 2e-3, 30),
}


# ---- the speech


@dataclass(frozen=True)
class Speech:
    """Clean utterances, int16 in one array, with their texts."""

    samples: NDArray[np.int16]
    starts: NDArray[np.int64]
    texts: list[str]

    def __len__(self) -> int:
        return len(self.texts)

    def seconds(self, i: int) -> float:
        return float(self.starts[i + 1] - self.starts[i]) / SAMPLE_RATE

    def clean(self, i: int) -> Samples:
        return self.samples[self.starts[i] : self.starts[i + 1]].astype(np.float32) / 32768

    def noisy(self, i: int, pick: np.random.Generator) -> Samples:
        others = [self.clean(int(j)) for j in pick.integers(len(self), size=4)]
        speech = self.clean(i)
        kind = NOISES[pick.integers(len(NOISES))]
        mixed = with_noise(speech, noise(kind, len(speech), pick, others), pick.uniform(3, 40))
        return mixed * np.float32(pick.uniform(0.2, 1.1))


def training_texts(pick: Random) -> list[str]:
    """What the training speech says, by a generator that was seeded with TRAINING_SEED."""
    return [sentence(pick) for _ in range(UTTERANCES)]


def speech() -> Speech:
    """The training speech, made once and kept under demo/build."""
    arrays, words = BUILD / "speech.npz", BUILD / "speech.txt"
    if not words.exists():
        BUILD.mkdir(exist_ok=True)
        pick = Random(TRAINING_SEED)
        texts = training_texts(pick)
        voices = [any_voice(pick, TRAINING_VARIANTS) for _ in texts]
        with concurrent.futures.ThreadPoolExecutor() as pool:
            spoken = [(x * 32767).astype(np.int16) for x in pool.map(say, texts, voices)]
        np.savez(arrays, samples=np.concatenate(spoken), starts=np.cumsum([0, *map(len, spoken)]))
        words.write_text("\n".join(texts))
    kept = np.load(arrays)
    return Speech(kept["samples"], kept["starts"], words.read_text().splitlines())


def batches(data: Speech, seconds: float, seed: int) -> Iterator[list[int]]:
    """Utterances of like length, about `seconds` a batch, in random order; the first epoch is short and easy."""
    shuffle = Random(seed)
    for epoch in range(1_000_000):
        order = list(range(HELD_OUT, len(data)))
        if epoch == 0:
            order = [i for i in order if data.seconds(i) < 3.0]
        order.sort(key=lambda i: data.seconds(i) + shuffle.uniform(-0.3, 0.3))
        groups: list[list[int]] = [[]]
        for i in order:
            if groups[-1] and (len(groups[-1]) + 1) * data.seconds(i) > seconds:
                groups.append([])
            groups[-1].append(i)
        shuffle.shuffle(groups)
        yield from groups


def padded(items: list[Samples]) -> tuple[torch.Tensor, torch.Tensor]:
    lengths = torch.tensor([len(x) for x in items])
    wave = torch.zeros(len(items), int(lengths.max()))
    for row, item in zip(wave, items, strict=True):
        row[: len(item)] = torch.from_numpy(item)
    return wave, lengths


# ---- the models


def tokenizer(name: str, texts: list[str], vocabulary: int) -> Path:
    """A SentencePiece model in NeMo's folder layout; `identity` leaves out 240 KB of normalisation rules."""
    import sentencepiece

    folder = BUILD / f"tokenizer-{name}"
    if not (folder / "vocab.txt").exists():
        folder.mkdir(parents=True, exist_ok=True)
        sentencepiece.SentencePieceTrainer.Train(
            sentence_iterator=iter(texts),
            model_prefix=str(folder / "tokenizer"),
            vocab_size=vocabulary,
            model_type="bpe",
            normalization_rule_name="identity",
            bos_id=-1,
            eos_id=-1,
            minloglevel=2,
        )
        pieces = (folder / "tokenizer.vocab").read_text().splitlines()
        (folder / "vocab.txt").write_text("".join(f"{p.split(chr(9))[0]}\n" for p in pieces[1:]))
    return folder


def build(recipe: Recipe, tokens: Path) -> Any:
    from nemo.collections.asr.models import EncDecCTCModelBPE, EncDecHybridRNNTCTCBPEModel
    from omegaconf import OmegaConf

    hybrid = recipe.hybrid_updates > 0
    kind = EncDecHybridRNNTCTCBPEModel if hybrid else EncDecCTCModelBPE
    return kind(cfg=OmegaConf.create(configuration(recipe.size, tokens, hybrid)))


# ---- the losses


def transducer_loss(
    logits: torch.Tensor,
    targets: torch.Tensor,
    frames: torch.Tensor,
    tokens: torch.Tensor,
    blank: int,
) -> torch.Tensor:
    """The transducer loss of Graves (arXiv 1211.3711) over [batch, frames, tokens + 1, vocabulary], nats a token.

    A row of the lattice is one cumulative log-sum, so that it costs a loop over frames only: on a CPU many times
    as fast as NeMo's numba kernel.
    """
    scores = logits.log_softmax(-1)
    blanks = scores[..., blank]
    index = targets[:, None, :, None].expand(-1, logits.shape[1], -1, 1)
    emits = scores[:, :, :-1].gather(-1, index).squeeze(-1)
    across = torch.nn.functional.pad(emits.cumsum(-1), (1, 0))
    row = across[:, 0]
    rows = [row]
    for t in range(1, logits.shape[1]):
        row = torch.logcumsumexp(row + blanks[:, t - 1] - across[:, t], -1) + across[:, t]
        rows.append(row)
    lattice = torch.stack(rows, 1) + blanks
    last = lattice[torch.arange(len(frames)), frames - 1, tokens]
    return -last.sum() / tokens.sum()


def loss(model: Any, wave: torch.Tensor, lengths: torch.Tensor, texts: list[str], transduce: bool) -> torch.Tensor:
    tokens = [torch.tensor(model.tokenizer.text_to_ids(t)) for t in texts]
    counts = torch.tensor([len(t) for t in tokens])
    targets = torch.nn.utils.rnn.pad_sequence(tokens, batch_first=True)
    with torch.no_grad():
        features, frames = model.preprocessor(input_signal=wave, length=lengths)
        features = model.spec_augmentation(input_spec=features, length=frames)
    encoded, steps = model.encoder(audio_signal=features, length=frames)
    ctc_decoder = getattr(model, "ctc_decoder", None) or model.decoder
    scores = ctc_decoder(encoder_output=encoded)
    blank = scores.shape[-1] - 1
    ctc = torch.nn.functional.ctc_loss(scores.transpose(0, 1), targets, steps, counts, blank, "sum", zero_infinity=True)
    ctc = ctc / counts.sum()
    if not transduce:
        return ctc
    predicted, *_ = model.decoder(targets=targets, target_length=counts)
    joint = model.joint(encoder_outputs=encoded, decoder_outputs=predicted)
    return 0.7 * transducer_loss(joint, targets, steps, counts, blank) + 0.3 * ctc


# ---- the training


def word_error_rates(model: Any, data: Speech) -> dict[str, float]:
    """WER on the held-out sentences, by branch of the model."""
    import jiwer

    pick = np.random.default_rng(0)
    order = sorted(range(HELD_OUT), key=data.seconds)
    noisy = {i: data.noisy(i, pick) for i in order}
    hypotheses: dict[str, list[str]] = {}
    model.eval()
    with torch.inference_mode():
        for at in range(0, HELD_OUT, 25):
            wave, lengths = padded([noisy[i] for i in order[at : at + 25]])
            features, frames = model.preprocessor(input_signal=wave, length=lengths)
            encoded, steps = model.encoder(audio_signal=features, length=frames)
            heads = {"ctc": getattr(model, "ctc_decoder", None) or model.decoder}
            for name, head in heads.items():
                decoding = getattr(model, "ctc_decoding", model.decoding)
                scores = head(encoder_output=encoded)
                said = decoding.ctc_decoder_predictions_tensor(scores, decoder_lengths=steps)
                hypotheses.setdefault(name, []).extend(h.text for h in said)
            if hasattr(model, "joint"):
                said = model.decoding.rnnt_decoder_predictions_tensor(encoded, steps)
                hypotheses.setdefault("transducer", []).extend(h.text for h in said)
    model.train()
    references = [data.texts[i] for i in order]
    return {name: float(jiwer.wer(references, said)) for name, said in hypotheses.items()}


def train(name: str, recipe: Recipe, threads: int) -> None:
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    data = speech()
    model = build(recipe, tokenizer(name, data.texts, recipe.vocabulary))
    print(f"{name}: {sum(p.numel() for p in model.parameters()):,} parameters")
    updates = recipe.ctc_updates + recipe.hybrid_updates
    optimizer = torch.optim.AdamW(model.parameters(), recipe.learning_rate, (0.9, 0.98), weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, recipe.learning_rate, total_steps=updates + 1, pct_start=0.06, div_factor=30
    )
    state, done = BUILD / f"{name}.state", 0
    if state.exists():
        saved = torch.load(state, weights_only=True)
        model.load_state_dict(saved["model"])
        optimizer.load_state_dict(saved["optimizer"])
        schedule.load_state_dict(saved["schedule"])
        done = saved["done"]
    pick = np.random.default_rng(done)
    model.train()
    began, heard, recent = time.perf_counter(), 0.0, []
    stream = batches(data, recipe.batch_seconds, seed=0)
    for _ in range(done):
        next(stream)
    for step in range(done, updates):
        chosen = next(stream)
        wave, lengths = padded([data.noisy(i, pick) for i in chosen])
        value = loss(model, wave, lengths, [data.texts[i] for i in chosen], step >= recipe.ctc_updates)
        optimizer.zero_grad()
        value.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        heard += float(lengths.sum()) / SAMPLE_RATE
        recent.append(float(value.detach()))
        if (step + 1) % 250 == 0 or step + 1 == updates:
            rate = heard / (time.perf_counter() - began)
            rates = {k: round(v, 4) for k, v in word_error_rates(model, data).items()}
            print(f"{step + 1}/{updates} loss {np.mean(recent):.3f} WER {rates} {rate:.0f} x real time", flush=True)
            recent = []
            saved = {"model": model.state_dict(), "optimizer": optimizer.state_dict()}
            torch.save(saved | {"schedule": schedule.state_dict(), "done": step + 1}, state.with_suffix(".tmp"))
            state.with_suffix(".tmp").replace(state)
    model.eval()
    model.save_to(str(HERE / f"{name}.nemo"))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", choices=RECIPES)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    train(options.name, RECIPES[options.name], options.threads)
