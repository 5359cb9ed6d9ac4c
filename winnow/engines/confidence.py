"""How sure a model is of a step, from the distribution over its tokens."""

import math
from typing import Any

ALPHA = 0.33


def entropy_confidence(scores: Any) -> Any:
    """Return the confidence (0 to 1) of each distribution, given as log-probabilities [..., tokens].

    It is the exponentially normalized Tsallis entropy (alpha 0.33), NeMo's default measure (Laptev and Ginsburg 2023,
    "Fast entropy-based methods of word-level confidence estimation for end-to-end automatic speech recognition").
    """
    least = math.exp((1 - scores.shape[-1] ** (1 - ALPHA)) / (1 - ALPHA))
    likeness = (scores * ALPHA).exp().sum(-1)
    return (((1 - likeness) / (1 - ALPHA)).exp() - least) / (1 - least)
