"""Train the demo's checkpoints on espeak-ng speech; training can be stopped and resumed at any time.

    python -m demo.train small        a FastConformer-CTC, 0.45 M parameters
    python -m demo.train large        a hybrid transducer-CTC FastConformer, 2.7 M parameters
    python -m demo.train third        another FastConformer-CTC, 0.54 M parameters, for ensembles

The training data contain no sentence and no voice of the demo corpus.
"""

import argparse
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from demo.fastconformer import SAMPLE_RATE, Size, configuration
from demo.losses import training_loss
from demo.speech import Samples
from demo.training_speech import BUILD, HELD_OUT, TrainingSpeech, load_speech, training_batches
from winnow.digests import sha256_of

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Recipe:
    """Size and schedule of one checkpoint; the transducer loss joins after `ctc_updates`.

    If training stops before the learning rate's `cycle` ends, the rate falls to 0 in the last `cooldown` updates.
    """

    size: Size
    vocabulary: int
    ctc_updates: int
    hybrid_updates: int
    learning_rate: float
    batch_seconds: float
    seed: int = 0
    cycle: int | None = None
    cooldown: int = 0


RECIPES = {
    "small": Recipe(
        Size(width=72, layers=3, heads=4, channels=64, dropout=0.05),
        vocabulary=128,
        ctc_updates=6_000,
        hybrid_updates=0,
        learning_rate=3e-3,
        batch_seconds=30,
    ),
    "large": Recipe(
        Size(width=128, layers=6, heads=4, channels=64, dropout=0.05),
        vocabulary=128,
        ctc_updates=3_000,
        hybrid_updates=6_000,
        learning_rate=2e-3,
        batch_seconds=30,
    ),
    "third": Recipe(
        Size(width=80, layers=3, heads=4, channels=64, dropout=0.05),
        vocabulary=128,
        ctc_updates=4_000,
        hybrid_updates=0,
        learning_rate=3e-3,
        batch_seconds=30,
        seed=1_000_000,
        cycle=6_000,
        cooldown=250,
    ),
}


def train_tokenizer(name: str, texts: list[str], vocabulary: int) -> Path:
    """Train a SentencePiece model and return its folder, in NeMo's layout."""
    import sentencepiece

    folder = BUILD / f"tokenizer-{name}"
    if not (folder / "vocab.txt").exists():
        folder.mkdir(parents=True, exist_ok=True)
        sentencepiece.SentencePieceTrainer.Train(
            sentence_iterator=iter(texts),
            model_prefix=str(folder / "tokenizer"),
            vocab_size=vocabulary,
            model_type="bpe",
            normalization_rule_name="identity",  # omits 240 KB of normalization rules
            bos_id=-1,
            eos_id=-1,
            minloglevel=2,
        )
        pieces = (folder / "tokenizer.vocab").read_text().splitlines()
        (folder / "vocab.txt").write_text("".join(f"{p.split(chr(9))[0]}\n" for p in pieces[1:]))
    return folder


def build_model(recipe: Recipe, tokens: Path) -> Any:
    """Return an untrained model."""
    from nemo.collections.asr.models import EncDecCTCModelBPE, EncDecHybridRNNTCTCBPEModel
    from omegaconf import OmegaConf

    hybrid = recipe.hybrid_updates > 0
    model_class = EncDecHybridRNNTCTCBPEModel if hybrid else EncDecCTCModelBPE
    return model_class(cfg=OmegaConf.create(configuration(recipe.size, tokens, hybrid)))


def pad_batch(utterances: list[Samples]) -> tuple[torch.Tensor, torch.Tensor]:
    """Return utterances padded to the longest one, [batch, samples], and their lengths."""
    lengths = torch.tensor([len(samples) for samples in utterances])
    wave = torch.zeros(len(utterances), int(lengths.max()))
    for row, samples in zip(wave, utterances, strict=True):
        row[: len(samples)] = torch.from_numpy(samples)
    return wave, lengths


