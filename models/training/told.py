# SPDX-License-Identifier: LGPL-2.1-or-later
"""Captions for stored views: sentences of other images that fit what is annotated, which nobody wrote for them.

    python -m models.training.told --checkpoint checkpoints/refine/last.pt --data DIR --encoded .cache/encoded

Of the lines of text those are left that name nothing the view lacks (`caption.grounding`); of the best by what they name of
what it shows, how many people they speak of and how near their `<SPE>` is to the view's, those that the others are most like (as
CIDEr sees it) are what it is told, or some of these: a consensus, as of the nearest images' captions in 1505.04467. Roads, of which few
lines speak, have sentences made of what is seen there, and where nothing is, ones that say so. A view is known by its boxes in the very window
that `encode` drew. Writes `W-V-WxH-told.json` beside what `encode` stored: a list of captions for each view.
"""

from __future__ import annotations

import argparse
import json
import random
import re
from pathlib import Path

import numpy as np
import torch
from scipy import sparse
from torch import Tensor
from torch.nn import functional as F

from models.reference.grounding import Grounding

from .cider import ORDERS, SIGMA, plain
from .dataset import Batch
from .encode import ROADS, Stored, add_trained, trained
from .scenes import NAMES, scenes_of
from .tasks import Trainee, Words, frozen_image, shown_classes
from .vocabulary import pad

POOL = 120  # lines that agree on what to say
NEAR = 10.0  # of a cosine
COVER = 3.0  # of the share of what is annotated that a line names
COUNT = 1.0  # of a line that speaks of one person where there are several, or the reverse
FEWEST, MOST = 5, 18  # words of a line
DOUBTFUL = frozenset({"spray"})  # scenes that a view without captions is not told of: rarely there, and said of any children on stone or grass
ONE = re.compile(r"\b(person|man|woman|boy|girl|child|lady|guy|kid|baby|toddler|player|skier|surfer)\b")
MANY = re.compile(r"\b(people|men|women|boys|girls|children|ladies|guys|kids|couple|group|crowd|team|players|two|three|four|five|several|many)\b")
EMPTY = (
    "an empty road.", "an empty street.", "a view of an empty road.", "an empty stretch of road.", "a quiet street with nothing on it.",
    "the pavement of an empty street.", "an empty paved road.", "a view of a road with nothing on it.",
)  # fmt: skip
PLACES = {"manaus": ("city street", "street", "busy street"), "atl_traffic": ("highway", "road", "freeway"), "roads": ("street", "road")}
TRAFFIC = ("person", "bicycle", "car", "motorcycle", "bus", "truck")
PLURAL = {"person": "people", "bus": "buses"}


def phrase(name: str, count: int, rng: random.Random) -> str:
    if count == 1:
        return f"a {name}"
    amounts = {2: ("two",), 3: ("three",)}.get(count, ("several", "many", "a group of" if name == "person" else "a lot of"))
    return f"{rng.choice(amounts)} {PLURAL.get(name, name + 's')}"


def on_road(names: list[str], source: str, rng: random.Random) -> list[str]:
    """Sentences of what a view of a road shows, where `names` are the classes of its traffic, that of the largest first."""
    if not names:
        return []
    first, road = names[0], rng.choice(PLACES[source])
    what = phrase(first, names.count(first), rng)
    out = [f"{what} {'walking' if first == 'person' else 'driving'} down a {road}.", f"{what} on a {road}."]
    for other in sorted(set(names) - {first})[:2]:
        out.append(f"{what} and {phrase(other, names.count(other), rng)} on a {road}.")
    return out


def gram_rows(texts: list[str]) -> sparse.csr_matrix:
    """[L, n-grams] such that the product of two rows is what CIDEr makes of their n-grams: the mean over orders of the cosine of tf-idf."""
    words = [plain(t).split() for t in texts]
    orders = []
    for n in range(1, ORDERS + 1):
        index: dict[tuple[str, ...], int] = {}
        at = [(i, index.setdefault(tuple(w[k : k + n]), len(index))) for i, w in enumerate(words) for k in range(len(w) - n + 1)]
        row, column = np.array(at or np.zeros((0, 2))).reshape(-1, 2).astype(np.int64).T
        counts = sparse.coo_matrix((np.ones(len(row), np.float32), (row, column)), (len(texts), max(1, len(index)))).tocsr()
        seen = np.bincount(counts.indices, minlength=counts.shape[1]).clip(1)
        weighed = counts.multiply(np.log(len(texts) / seen)[None].astype(np.float32)).tocsr()
        norms = np.sqrt(np.asarray(weighed.multiply(weighed).sum(1)).ravel())
        orders.append(sparse.diags((1 / np.where(norms > 0, norms, 1) / ORDERS**0.5).astype(np.float32)) @ weighed)
    return sparse.hstack(orders).tocsr()


