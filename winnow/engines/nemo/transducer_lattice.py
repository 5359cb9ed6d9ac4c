"""The log-likelihoods of texts under a transducer, RNNT or TDT, in whose lattices each prefix is computed once.

The joint network, which is nearly all of the work, sees a prefix and a frame at a time, and the texts of an utterance
have most of their prefixes in common: they are written like its reading and differ from it in a few words.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from winnow.engines.nemo.likelihoods import MAX_NUMBERS, Text, groups, rnnt_sum, tdt_sum, to_batch, to_list

CACHED_NUMBERS = 2**20  # in the output of the joint network on a CPU; larger ones leave its cache


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


def transducer_log_likelihoods(
    model: Any, encoded: Tensor, frames: Tensor, texts: Sequence[Text], blank: int, durations: Sequence[int] = ()
) -> list[float]:
    """Return the log-likelihoods under a transducer, or with durations a token-and-duration transducer (TDT).

    `encoded` has the shape [utterances, width, frames], `frames` are the lengths of the utterances.
    """
    if not texts:
        return []
    projected = model.joint.project_encoder(encoded.transpose(1, 2))
    lengths_in_frames = frames.tolist()
    order = sorted(range(len(texts)), key=lambda i: texts[i][0])  # those of an utterance share a group
    results: list[Tensor] = []
    for group in groups([texts[i] for i in order], lambda longest: (longest + 1) * encoded.shape[2] * 2):
        results.append(lattice_sums(model, projected, frames, lengths_in_frames, group, blank, durations))
    values = dict(zip(order, to_list(results), strict=True))
    return [values[i] for i in range(len(texts))]


def lattice_sums(
    model: Any,
    projected: Tensor,
    frames: Tensor,
    lengths_in_frames: Sequence[int],
    texts: list[Text],
    blank: int,
    durations: Sequence[int],
) -> Tensor:
    """Return the log-likelihoods of some texts [texts], from the encoder's projected output."""
    device = projected.device
    tree = PrefixTree(texts)
    labels, lengths, rows = to_batch(texts, device)
    predicted, _ = model.decoder.predict(labels, None, add_sos=True)
    sources = torch.tensor(tree.sources).to(device)
    predicted = model.joint.project_prednet(predicted)[sources[:, 0], sources[:, 1]]
    most = max(1, *(lengths_in_frames[utterance] for utterance in set(tree.utterances)))
    blanks, emits, spans = node_scores(model.joint, projected[:, :most], predicted, tree, blank, durations)
    paths = torch.tensor([[*path, *[0] * (labels.shape[1] + 1 - len(path))] for path in tree.paths]).to(device)
    if durations:
        return tdt_sum(emits[paths[:, 1:]], blanks[paths], spans[paths], frames[rows], lengths, durations)
    return rnnt_sum(emits[paths[:, 1:]], blanks[paths], frames[rows], lengths)


def node_scores(
    joint: Any, projected: Tensor, predicted: Tensor, tree: PrefixTree, blank: int, durations: Sequence[int]
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the log-probabilities, at each frame, of a blank after each prefix, of its last label, and of durations.

    `predicted` are the prefixes [nodes, width]. The shapes are [nodes, frames], the last one's [nodes, frames,
    durations].
    """
    count, most = len(predicted), projected.shape[1]
    utterances, parents, tokens = (
        torch.tensor(numbers).to(predicted.device) for numbers in (tree.utterances, tree.parents, tree.labels)
    )
    blanks, emits = projected.new_zeros((2, count, most))
    spans = projected.new_zeros((count, most, len(durations)))
    children: list[list[int]] = [[] for _ in range(count)]
    for child, parent in enumerate(tree.parents):
        if parent >= 0:
            children[parent].append(child)
    size = max(1, (MAX_NUMBERS if projected.is_cuda else CACHED_NUMBERS) // (most * joint.num_classes_with_blank))
    for start in range(0, count, size):
        chunk = slice(start, start + size)
        logits = joint_outputs(joint, projected[utterances[chunk]] + predicted[chunk, None]).float()
        if durations:
            spans[chunk] = logits[..., -len(durations) :].log_softmax(-1)
            logits = logits[..., : -len(durations)]
        norm = logits.logsumexp(-1)
        blanks[chunk] = logits[..., blank] - norm
        following = torch.tensor([child for own in children[chunk] for child in own], dtype=torch.long)
        following = following.to(predicted.device)
        own = parents[following] - start
        emits[following] = logits[own, :, tokens[following]] - norm[own]
    return blanks, emits, spans


def joint_outputs(joint: Any, hidden: Tensor) -> Tensor:
    """Return the joint network's outputs before its softmax, which NeMo applies on a CPU only."""
    if joint.is_adapter_available():
        hidden = joint.forward_enabled_adapters(hidden)
    outputs: Tensor = joint.joint_net(hidden)
    return outputs
