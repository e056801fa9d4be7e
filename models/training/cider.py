# SPDX-License-Identifier: LGPL-2.1-or-later
"""CIDEr-D of single captions against document frequencies of the training captions (Vedantam et al., 1411.5726).

pycocoevalcap, which scores the figures that are reported, knows whole corpora only, with frequencies of the corpus under test: a
caption's worth during training, and among its neighbours, needs this.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from functools import lru_cache

ORDERS = 4
SIGMA = 6.0  # of the penalty on differing lengths


@dataclass
class Vector:
    """tf-idf of the n-grams of a caption, order by order, their norms, and its length in bigrams."""

    weights: list[dict[tuple[str, ...], float]]
    norms: list[float]
    length: int


def plain(text: str) -> str:
    """Lower-case words; the usual tokenizer wants Java."""
    return " ".join("".join(c if c.isalnum() or c.isspace() else " " for c in text.lower()).split())


def grams(caption: str) -> Counter[tuple[str, ...]]:
    words = caption.split()
    return Counter(tuple(words[i : i + n]) for n in range(1, ORDERS + 1) for i in range(len(words) - n + 1))


class CiderD:
    def __init__(self, documents: list[list[str]]) -> None:
        """`documents`: the captions of each image, through `plain`."""
        self.frequency: Counter[tuple[str, ...]] = Counter()
        for captions in documents:
            self.frequency.update({g for c in captions for g in grams(c)})
        self.log_count = math.log(max(len(documents), 2))
        self.vector = lru_cache(200_000)(self._vector)

    def _vector(self, caption: str) -> Vector:
        weights: list[dict[tuple[str, ...], float]] = [{} for _ in range(ORDERS)]
        for gram, count in grams(caption).items():
            weights[len(gram) - 1][gram] = count * (self.log_count - math.log(max(1, self.frequency[gram])))
        norms = [math.sqrt(sum(v * v for v in w.values())) for w in weights]
        return Vector(weights, norms, max(0, len(caption.split()) - 1))

    def similarity(self, said: Vector, truth: Vector) -> float:
        """Mean over the orders, in 0..10."""
        total = 0.0
        for mine, theirs, a, b in zip(said.weights, truth.weights, said.norms, truth.norms):
            if a and b:
                total += sum(min(v, theirs[g]) * theirs[g] for g, v in mine.items() if g in theirs) / (a * b)
        return 10 * total / ORDERS * math.exp(-((said.length - truth.length) ** 2) / (2 * SIGMA**2))

    def score(self, said: str, truths: list[str]) -> float:
        mine = self.vector(said)
        return sum(self.similarity(mine, self.vector(t)) for t in truths) / max(len(truths), 1)