class Lines:
    """Lines of text, what they need, their n-grams, and their `<SPE>`s [L, D]."""

    def __init__(self, texts: list[str], vectors: Tensor, grounding: Grounding) -> None:
        self.texts, self.vectors, self.grounding = texts, vectors, grounding
        self.grams = gram_rows(texts)
        self.lengths = np.array([len(plain(t).split()) for t in texts], np.float32)
        self.needs = torch.zeros(len(texts), len(grounding.needs))
        for i, text in enumerate(texts):
            for mention in grounding.mentions_of(text):
                self.needs[i, list(mention.needs)] = 1
        self.scenes = torch.tensor([[float(n in of) for n in NAMES] for of in map(scenes_of, texts)])
        lower = [t.lower() for t in texts]
        self.many = torch.tensor([MANY.search(t) is not None for t in lower])
        self.one = torch.tensor([ONE.search(t) is not None for t in lower]) & ~self.many

    def fit(self, spe: Tensor, shown: list[set[int]], areas: list[dict[int, float]], people: list[int], own: list[list[str]]) -> Tensor:
        """How well each line fits each view [B, L]; -inf where it names what is not among the classes `shown`, or a scene that a view's
        `own` captions do not. `areas`: the share of each class in what is annotated; `people`: how many persons."""
        needs = self.grounding.needs
        lacks = torch.tensor([[float(s.isdisjoint(need)) for need in needs] for s in shown])
        says = torch.tensor([[max((a.get(c, 0.0) for c in need), default=0.0) for need in needs] for a in areas])
        score = NEAR * (self.vectors @ F.normalize(spe, dim=-1).T) + COVER * (self.needs @ says.T).clamp(max=1)
        score -= COUNT * self.one[:, None] * torch.tensor([float(n > 2) for n in people])
        score -= COUNT * self.many[:, None] * torch.tensor([float(n == 1) for n in people])
        seen = [frozenset().union(*map(scenes_of, captions)) if captions else frozenset(NAMES) - DOUBTFUL for captions in own]
        elsewhere = self.scenes @ torch.tensor([[float(n not in of) for n in NAMES] for of in seen]).T
        return score.masked_fill((self.needs @ lacks.T > 0) | (elsewhere > 0), -torch.inf).T.contiguous()

    def best(self, fit: Tensor, count: int, of: int, rng: random.Random) -> list[str]:
        """Of the best POOL lines those `of` that the others are most like: what is said of many such pictures, without what was true of one.
        Of these `count` at random, as the very likest of them are alike themselves, and the likest of many views."""
        score, top = fit.topk(min(POOL, len(fit)))
        at = top[score > -torch.inf].numpy()
        rows = self.grams[at]
        columns, index = np.unique(rows.indices, return_inverse=True)  # a few hundred n-grams of a million
        rows = sparse.csr_matrix((rows.data, index, rows.indptr), (len(at), len(columns)))
        near = np.exp(-((self.lengths[at][:, None] - self.lengths[at]) ** 2) / (2 * SIGMA**2))
        alike = (rows @ rows.T).toarray() * near
        np.fill_diagonal(alike, 0)
        likest = [self.texts[at[i]] for i in np.argsort(-alike.sum(1), kind="stable")[:of]]
        return rng.sample(likest, min(count, len(likest)))


def text_vectors(texts: list[str], trainee: Trainee, words: Words) -> Tensor:
    """[L, D], in batches of texts of like length."""
    order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
    out = torch.empty(len(texts), trainee.model.config.decoder.width)
    for i in range(0, len(order), 64):
        at = order[i : i + 64]
        out[at] = F.normalize(trainee.model.encode_text(*pad([words.tokenizer.encode(texts[k], 40) for k in at])), dim=-1)
    return out


