# SPDX-License-Identifier: LGPL-2.1-or-later
"""One step of each task, from a batch to a loss: unmixed sampling takes one of them an iteration (paper 4.4)."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models.reference.general_decoder import Cache
from models.reference.grounding import Grounding
from models.reference.model import UniPerceiver
from models.reference.preprocess import normalise
from models.reference.tokenizer import WordPiece

from .cider import CiderD, plain
from .dataset import Batch, Encoded
from .denoising import Noised
from .distillation import ImageNet, distillation_loss
from .distributed import gather
from .losses import Heads, denoising_losses, matched_class_loss, region_losses, total
from .matching import hungarian
from .scenes import claimed
from .vocabulary import CaptionVocabulary, ClassNames, pad

# Label smoothing leaves a tenth of the probability to words at random, so that most captions sampled with the learned temperature are
# broken. Those of training images were worth 0.09 (CIDEr-D) with it, 0.16 with 0.7 and 0.18 with half of it, and differed most between these.
SHARPER = 0.6
# What a named object that the picture does not have costs a sampled caption, in CIDEr-D, of which a sample earns 0.2 to 0.5.
PENALTY = 0.3
# The same of a place or a doing that no reference names (scenes.py): people who write five words may leave it out.
ELSEWHERE = 0.2
# Of how surely the model finds the image among those of the batch by a caption, in nats (1803.04376): what is said of many images is worth less.
APART = 0.25
DIFFERENCE = 0.2  # of what two captions of one image are worth, at which `ranked` wants e times the probability


@dataclass
class Words:
    names: ClassNames
    vocabulary: CaptionVocabulary
    tokenizer: WordPiece
    lines: list[list[int]]  # tokenized text for language modelling
    rng: random.Random = field(default_factory=random.Random)
    cider: CiderD | None = None  # the reward of self_critical
    grounding: Grounding | None = None  # its penalty


class Trainee(nn.Module):
    """The model and the heads that training adds."""

    def __init__(self, model: UniPerceiver, heads: Heads) -> None:
        super().__init__()
        self.model, self.heads = model, heads
        self.seen_tokens = 1.0  # share of an image's tokens that tasks which say something of the whole image see
        self.imagenet: ImageNet | None = None  # what the backbone's last map has to keep
        self.denoising = 0  # queries an image that region_part adds for it
        self.dropout = 0.0  # of captioning: of the decoder's branches, and of the words that a caption has so far

    @contextmanager
    def dropping(self) -> Iterator[None]:
        """Within it the general decoder's layers drop out: captions are learnt by heart first."""
        layers = [layer.drop for layer in self.model.decoder.layers]
        for drop in layers:
            drop.p = self.dropout
        try:
            yield
        finally:
            for drop in layers:
                drop.p = 0.0


def image_input(model: UniPerceiver, batch: Batch) -> Tensor:
    return normalise(batch.pixels, model.config.input)


@torch.no_grad()
def encoded(model: UniPerceiver, batch: Batch) -> Encoded:
    """The region part without a gradient: it learns from the region tasks alone, which saves two thirds of the time of the others,
    and nearly all of it where `encode.py` has stored its outputs."""
    if batch.encoded is not None:
        return batch.encoded
    r = model.regions(image_input(model, batch))
    return Encoded(r.last_map, r.semantics[-1], r.boxes[-1], r.pooled, r.selection, r.speaks[-1] if r.speaks else None)


def random_tokens(sequence: Tensor, share: float) -> Tensor:
    """[B, T, D] → [B, T', D]: `<SPE>` and a random choice of the other tokens, another for every image (as FLIP, 2212.00794)."""
    count = round((sequence.shape[1] - 1) * share)
    order = torch.rand(sequence.shape[:2])
    order[:, 0] = -1  # <SPE> stays first
    picked = order.argsort(1)[:, : 1 + count]
    return sequence.gather(1, picked[..., None].expand(-1, -1, sequence.shape[2]))


def frozen_image(model: UniPerceiver, seen: Encoded, share: float = 1.0) -> tuple[Tensor, Tensor, Cache]:
    """The image side with gradients from the proposals on: image `<SPE>`, decoded regions (of share 1), keys and values."""
    sequence = model.image_sequence(seen.c5, seen.semantics, seen.boxes, seen.pooled, seen.speaks)
    if share < 1:
        sequence = random_tokens(sequence, share)
    out, cache = model.decoder(sequence, "image")
    return out[:, 0], out[:, -seen.boxes.shape[1] :], cache


def class_vectors(trainee: Trainee, words: Words, synonyms: float = 0.3) -> Tensor:
    return trainee.model.encoded_text(*words.names.pick(synonyms))


