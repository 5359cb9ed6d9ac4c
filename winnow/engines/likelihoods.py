"""The log-likelihood of given texts under a model: the sum over all alignments, in nats.

Texts are token ids, with the index of the utterance that each belongs to. Every function returns one number a text:
minus infinity if the utterance has too few frames for it. Texts are computed a few at a time, within the memory for
MAX_NUMBERS.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import ctc_loss, pad

MAX_NUMBERS = 2**24  # in the largest tensor of a group of texts: 64 MiB

Text = tuple[int, Sequence[int]]
"""The index of an utterance, and a text's token ids."""


def ctc_log_likelihoods(scores: Tensor, frames: Tensor, texts: Sequence[Text], blank: int) -> list[float]:
    """Return the log-likelihoods under CTC (Graves et al. 2006, "Connectionist temporal classification").

    `scores` are log-probabilities [utterances, frames, vocabulary], `frames` the lengths of the utterances.
    """
    results: list[Tensor] = []
    for group in groups(texts, lambda _: scores.shape[1] * scores.shape[2]):
        labels, lengths, rows = to_batch(group, scores.device)
        own = scores[rows].transpose(0, 1).float()
        results.append(-ctc_loss(own, labels, frames[rows].to(lengths.dtype), lengths, blank, reduction="none"))
    return to_list(results)


def rnnt_sum(emits: Tensor, blanks: Tensor, frames: Tensor, lengths: Tensor) -> Tensor:
    """Sum over the lattice of a transducer (Graves 2012, arXiv 1211.3711); return each text's log-likelihood.

    `emits` [texts, labels, frames] and `blanks` [texts, labels + 1, frames] are the log-probabilities of the next label
    and of the next frame, `frames` and `lengths` the numbers of frames and of labels of each text. Each frame is one
    cumulative log-sum over the labels, so the only loop is over frames.
    """
    across = pad(emits.double().cumsum(1), (0, 0, 1, 0)).permute(2, 0, 1).contiguous()
    blanks = blanks.double().permute(2, 0, 1)
    gains = blanks[:-1] + across[:-1] - across[1:]
    row = torch.zeros_like(across[0])  # of the current frame, less the labels across it
    rows = [row]
    for gain in gains:
        row = torch.logcumsumexp(row + gain, -1)
        rows.append(row)
    texts, last = torch.arange(len(lengths), device=lengths.device), (frames - 1).clamp(min=0)
    total = torch.stack(rows)[last, texts, lengths] + (across + blanks)[last, texts, lengths]
    return torch.where(frames > 0, total, -torch.inf)


def tdt_sum(
    emits: Tensor, blanks: Tensor, spans: Tensor, frames: Tensor, lengths: Tensor, durations: Sequence[int]
) -> Tensor:
    """Sum over the lattice of a token-and-duration transducer (Xu et al. 2023, arXiv 2304.06795).

    As `rnnt_sum`; `spans` [texts, labels + 1, frames, durations] are the log-probabilities of the frames that a step
    takes, of which a blank takes at least one.
    """
    emits, blanks = emits.double().permute(2, 0, 1), blanks.double().permute(2, 0, 1)
    by_duration = spans.double().permute(3, 2, 0, 1)
    texts = torch.arange(len(lengths), device=lengths.device)
    impossible = torch.full_like(blanks[0], -torch.inf)
    start = impossible.clone()
    start[:, 0] = 0.0
    total = torch.full((len(lengths),), -torch.inf, dtype=blanks.dtype, device=blanks.device)
    rows: list[Tensor] = []
    for t in range(len(blanks)):
        arrivals = [impossible if t else start]
        for span, own in zip(durations, by_duration, strict=True):
            if span and t >= span:
                earlier = rows[t - span] + own[t - span]
                arrivals.append(earlier + blanks[t - span])
                arrivals.append(pad(earlier[:, :-1] + emits[t - span], (1, 0), value=-torch.inf))
        row = torch.logsumexp(torch.stack(arrivals), 0)
        if 0 in durations:
            across = pad((emits[t] + by_duration[list(durations).index(0)][t, :, :-1]).cumsum(-1), (1, 0))
            row = torch.logcumsumexp(row - across, -1) + across
        rows.append(row)
        for span, own in zip(durations, by_duration, strict=True):
            if span:
                last = row[texts, lengths] + blanks[t, texts, lengths] + own[t, texts, lengths]
                total = torch.where(frames == t + span, torch.logaddexp(total, last), total)
    return total


def groups(texts: Sequence[Text], numbers: Callable[[int], int]) -> Iterator[list[Text]]:
    """Yield the texts in groups that fit into memory; `numbers` are those of one text, by the group's most tokens."""
    group: list[Text] = []
    longest = 0
    for text in texts:
        longest = max(longest, len(text[1]))
        if group and (len(group) + 1) * numbers(longest) > MAX_NUMBERS:
            yield group
            group, longest = [], len(text[1])
        group.append(text)
    if group:
        yield group


def to_batch(texts: Sequence[Text], device: Any) -> tuple[Tensor, Tensor, Tensor]:
    """Return the labels of texts, padded with 0 [texts, labels], their numbers of labels, and their utterances."""
    lengths = [len(ids) for _, ids in texts]
    most = max(1, *lengths) if lengths else 1
    labels = torch.tensor([[*ids, *[0] * (most - len(ids))] for _, ids in texts])
    rows = torch.tensor([utterance for utterance, _ in texts])
    return labels.to(device), torch.tensor(lengths).to(device), rows.to(device)


def to_list(results: list[Tensor]) -> list[float]:
    """Return the numbers of all tensors, copied from the device at once."""
    return torch.cat(results).tolist() if results else []
