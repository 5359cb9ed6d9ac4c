"""The log-likelihoods of texts under a transducer, RNNT or TDT, in whose lattices each prefix is computed once.

The joint network, which is nearly all of the work, sees a prefix and a frame at a time, and the texts of an utterance
have most of their prefixes in common: they are written like its reading and differ from it in a few words.
"""

from collections.abc import Iterator, Sequence
from functools import partial
from itertools import groupby
from operator import itemgetter
from typing import Protocol

import torch
from torch import Tensor

from winnow.engines.likelihoods import MAX_NUMBERS, Text, groups, rnnt_sum, tdt_sum, to_batch, to_list

MAX_TOKENS_PER_FRAME = 4  # of texts under a transducer, which could emit any number; speech has less than one
CACHED_NUMBERS = 2**18  # in the output of the joint network on a CPU; larger ones leave its cache
CACHED_LATTICES = 2**17  # numbers in the lattices of a group on a CPU; larger groups also have more padding


class TransducerNetworks(Protocol):
    """The networks of a transducer behind its encoder. `outputs` is how many numbers a step's distribution has."""

    outputs: int

    def predict(self, labels: Tensor) -> Tensor:
        """Return the predictor's output after each prefix of labels, from none on [texts, labels + 1, width]."""

    def project(self, encoded: Tensor) -> Tensor:
        """Return what the joint network gets of the encoder's output [utterances, width, frames], frames first."""

    def join(self, hidden: Tensor) -> Tensor:
        """Return the joint network's outputs for sums of both, before the softmax; durations come last."""


class PrefixTree:
    """The prefixes of texts; each is a node, and the nodes of an utterance are adjacent.

    `paths` are the nodes of each text, from the empty prefix on. `sources` are a text with each prefix, and its length.
    """

    def __init__(self, texts: Sequence[Text]) -> None:
        self.utterances: list[int] = []
        self.parents: list[int] = []
        self.labels: list[int] = []
        self.sources: list[tuple[int, int]] = []
        self.paths: list[list[int]] = []
        nodes: dict[tuple[int, int], int] = {}
        for index, (utterance, ids) in enumerate(texts):
            node, path = -1 - utterance, []
            for length, label in enumerate((0, *ids)):
                child = nodes.setdefault((node, label), len(self.labels))
                if child == len(self.labels):
                    self.utterances.append(utterance)
                    self.parents.append(node)
                    self.labels.append(label)
                    self.sources.append((index, length))
                node = child
                path.append(node)
            self.paths.append(path)


def bounded_log_likelihoods(
    networks: TransducerNetworks,
    encoded: Tensor,
    frames: Tensor,
    texts: Sequence[Text],
    blank: int,
    durations: Sequence[int] = (),
) -> list[float]:
    """As `transducer_log_likelihoods`; a text with more than MAX_TOKENS_PER_FRAME is too long."""
    lengths = frames.tolist()
    fitting = [i for i, (row, ids) in enumerate(texts) if len(ids) <= MAX_TOKENS_PER_FRAME * lengths[row]]
    sums = transducer_log_likelihoods(networks, encoded, frames, [texts[i] for i in fitting], blank, durations)
    values = dict(zip(fitting, sums, strict=True))
    return [values.get(i, -torch.inf) for i in range(len(texts))]


def transducer_log_likelihoods(
    networks: TransducerNetworks,
    encoded: Tensor,
    frames: Tensor,
    texts: Sequence[Text],
    blank: int,
    durations: Sequence[int] = (),
) -> list[float]:
    """Return the log-likelihoods under a transducer, or with durations a token-and-duration transducer (TDT).

    `encoded` has the shape [utterances, width, frames], `frames` are the lengths of the utterances.
    """
    lengths = frames.tolist()
    order = sorted(range(len(texts)), key=lambda i: (-lengths[texts[i][0]], texts[i][0]))
    most = MAX_NUMBERS if encoded.is_cuda else CACHED_LATTICES
    results = [
        lattice_sums(networks, encoded, lengths, group, blank, durations)
        for group in utterance_groups([texts[i] for i in order], lengths, most)
    ]
    values = dict(zip(order, to_list(results), strict=True))
    return [values[i] for i in range(len(texts))]