def region_part(trainee: Trainee, batch: Batch, words: Words) -> tuple[Tensor, dict[str, float]]:
    """Detection and instance segmentation with classes read from q_sem: the general decoder joins later."""
    noised = Noised.draw(batch, trainee.denoising, trainee.model.config.query.anchor_cells) if trainee.denoising else None
    r = trainee.model.regions(image_input(trainee.model, batch), with_global=False, more=noised)
    losses = region_losses(trainee.model, trainee.heads, r, batch)
    if noised is not None:
        losses.update(denoising_losses(trainee.model, trainee.heads, r, noised, batch))
    if trainee.imagenet is not None:
        losses["remember"] = distillation_loss(trainee.heads.remember, r.maps[-1], trainee.imagenet.cells(r.maps[0]))
    return total(losses), {k: float(v.detach()) for k, v in losses.items()}


def detection(trainee: Trainee, batch: Batch, words: Words) -> tuple[Tensor, dict[str, float]]:
    """Detection and instance segmentation."""
    model = trainee.model
    r = model.regions(image_input(model, batch))
    r.boxes[-1], keep = r.boxes[-1].detach(), r.boxes[-1]
    r.pooled = r.pooled.detach()
    _, decoded, _ = model.image(r)
    r.boxes[-1] = keep
    losses = region_losses(model, trainee.heads, r, batch, decoded, class_vectors(trainee, words))
    return total(losses), {k: float(v) for k, v in losses.items()}


def region_classes(trainee: Trainee, batch: Batch, words: Words) -> tuple[Tensor, dict[str, float]]:
    """Detection as the general decoder sees it: the region part gives proposals and matches without a gradient, which costs a third."""
    model = trainee.model
    seen = encoded(model, batch)
    with torch.no_grad():
        logits = trainee.heads.region(seen.semantics)
        if seen.speaks is not None:
            logits = logits + seen.speaks
        match = hungarian(seen.boxes, logits, batch, seen.selection)
    _, decoded, _ = frozen_image(model, seen)
    classes = class_vectors(trainee, words)
    logits = model.detection_logits(decoded, classes, trainee.heads.temperature("detection"), trainee.heads.bias)
    if seen.speaks is not None:  # the labels are the known classes, or synonyms
        logits = logits + seen.speaks
    loss = matched_class_loss(logits, seen.boxes, match, batch) / batch.weights.sum().clamp(min=1.0)
    return loss, {"classes": float(loss)}


def next_token_loss(cosines: Tensor, targets: Tensor, temperature: Tensor) -> Tensor:
    """cosines [..., V], targets [...]"""
    return F.cross_entropy((cosines / temperature).flatten(0, -2), targets.flatten(), ignore_index=-100, label_smoothing=0.1)