def word_error_rates(model: Any, data: TrainingSpeech) -> dict[str, float]:
    """Return the WER on the held-out sentences, by the model's decoder."""
    import jiwer

    rng = np.random.default_rng(0)
    order = sorted(range(HELD_OUT), key=data.seconds)
    noisy = {i: data.noisy(i, rng) for i in order}
    hypotheses: dict[str, list[str]] = {}
    model.eval()
    with torch.inference_mode():
        for start in range(0, HELD_OUT, 25):
            wave, lengths = pad_batch([noisy[i] for i in order[start : start + 25]])
            features, frames = model.preprocessor(input_signal=wave, length=lengths)
            encoded, steps = model.encoder(audio_signal=features, length=frames)
            heads = {"ctc": getattr(model, "ctc_decoder", None) or model.decoder}
            for name, head in heads.items():
                decoding = getattr(model, "ctc_decoding", model.decoding)
                scores = head(encoder_output=encoded)
                decoded = decoding.ctc_decoder_predictions_tensor(scores, decoder_lengths=steps)
                hypotheses.setdefault(name, []).extend(hypothesis.text for hypothesis in decoded)
            if hasattr(model, "joint"):
                decoded = model.decoding.rnnt_decoder_predictions_tensor(encoded, steps)
                hypotheses.setdefault("transducer", []).extend(hypothesis.text for hypothesis in decoded)
    model.train()
    references = [data.texts[i] for i in order]
    return {name: float(jiwer.wer(references, texts)) for name, texts in hypotheses.items()}


def train(name: str, recipe: Recipe, threads: int) -> None:
    """Train a checkpoint, or resume its training, and write it with its digest into SHA256SUMS."""
    torch.set_num_threads(threads)
    torch.manual_seed(recipe.seed)
    data = load_speech()
    model = build_model(recipe, train_tokenizer(name, data.texts, recipe.vocabulary))
    print(f"{name}: {sum(p.numel() for p in model.parameters()):,} parameters")
    updates = recipe.ctc_updates + recipe.hybrid_updates
    optimizer = torch.optim.AdamW(model.parameters(), recipe.learning_rate, (0.9, 0.98), weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, recipe.learning_rate, total_steps=(recipe.cycle or updates) + 1, pct_start=0.06, div_factor=30
    )
    state, done = BUILD / f"{name}.state", 0
    if state.exists():
        saved = torch.load(state, weights_only=True)
        model.load_state_dict(saved["model"])
        optimizer.load_state_dict(saved["optimizer"])
        schedule.load_state_dict(saved["schedule"])
        done = saved["done"]
    rng = np.random.default_rng(recipe.seed + done)
    model.train()
    began, audio_seconds, recent = time.perf_counter(), 0.0, []
    stream = training_batches(data, recipe.batch_seconds, recipe.seed)
    for _ in range(done):
        next(stream)
    for step in range(done, updates):
        chosen = next(stream)
        wave, lengths = pad_batch([data.noisy(i, rng) for i in chosen])
        value = training_loss(model, wave, lengths, [data.texts[i] for i in chosen], step >= recipe.ctc_updates)
        optimizer.zero_grad()
        value.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        if (left := updates - step - 1) < recipe.cooldown:
            for group in optimizer.param_groups:
                group["lr"] *= left / recipe.cooldown
        audio_seconds += float(lengths.sum()) / SAMPLE_RATE
        recent.append(float(value.detach()))
        if (step + 1) % 250 == 0 or step + 1 == updates:
            rtfx = audio_seconds / (time.perf_counter() - began)
            rates = {k: round(v, 4) for k, v in word_error_rates(model, data).items()}
            print(f"{step + 1}/{updates} loss {np.mean(recent):.3f} WER {rates} RTFx {rtfx:.0f}", flush=True)
            recent = []
            saved = {"model": model.state_dict(), "optimizer": optimizer.state_dict()}
            torch.save(saved | {"schedule": schedule.state_dict(), "done": step + 1}, state.with_suffix(".tmp"))
            state.with_suffix(".tmp").replace(state)
    model.eval()
    model.save_to(str(HERE / f"{name}.nemo"))
    sums = [f"{sha256_of(path)}  {path.name}\n" for path in sorted(HERE.glob("*.nemo"))]
    (HERE / "SHA256SUMS").write_text("".join(sums))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", choices=RECIPES)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    train(options.name, RECIPES[options.name], options.threads)