def utterance_groups(texts: Sequence[Text], lengths: Sequence[int], most: int) -> Iterator[list[Text]]:
    """Yield texts, those of the longest utterances first, in groups whose lattices have at most so many numbers.

    The texts of an utterance stay together if they fit into memory.
    """
    group: list[Text] = []
    for utterance, own in groupby(texts, itemgetter(0)):
        for part in groups(list(own), partial(lattice_numbers, lengths[utterance])):
            together = [*group, *part]
            longest = max(len(ids) for _, ids in together)
            if group and len(together) * lattice_numbers(lengths[group[0][0]], longest) > most:
                yield group
                together = part
            group = together
    if group:
        yield group


def lattice_numbers(frames: int, labels: int) -> int:
    """Return the numbers in a lattice, which has a label and a blank at each place."""
    return frames * (labels + 1) * 2


def lattice_sums(
    networks: TransducerNetworks,
    encoded: Tensor,
    lengths: Sequence[int],
    texts: list[Text],
    blank: int,
    durations: Sequence[int],
) -> Tensor:
    """Return the log-likelihoods of some texts [texts], those of the longest utterance first."""
    device = encoded.device
    tree = PrefixTree(texts)
    labels, label_counts, _ = to_batch(texts, device)
    sources = torch.tensor(tree.sources).to(device)
    predicted = networks.predict(labels)[sources[:, 0], sources[:, 1]]
    blanks, emits, spans = node_scores(networks, encoded, lengths, predicted, tree, blank, durations)
    paths = torch.tensor([[*path, *[0] * (labels.shape[1] + 1 - len(path))] for path in tree.paths]).to(device)
    frames = torch.tensor([lengths[utterance] for utterance, _ in texts]).to(device)
    if durations:
        return tdt_sum(emits[paths[:, 1:]], blanks[paths], spans[paths], frames, label_counts, durations)
    return rnnt_sum(emits[paths[:, 1:]], blanks[paths], frames, label_counts)


def node_scores(
    networks: TransducerNetworks,
    encoded: Tensor,
    lengths: Sequence[int],
    predicted: Tensor,
    tree: PrefixTree,
    blank: int,
    durations: Sequence[int],
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the log-probabilities, at each frame, of a blank after each prefix, of its last label, and of durations.

    `predicted` are the prefixes [nodes, width]. The shapes are [nodes, frames], the last one's [nodes, frames,
    durations]; frames after the end of an utterance have any value.
    """
    own = {utterance: place for place, utterance in enumerate(dict.fromkeys(tree.utterances))}
    node_frames = [max(1, lengths[utterance]) for utterance in tree.utterances]
    utterances, parents, tokens = (
        torch.tensor(numbers).to(predicted.device)
        for numbers in ([own[utterance] for utterance in tree.utterances], tree.parents, tree.labels)
    )
    projected = networks.project(encoded[list(own), :, : node_frames[0]])
    count = len(predicted)
    blanks, emits = projected.new_zeros((2, count, node_frames[0]))
    spans = projected.new_zeros((count, node_frames[0], len(durations)))
    children: list[list[int]] = [[] for _ in range(count)]
    for child, parent in enumerate(tree.parents):
        if parent >= 0:
            children[parent].append(child)
    numbers = (MAX_NUMBERS if projected.is_cuda else CACHED_NUMBERS) // networks.outputs
    start = 0
    while start < count:
        most = node_frames[start]
        chunk = slice(start, start + max(1, numbers // most))
        hidden = projected[utterances[chunk], :most].add_(predicted[chunk, None])
        logits = networks.join(hidden).float()
        if durations:
            spans[chunk, :most] = logits[..., -len(durations) :].log_softmax(-1)
            logits = logits[..., : -len(durations)]
        norm = logits.logsumexp(-1)
        blanks[chunk, :most] = logits[..., blank] - norm
        following = torch.tensor([child for own in children[chunk] for child in own], dtype=torch.long)
        following = following.to(predicted.device)
        before = parents[following] - start
        emits[following, :most] = logits[before, :, tokens[following]] - norm[before]
        start = chunk.stop
    return blanks, emits, spans