def known_lines(texts: list[str], trainee: Trainee, words: Words, cache: Path) -> tuple[list[str], Tensor]:
    """Texts and their vectors, which take minutes and are kept in `cache` for the same texts and weights."""
    weights = {k: v for k, v in trainee.model.state_dict().items() if k.startswith(("text_", "decoder."))}
    kept = torch.load(cache) if cache.exists() else {"texts": [], "weights": {}}
    if kept["texts"] != texts or kept["weights"].keys() != weights.keys() or any(not torch.equal(v, weights[k]) for k, v in kept["weights"].items()):
        kept = {"texts": texts, "weights": weights, "vectors": text_vectors(texts, trainee, words)}
        torch.save(kept, cache)
    return texts, kept["vectors"]


def read_lines(data: Path, every: int) -> list[str]:
    """COCO-like lines, and one in `every` of the others."""
    texts = (data / "text.txt").read_text(encoding="utf-8").splitlines() + (data / "text_extra.txt").read_text(encoding="utf-8").splitlines()[::every]
    return list(dict.fromkeys(t.strip() for t in texts if FEWEST <= len(t.split()) <= MOST))


def describe(
    batch: Batch, sources: list[str], spe: Tensor, lines: Lines, names: list[str], count: int, of: int, rng: random.Random
) -> list[list[str]]:
    """`count` sentences, of `of`, of each view of a batch with its `<SPE>`s [B, D]; none of a road where something is that nobody is sure of."""
    labels = [row[w > 0].tolist() for row, w in zip(batch.labels, batch.weights)]
    sides = [box[w > 0][:, 2:].prod(-1).sqrt().tolist() for box, w in zip(batch.boxes, batch.weights)]
    areas: list[dict[int, float]] = [{} for _ in labels]
    for area, row, side in zip(areas, labels, sides):
        for label, s in zip(row, side):
            area[label] = area.get(label, 0.0) + s / sum(side)
    shown = [shown_classes(batch, i, lines.grounding) - {-1} for i in range(len(labels))]
    fit = lines.fit(spe, shown, areas, [row.count(0) for row in labels], batch.captions)
    out = []
    for i, source in enumerate(sources):
        own = []
        if source in ROADS:
            order = sorted(range(len(labels[i])), key=lambda k: -sides[i][k])
            named = [names[labels[i][k]] for k in order]
            if not named:
                out.append(rng.sample(EMPTY, min(count, len(EMPTY))) if not shown[i] else [])
                continue
            own = on_road([n for n in named if n in TRAFFIC], source, rng)[: count // 2]
        out.append(own + lines.best(fit[i], count - len(own), of, rng))
    return out


@torch.no_grad()
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_trained(parser)
    parser.add_argument("--encoded", type=Path, default=Path(".cache/encoded"))
    parser.add_argument("--count", type=int, default=6, help="sentences a view")
    parser.add_argument("--of", type=int, default=30, help="drawn from so many that the others are most like")
    parser.add_argument("--every", type=int, default=3, help="of text_extra.txt's lines")
    parser.add_argument("--shard", type=int, nargs=2, default=(0, 1), metavar=("K", "N"), help="every Nth group of views from the Kth on")
    o = parser.parse_args()
    if o.count < 1 or o.of < o.count or o.every < 1 or not 0 <= o.shard[0] < o.shard[1]:
        given = f"--count {o.count}, --of {o.of}, --every {o.every}, --shard {o.shard[0]} {o.shard[1]}"
        parser.error(f"{given}: expected 1 or more, --of no less than --count, and K below N")
    trainee, words = trained(o)
    config = trainee.model.config
    grounding = Grounding(config.raw["caption"]["grounding"], config.labels, words.tokenizer)
    lines = Lines(*known_lines(read_lines(o.data, o.every), trainee, words, o.cache.with_name("lines.pt")), grounding)
    store = Stored([o.encoded])
    for g in range(o.shard[0], len(store.known), o.shard[1]):
        rng = random.Random(g)
        told: list[list[str]] = []
        for i in range(0, len(store.known[g]), 16):
            batch = store.load(g, np.arange(i, min(i + 16, len(store.known[g]))))
            assert batch.encoded is not None
            spe, _, _ = frozen_image(trainee.model, batch.encoded)
            sources = [s["record"].source for s in store.known[g][i : i + 16]]
            told += describe(batch, sources, spe, lines, config.labels, o.count, o.of, rng)
        Path(f"{store.stems[g]}-told.json").write_text(json.dumps(told), encoding="utf-8")
        print(f"{store.stems[g]}: {sum(map(bool, told))} of {len(told)} views told of", flush=True)


if __name__ == "__main__":
    main()
