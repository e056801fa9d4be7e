# SPDX-License-Identifier: LGPL-2.1-or-later
"""Grounded captions: several candidates decoded as one batch, ranked by likelihood, retrieval and what the regions show
(NETWORK.md)."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from .config import Config
from .general_decoder import Cache
from .grounding import Grounding
from .model import Regions, UniPerceiver
from .steering import Steering
from .tokenizer import WordPiece

MASK64 = (1 << 64) - 1


@dataclass
class Ranking:
    """`caption.grounding.ranking` of config.json."""

    candidates: int = 8  # with the greedy one
    sharpness: float = 0.6  # of the captioning temperature, for all but the greedy one
    encoded: int = 3  # the best by the terms that need none, whose `<SPE>` is computed
    retrieval: float = 15.0  # weight of the cosine of `<SPE>`s
    regions: float = 8.0  # of support
    coverage: float = 1.0  # of the share of what is seen that a text names
    agreement: float = 5.0  # of how much of it the other candidates say
    floor: float = 0.48
    steering: float = 24.0  # weight of what the regions say, in the logits; 0: none

    @staticmethod
    def of(config: Config) -> Ranking:
        return Ranking(**config.raw["caption"].get("grounding", {}).get("ranking", {}))


@dataclass
class Word:
    """An object word of a caption: its tokens and, for each class or group that it needs, the best region."""

    start: int
    end: int
    needs: tuple[int, ...]
    regions: list[int]  # of each need: query, label, score
    labels: list[int]
    scores: list[float]


@dataclass
class Caption:
    ids: list[int]  # without [CLS] and [SEP]
    likelihood: float  # mean log-probability of a token, [SEP] counted where it was said
    support: float = 0.0  # Σ over needs of log_support
    coverage: float = 0.0  # the share of what is seen that it names
    agreement: float = 0.0  # the mean over the other candidates of what both say
    cosine: float | None = None  # of `<SPE>`s; None: not computed
    score: float = 0.0
    words: list[Word] = field(default_factory=list)
    margin: float = 1.0  # the least distance of its draws from another word, in the cumulated distribution


def uniform(candidate: int, step: int) -> float:
    """In [0, 1), the same everywhere: splitmix64's finalizer of the two numbers, its upper 53 bits."""
    x = ((candidate << 32 | step) + 1) * 0x9E3779B97F4A7C15 & MASK64
    x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9 & MASK64
    x = (x ^ x >> 27) * 0x94D049BB133111EB & MASK64
    return float((x ^ x >> 31) >> 11) * 2.0**-53


def draw(logits: np.ndarray, u: float) -> tuple[int, float]:
    """Inverse of the cumulated distribution, in the order of the candidates, all in float64; and how far u is from another one."""
    sums = np.exp(logits - logits.max()).cumsum()
    at = u * sums[-1]
    pick = min(int(np.searchsorted(sums, at, side="right")), len(logits) - 1)
    return pick, float(min(at - (sums[pick - 1] if pick else 0.0), sums[pick] - at) / sums[-1])


@torch.no_grad()
def decode(
    model: UniPerceiver, image: Cache, start: int, end: int, limit: int, ranking: Ranking, steering: Steering | None = None
) -> list[Caption]:
    """Candidates of one image, the greedy one first, as one batch. `steering` knows what the image shows."""
    temperature = model.config.tasks["captioning"]["temperature"]
    token_ids = model.caption.token_ids.tolist()
    rows = list(range(ranking.candidates))  # those that have not ended
    past = [(k.expand(len(rows), -1, -1, -1), v.expand(len(rows), -1, -1, -1)) for k, v in image]
    ids = torch.full((len(rows), 1), start)
    said: list[list[int]] = [[] for _ in rows]
    total, count, margins = [0.0] * len(rows), [0] * len(rows), [1.0] * len(rows)
    states = [steering.start] * len(rows) if steering else []
    for t in range(limit):
        x, new = model.decoder(model.causal_inputs(ids, t), "text_causal", None, past)
        past = [(torch.cat((a, c), 2), torch.cat((p, q), 2)) for (a, p), (c, q) in zip(past, new)]
        logits = model.vocabulary_cosines(x[:, -1]).double().numpy() / temperature
        going: list[int] = []
        for i, k in enumerate(rows):
            z = logits[i]
            steered = z + steering.bias(states[k]) if steering else z
            pick, margin = (int(steered.argmax()), 1.0) if k == 0 else draw(steered / ranking.sharpness, uniform(k, t))
            margins[k] = min(margins[k], margin)
            top = z.max()
            total[k] += float(z[pick] - top - np.log(np.exp(z - top).sum()))
            count[k] += 1
            if token_ids[pick] != end:
                said[k].append(token_ids[pick])
                going.append(i)
                if steering:
                    states[k] = steering.step(states[k], token_ids[pick])
        if not going:
            break
        if len(going) < len(rows):
            past = [(k[going], v[going]) for k, v in past]
            rows = [rows[i] for i in going]
        ids = torch.tensor([[said[k][-1]] for k in rows])
    return [Caption(s, a / n, margin=m) for s, a, n, m in zip(said, total, count, margins)]


@torch.no_grad()
def label_vectors(model: UniPerceiver, tokenizer: WordPiece) -> Tensor:
    """`<SPE>` of the model's own labels [C, D]."""
    rows = [tokenizer.encode(label) for label in model.config.labels]
    lengths = torch.tensor([len(r) for r in rows])
    ids = torch.tensor([r + [tokenizer.pad] * (int(lengths.max()) - len(r)) for r in rows])
    return model.encode_text(ids, lengths)


