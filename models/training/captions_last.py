"""The last stage of a short run: captions alone, everything that other tasks use frozen.

Captioning and detection meet in the general decoder. Where time ends before the two have found a balance, this stage gives causal
text experts of its own (the function of the other attributes stays exactly as it was) and trains those and the caption head. All
that is left of the image are the decoder's keys and values: computed once an image, then read by many captions.

    python -m models.training.captions_last --checkpoint checkpoints/last.pt --decoder checkpoints/regions.pt --data DIR --until 600 --out F
"""

from __future__ import annotations

import argparse
import math
import random
import time
from pathlib import Path

import torch
from torch import Tensor

from models.reference.conditional_moe import ConditionalLinear
from models.reference.config import Config

from .dataset import Sampler
from .export import average_weights
from .images import ImageStore
from .optimizer import Average, BalancedAdamW, Group
from .setup import build, records
from .tasks import Trainee, image_input, next_token_loss
from .vocabulary import pad

DECODER = ("proposals", "global", "decoder", "text_proj", "text_norm")
SHARP = 20.0  # difference of gate logits that leaves the loser e^-20


def own_experts(linear: ConditionalLinear, causal: ConditionalLinear, attributes: dict[str, Tensor]) -> None:
    """Slot 0 becomes what images used, slot 1 what text used, slots 2 and 3 what `causal` gave causal text."""
    parts = [linear.fold(attributes["image"]), linear.fold(attributes["text"]), *[causal.fold(attributes["text_causal"])] * 2]
    linear.experts.weight.data.copy_(torch.stack([w for w, _ in parts]))
    linear.experts.bias.data.copy_(torch.stack([b for _, b in parts]))
    # columns of the attributes: image, text, causal, bidirectional
    s = SHARP
    columns = [[s, 0, 0, 0], [0, s, 0, 0], [0, -2 * s, s, s], [0, 0, 0, 0]]
    linear.gate.weight.data.copy_(torch.tensor(columns).T)


def combine(regions: Trainee, decoder: Trainee) -> None:
    """Puts into `regions` the decoder side of another checkpoint, with experts of its own for causal text."""
    attributes = regions.model.decoder.attributes
    old = [(layer.ffn.linear1, layer.ffn.linear2) for layer in decoder.model.decoder.layers]
    mine = [(layer.ffn.linear1, layer.ffn.linear2) for layer in regions.model.decoder.layers]
    with torch.no_grad():
        for pair, theirs in zip(mine, old):
            for causal, linear in zip(pair, theirs):
                own_experts(linear, causal, attributes)
    state = decoder.state_dict()
    kept = {k: v for k, v in state.items() if k.split(".")[1] in DECODER}
    kept.update({k: state[k] for k in ("heads.bias", "heads.log_temperature.detection")})
    regions.load_state_dict(kept, strict=False)


@torch.no_grad()
def keys_and_values(
    trainee: Trainee, sampler: Sampler, images: int, seconds: float
) -> tuple[list[Tensor], list[Tensor], list[list[str]]]:
    """Keys and values of up to `images` images, for each layer [images, M, T, D/M], and their captions."""
    began = time.time()
    rows: list[list[tuple[Tensor, Tensor]]] = []
    texts: list[list[str]] = []
    while len(texts) < images and time.time() - began < seconds:
        batch = sampler.batch((224, 224), 8, 0.3, False)
        rows.append(trainee.model.image(trainee.model.regions(image_input(trainee.model, batch)))[2])
        texts += batch.captions
    layers = range(len(rows[0]))
    return [torch.cat([r[i][0] for r in rows]) for i in layers], [torch.cat([r[i][1] for r in rows]) for i in layers], texts


def trained_parameters(trainee: Trainee) -> list[torch.nn.Parameter]:
    """Freezes all but the caption head, its temperature, and the experts of causal text."""
    trainee.requires_grad_(False)
    model = trainee.model
    own = [*model.caption.parameters(), trainee.heads.log_temperature["captioning"]]
    for layer in model.decoder.layers:
        for linear in (layer.ffn.linear1, layer.ffn.linear2):
            own += [linear.experts.weight, linear.experts.bias]
    for p in own:
        p.requires_grad_(True)
    return own


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoint", type=Path, required=True, help="regions and caption head")
    parser.add_argument("--decoder", type=Path, required=True, help="checkpoint whose decoder detects best")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", type=Path, default=Path("models/nano"))
    parser.add_argument("--cache", type=Path, default=Path(".cache/images"))
    parser.add_argument("--images", type=int, default=500)
    parser.add_argument("--collect", type=float, default=120, help="seconds for the keys and values")
    parser.add_argument("--until", type=float, default=600, help="seconds in all")
    parser.add_argument("--lr", type=float, default=2e-3)
    parser.add_argument("--out", type=Path, required=True)
    o = parser.parse_args()
    began = time.time()
    torch.set_num_threads(2)
    config = Config.load(o.model)
    trainee, words = build(config, o.data, 1, o.cache.with_name("words.pt"))
    average_weights(trainee, o.checkpoint)
    other, _ = build(config, o.data, 1, o.cache.with_name("words.pt"))
    combine(trainee, average_weights(other, o.decoder))
    torch.save({"trainee": trainee.state_dict(), "average": {}}, o.out)
    captioned = [r for r in records(o.data, "train") if r.captions]
    weights = torch.tensor([8.0 if r.source.startswith("coco") else 1.0 for r in captioned]).numpy()
    sampler = Sampler(captioned, weights, ImageStore(o.data, [r.name for r in captioned], o.cache), 5)
    print(f"{time.time() - began:.0f} s: ready", flush=True)
    keys, values, texts = keys_and_values(trainee, sampler, o.images, o.collect)
    print(f"{time.time() - began:.0f} s: {len(texts)} images", flush=True)
    own = trained_parameters(trainee)
    optimizer = BalancedAdamW([Group(own)])
    average = Average(trainee, 0.98)
    rng = random.Random(3)
    start, step, recent = time.time(), 0, []
    ids = [[words.tokenizer.encode(c, config.max_tokens) for c in t] for t in texts]
    while (progress := (time.time() - start) / max(o.until - (start - began), 1)) < 1:
        pick = rng.sample(range(len(texts)), 12)
        rows = torch.tensor([i for i in pick for _ in ids[i]])
        inputs, targets = words.vocabulary.prepare(*pad([x for i in pick for x in ids[i]]))
        cosines = trainee.model.causal(inputs, [(k[rows], v[rows]) for k, v in zip(keys, values)])
        loss = next_token_loss(cosines, targets, trainee.heads.temperature("captioning"))
        optimizer.zero_grad()
        loss.backward()
        for p in own:  # the slots of images and text stay
            if p.dim() in (2, 3) and p.shape[0] == config.decoder.experts and p.grad is not None:
                p.grad[:2] = 0
        warm = min(1.0, (step + 1) / 20)
        optimizer.step(o.lr * warm * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * progress))))
        average.update(trainee)
        step += 1
        recent.append(float(loss))
        if step % 20 == 0:
            print(f"{time.time() - began:.0f} s step {step} caption {sum(recent) / len(recent):.3f}", flush=True)
            recent = []
        if step % 60 == 0:
            torch.save({"trainee": trainee.state_dict(), "average": average.state}, o.out)
    torch.save({"trainee": trainee.state_dict(), "average": average.state}, o.out)
    print(f"{step} steps", flush=True)


if __name__ == "__main__":
    main()
