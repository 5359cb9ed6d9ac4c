"""The losses of the demo's training: CTC, and a transducer loss that is fast enough on a CPU."""

from typing import Any

import torch


def transducer_loss(
    logits: torch.Tensor,
    targets: torch.Tensor,
    frames: torch.Tensor,
    tokens: torch.Tensor,
    blank: int,
) -> torch.Tensor:
    """Return the transducer loss (Graves, arXiv 1211.3711) in nats per token.

    `logits` has the shape [batch, frames, tokens + 1, vocabulary]. Each row of the lattice is one cumulative
    log-sum, so the only loop is over frames: on a CPU this is many times faster than NeMo's numba kernel.
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


def training_loss(
    model: Any, wave: torch.Tensor, lengths: torch.Tensor, texts: list[str], transduce: bool
) -> torch.Tensor:
    """Return the CTC loss of a batch, or with `transduce` 0.7 of the transducer loss and 0.3 of the CTC loss."""
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