def combine(logits: Tensor, foreground: Tensor, weight: float) -> Tensor:
    """Detection scores of one image's regions: logits [N, C], foreground [N] → p^(1-w) · sigmoid(foreground)^w [N, C]."""
    p = logits.sigmoid()
    return p if weight == 0 else p ** (1 - weight) * foreground.sigmoid()[:, None] ** weight


def label_scores(model: UniPerceiver, seen: Regions, decoded: Tensor, labels: Tensor, known: Tensor | None = None) -> Tensor:
    """Detection scores of one image's regions for labels [C, D] → [N, C]. `known`: the model's own labels, where `labels` are others."""
    weight = model.config.tasks["detection"]["foreground_weight"]
    return combine(model.label_logits(seen, decoded, labels, known)[0], seen.foreground[0], weight)


def words(grounding: Grounding, ids: list[int], scores: Tensor) -> list[Word]:
    """The object words of a caption with the best region for each need; scores [N, C]. Of equal scores the lower class, then
    region, wins."""
    best, region = scores.max(0)
    out = []
    for m in grounding.mentions(ids):
        labels = [max(grounding.needs[n], key=lambda c: (float(best[c]), -c)) for n in m.needs]
        out.append(Word(m.start, m.end, m.needs, [int(region[c]) for c in labels], labels, [float(best[c]) for c in labels]))
    return out


def log_support(score: float, floor: float) -> float:
    """min(0, ln((e + 0.01) / (floor + 0.01))): what a score below the floor takes from a word."""
    return min(0.0, float(np.log((score + 0.01) / (floor + 0.01))))


def support(found: list[Word], floor: float) -> float:
    """Σ over what is needed, each once."""
    of = {n: e for w in found for n, e in zip(w.needs, w.scores)}
    return sum(log_support(e, floor) for e in of.values())


def coverage(found: list[Word], scores: Tensor, threshold: float) -> float:
    """Of the labels that the image shows, each by its best score [N, C]: the share that words have a region of. A word for a group has
    that of its best label alone."""
    best = scores.max(0)[0].double()
    seen = torch.where(best >= threshold, best, torch.zeros_like(best))
    named = sorted({label for w in found for label in w.labels})
    whole = float(seen.sum())
    return float(seen[named].sum()) / whole if whole > 0 else 0.0


def runs(ids: list[int]) -> Counter[tuple[int, ...]]:
    """Tokens and pairs of tokens."""
    return Counter([(i,) for i in ids] + list(zip(ids, ids[1:])))


def agreement(said: list[list[int]], k: int) -> float:
    """Of text k and each other one, the share of their tokens and pairs that both have (Dice): the mean. What is most like all that might be
    said is least wrong on the whole (minimum Bayes risk decoding, 2108.04718)."""
    mine = runs(said[k])
    shares = []
    for i, other in enumerate(said):
        theirs = runs(other)
        both = mine.total() + theirs.total()
        if i != k:
            shares.append(2 * (mine & theirs).total() / both if both else 0.0)
    return sum(shares) / len(shares) if shares else 0.0


@torch.no_grad()
def rank(
    model: UniPerceiver, grounding: Grounding, spe: Tensor, scores: Tensor, captions: list[Caption], ranking: Ranking
) -> list[Caption]:
    """Distinct captions, best first: those whose `<SPE>` was computed, then the others."""
    tokenizer = grounding.tokenizer
    distinct = [c for k, c in enumerate(captions) if all(c.ids != d.ids for d in captions[:k])]
    for k, c in enumerate(distinct):
        c.words = words(grounding, c.ids, scores)
        c.support = support(c.words, ranking.floor)
        c.coverage = coverage(c.words, scores, model.config.threshold)
        c.agreement = agreement([d.ids for d in distinct], k)
        c.score = c.likelihood + ranking.regions * c.support + ranking.coverage * c.coverage + ranking.agreement * c.agreement
    distinct.sort(key=lambda c: -c.score)  # stable: of equals the earlier
    top = distinct[: ranking.encoded]
    if ranking.retrieval != 0 and len(top) > 1:
        rows = [[tokenizer.cls, *c.ids, tokenizer.sep] for c in top]
        lengths = torch.tensor([len(r) for r in rows])
        ids = torch.tensor([r + [0] * (int(lengths.max()) - len(r)) for r in rows])
        cosines = F.normalize(model.encode_text(ids, lengths), dim=-1) @ F.normalize(spe, dim=0)
        for c, cosine in zip(top, cosines.tolist()):
            c.cosine = cosine
            c.score += ranking.retrieval * cosine
        top.sort(key=lambda c: -c.score)
    return top + distinct[ranking.encoded :]


class GroundedCaptioner:
    """Grounded captions of images that are encoded already."""

    def __init__(self, model: UniPerceiver, grounding: Grounding, ranking: Ranking) -> None:
        self.model, self.grounding, self.ranking = model, grounding, ranking
        self.steering = Steering(grounding, model.caption.token_ids.tolist()) if ranking.steering != 0 else None

    @torch.no_grad()
    def __call__(self, spe: Tensor, scores: Tensor, image: Cache) -> list[Caption]:
        """`<SPE>` [D], scores of the model's own labels [N, C], keys and values of one image → captions, best first."""
        tokenizer, config = self.grounding.tokenizer, self.model.config
        if self.steering is not None:
            best = scores.max(0)[0].tolist()
            of = [max(best[c] for c in need) for need in self.grounding.needs]
            self.steering.show([self.ranking.steering * log_support(e, self.ranking.floor) for e in of])
        said = decode(self.model, image, tokenizer.cls, tokenizer.sep, config.max_tokens, self.ranking, self.steering)
        return rank(self.model, self.grounding, spe, scores, said, self.ranking)