def side_by_side(model: UniPerceiver, ids: Tensor, lengths: Tensor, each: int, image: Cache) -> tuple[Tensor, Tensor, Tensor]:
    """The next tokens of `each` texts an image, ids [B·each, T] and their lengths, as one sequence an image: no text sees another, none is
    padded to the longest, and the image's keys and values are read where they are. → cosines [K, V], and row and column [K] of each."""
    images = len(ids) // each
    rows, columns = (torch.arange(ids.shape[1])[None] < lengths[:, None]).nonzero(as_tuple=True)
    before = lengths.view(images, each).cumsum(1).view(-1) - lengths
    at = (rows // each, before[rows] + columns)
    size = int(at[1].max()) + 1
    text = torch.full((images, size), -1).index_put(at, rows)
    x = torch.zeros(images, size, model.config.decoder.width).index_put(at, model.causal_inputs(ids)[rows, columns])
    hidden = (text[:, :, None] != text[:, None]) | torch.ones(size, size, dtype=torch.bool).triu(1)
    mask = F.pad(torch.zeros(hidden.shape).masked_fill(hidden, float("-inf")), (image[0][0].shape[2], 0))[:, None]
    out, _ = model.decoder(x, "text_causal", mask, image)
    return model.vocabulary_cosines(out[at]), rows, columns


def captioning(trainee: Trainee, batch: Batch, words: Words, each: int = 5) -> tuple[Tensor, dict[str, float]]:
    """`each` captions of every image; those of an image with fewer come twice."""
    model = trainee.model
    picked = [(words.rng.sample(c, min(each, len(c))) * each)[:each] for c in batch.captions]
    ids, lengths = pad([words.tokenizer.encode(t, model.config.max_tokens) for c in picked for t in c])
    inputs, targets = words.vocabulary.prepare(ids, lengths)
    unread = torch.rand(inputs.shape) < trainee.dropout
    unread[:, 0] = False
    inputs = inputs.masked_fill(unread, words.tokenizer.unk)
    with trainee.dropping():
        _, _, cache = frozen_image(model, encoded(model, batch), trainee.seen_tokens)
        cosines, rows, columns = side_by_side(model, inputs, lengths - 1, each, cache)
    loss = next_token_loss(cosines, targets[rows, columns], trainee.heads.temperature("captioning"))
    return loss, {"caption": float(loss)}


@torch.no_grad()
def sample(model: UniPerceiver, words: Words, image: Cache, limit: int, temperature: float) -> list[list[int]]:
    """Random captions by the model's probabilities at a temperature, as tokenizer ids, [SEP] last unless the limit came first."""
    past, rows = list(image), image[0][0].shape[0]
    tokenizer, candidates = words.tokenizer, words.vocabulary.token_ids
    ids = torch.full((rows, 1), tokenizer.cls)
    out: list[list[int]] = [[] for _ in range(rows)]
    open_rows = set(range(rows))
    for t in range(limit):
        x, new = model.decoder(model.causal_inputs(ids, t), "text_causal", None, past)
        past = [(torch.cat((a, c), 2), torch.cat((p, q), 2)) for (a, p), (c, q) in zip(past, new)]
        probability = (model.vocabulary_cosines(x[:, -1]) / temperature).softmax(-1)
        ids = candidates[probability.multinomial(1)].long()
        for i in list(open_rows):
            out[i].append(int(ids[i]))
            if out[i][-1] == tokenizer.sep:
                open_rows.discard(i)
        if not open_rows:
            break
    return out


def shown_classes(batch: Batch, image: int, grounding: Grounding) -> set[int]:
    """Classes that this view of an image shows, annotated or seen by the teacher (also where it was not sure), and those that a reference
    caption names: of a group each might be the one."""
    seen = set(batch.labels[image][batch.weights[image] > 0].tolist()) | set(batch.ignored_labels[image].tolist())
    named = {n for c in batch.captions[image] for m in grounding.mentions_of(c) for n in m.needs}
    return seen | {c for n in named for c in grounding.needs[n]}


def hallucinated(caption: str, shown: set[int], grounding: Grounding) -> int:
    """Named objects that are not among the classes `shown` (CHAIR, 1809.02156)."""
    return sum(shown.isdisjoint(grounding.needs[n]) for m in grounding.mentions_of(caption) for n in m.needs)


def worthy(
    trainee: Trainee, batch: Batch, words: Words, cache: Cache, each: int, limit: int
) -> tuple[list[list[int]], Tensor, dict[str, float]]:
    """`each` captions of every image, sampled from the model, and what each is worth [B, each]: its CIDEr-D, less penalties for what it
    names and the picture lacks."""
    assert words.cider is not None
    rows = torch.arange(len(batch.captions)).repeat_interleave(each)
    temperature = SHARPER * float(trainee.heads.temperature("captioning"))
    said = sample(trainee.model, words, [(k.detach()[rows], v.detach()[rows]) for k, v in cache], limit, temperature)
    truths = [[plain(c) for c in captions] for captions in batch.captions]
    texts = [words.tokenizer.decode(s) for s in said]
    worth = torch.tensor([words.cider.score(plain(t), truths[i]) for t, i in zip(texts, rows.tolist())])
    elsewhere = torch.tensor([float(claimed(t, batch.captions[i])) for t, i in zip(texts, rows.tolist())])
    parts = {"reward": float(worth.mean()), "elsewhere": float(elsewhere.mean())}
    worth = worth - ELSEWHERE * elsewhere
    if words.grounding is not None:
        shown = [shown_classes(batch, i, words.grounding) for i in range(len(batch.captions))]
        false = torch.tensor([float(hallucinated(t, shown[i], words.grounding)) for t, i in zip(texts, rows.tolist())])
        worth = worth - PENALTY * false
        parts["untrue"] = float(false.mean())
    return said, worth.view(-1, each), parts


@torch.no_grad()
def told_apart(trainee: Trainee, words: Words, image: Tensor, said: list[list[int]]) -> Tensor:
    """image `<SPE>`s [B, D], as many captions of each → the log-probability of its image among the B, by a caption alone [B, each]."""
    text = trainee.model.encode_text(*pad([[words.tokenizer.cls, *s] for s in said]))
    z = F.normalize(text, dim=-1) @ F.normalize(image, dim=-1).T / trainee.heads.temperature("retrieval")
    each = len(said) // len(image)
    return z.log_softmax(1).view(len(image), each, -1).diagonal(dim1=0, dim2=2).T


def self_critical(trainee: Trainee, batch: Batch, words: Words, each: int = 5, limit: int = 20) -> tuple[Tensor, dict[str, float]]:
    """Captions sampled from the model, made likelier where they are worth more than the mean of the image's other samples (self-critical
    sequence training, 1612.00563; the baseline of 2003.09971)."""
    model = trainee.model
    image, _, cache = frozen_image(model, encoded(model, batch))
    said, reward, parts = worthy(trainee, batch, words, cache, each, limit)
    apart = told_apart(trainee, words, image.detach(), said)
    reward, parts["apart"] = reward + APART * apart, float(apart.mean())
    temperature = SHARPER * float(trainee.heads.temperature("captioning"))
    advantage = reward - (reward.sum(1, keepdim=True) - reward) / (each - 1)
    ids, lengths = pad([[words.tokenizer.cls, *s] for s in said])
    inputs, targets = words.vocabulary.prepare(ids, lengths)
    cosines, rows, columns = side_by_side(model, inputs, lengths - 1, each, cache)
    said_ones = targets[rows, columns]
    loss = F.cross_entropy(cosines / temperature, said_ones, ignore_index=-100, reduction="none")
    loss = (advantage.flatten()[rows] * loss).sum() / (said_ones >= 0).sum()
    return loss, parts


def ranked(trainee: Trainee, batch: Batch, words: Words, each: int = 5, limit: int = 20) -> tuple[Tensor, dict[str, float]]:
    """Of captions sampled for an image those that are worth more are nearer to it: what retrieval between images does not ask for, and what
    ranking candidates does (listwise, with the target of what each is worth)."""
    model = trainee.model
    image, _, cache = frozen_image(model, encoded(model, batch))
    said, worth, parts = worthy(trainee, batch, words, cache, each, limit)
    text = model.encode_text(*pad([[words.tokenizer.cls, *s] for s in said])).view(*worth.shape, -1)
    z = torch.einsum("bd,bed->be", F.normalize(image, dim=-1), F.normalize(text, dim=-1)) / trainee.heads.temperature("retrieval")
    target = (worth / DIFFERENCE).softmax(1)
    loss = -(target * z.log_softmax(1)).sum(1).mean()
    best = worth.gather(1, z.argmax(1, keepdim=True)).mean() - worth.mean()
    return loss, {"rank": float(loss), "rank_gain": float(best), "rank_most": float((worth.amax(1) - worth.mean(1)).mean()), **parts}


def language(trainee: Trainee, count: int, words: Words) -> tuple[Tensor, dict[str, float]]:
    """Language modelling on text alone: no image keys."""
    ids, lengths = pad(words.rng.choices(words.lines, k=count))
    inputs, targets = words.vocabulary.prepare(ids, lengths)
    loss = next_token_loss(trainee.model.causal(inputs), targets, trainee.heads.temperature("captioning"))
    return loss, {"language": float(loss)}


def retrieval(trainee: Trainee, batch: Batch, words: Words) -> tuple[Tensor, dict[str, float]]:
    """Symmetric contrast of images and captions, features gathered from all workers."""
    model = trainee.model
    image, _, _ = frozen_image(model, encoded(model, batch), trainee.seen_tokens)
    texts = [words.rng.choice(c) for c in batch.captions]
    text = model.encode_text(*pad([words.tokenizer.encode(t, 40) for t in texts]))
    image, text = gather(F.normalize(image, dim=-1)), gather(F.normalize(text, dim=-1))
    z = image @ text.T / trainee.heads.temperature("retrieval")
    target = torch.arange(len(z))
    loss = (F.cross_entropy(z, target) + F.cross_entropy(z.T, target)) / 2
    return loss, {"retrieval": float(loss)}


def classification(trainee: Trainee, batch: Batch, words: Words) -> tuple[Tensor, dict[str, float]]:
    """Image `<SPE>` against class names, softmax; an image's classes share the target by the area of their objects."""
    model = trainee.model
    image, _, _ = frozen_image(model, encoded(model, batch), trainee.seen_tokens)
    classes = class_vectors(trainee, words)
    z = F.normalize(image, dim=-1) @ F.normalize(classes, dim=-1).T / trainee.heads.temperature("classification")
    area = batch.boxes[..., 2:].prod(-1).sqrt() * batch.weights
    target = torch.zeros_like(z).scatter_add(1, batch.labels, area)
    some = target.sum(-1, keepdim=True)
    loss = -(target / some.clamp(min=1e-6) * z.log_softmax(-1)).sum(-1)
    loss = (loss * (some[:, 0] > 0)).sum() / (some[:, 0] > 0).sum().clamp(min=1)
    return loss, {"classify": float(loss)}
