# SPDX-License-Identifier: LGPL-2.1-or-later
"""Uni-Perceiver v2 whole (2211.09808): image side, text side, and the six tasks as P(x, y) ∝ exp(cos(g∘f(x), g∘f(y)) / τ)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .backbone import build_backbone
from .calibration import Calibration
from .config import Config
from .detector import Detector
from .evidence import Evidence, share
from .general_decoder import Cache, GeneralDecoder, causal_mask, padding_mask
from .mask_head import MaskHead
from .picodet import WIDTH, Pyramid
from .pixel_encoder import PixelEncoder, Shapes, tokens
from .proposals import GlobalTokens, Proposals
from .query_selection import QuerySelection
from .region_decoder import RegionDecoder
from .text_encoder import TextEncoder


class InputProjection(nn.Module):
    def __init__(self, inputs: int, d: int, kernel: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, d, kernel, 2 if kernel == 3 else 1, kernel // 2)
        self.norm = nn.GroupNorm(32, d)

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(self.conv(x))


class CaptionHead(nn.Module):
    """Token inputs of causal text and the candidate matrix: the vocabulary cut to what captions need."""

    def __init__(self, text_width: int, width: int, candidates: int) -> None:
        super().__init__()
        self.embed = nn.Linear(text_width, width)
        self.norm = nn.LayerNorm(width)
        self.vocabulary = nn.Parameter(torch.randn(candidates, width) * 0.5)
        self.register_buffer("token_ids", torch.zeros(candidates, dtype=torch.int32))


# Further queries of training: outputs of query selection [B, T, d], shapes, N → contents [B, K, d], boxes [B, K, 4], and the
# mask [B, 1, N + K, N + K] with which the N and the K queries see each other.
More = Callable[[Tensor, Shapes, int], tuple[Tensor, Tensor, Tensor]]


@dataclass
class Answers:
    """What one layer of the region decoder makes of queries."""

    semantics: Tensor  # [B, K, d]
    boxes: Tensor  # [B, K, 4]
    speaks: Tensor | None  # [B, K, classes]


@dataclass
class Regions:
    """What the region part makes of an image; lists hold every decoder layer."""

    maps: list[Tensor]  # C2..C5
    projected: list[Tensor]  # F_1..F_L
    memory: Tensor  # [B, T, d]
    shapes: Shapes
    outputs: Tensor  # [B, T, d] of query selection
    scores: Tensor  # [B, T] foreground logits
    index: Tensor  # [B, N]
    box_0: Tensor  # [B, N, 4]
    content: Tensor  # [B, N, d]
    semantics: list[Tensor]  # q_sem [B, N, d]
    boxes: list[Tensor]  # q_box [B, N, 4]
    foreground: Tensor  # [B, N] logits of the last layer
    mask_features: Tensor  # [B, d_mask, H/4, W/4]
    mask_embed: Tensor  # [B, N, d_mask], PLACES wider with `mask.own`
    pooled: Tensor  # [B, N, 784]
    last_map: Tensor  # what the global tokens are made of
    speaks: list[Tensor] | None = None  # of every decoder layer's boxes: how much speaks for each known class [B, N, K]
    pool_embed: Tensor | None = None  # with `mask.own`: the embedding that `pooled` is made with [B, N, d_mask]
    more: list[Answers] | None = None  # of every decoder layer, to the further queries of training

    @property
    def selection(self) -> Tensor:
        """Probability with which each query was selected [B, N]."""
        return self.scores.gather(1, self.index).sigmoid()


class UniPerceiver(nn.Module):
    def __init__(self, config: Config, candidates: int = 0) -> None:
        super().__init__()
        self.config = config
        c, d, width = config.channels, config.d, config.decoder.width
        self.backbone = build_backbone(config.backbone)
        sizes = (d, config.heads, config.levels, config.points, config.region_ffn)
        if config.detector:
            self.pyramid = Pyramid()
            self.input_proj = nn.ModuleList(InputProjection(WIDTH, d) for _ in range(config.levels))
            self.detector = Detector(config.query, d, len(config.labels))
        else:
            used = list(c[1:4]) + [c[3]] * (config.levels - 3)
            self.input_proj = nn.ModuleList(InputProjection(n, d, 3 if i >= 3 else 1) for i, n in enumerate(used))
            self.level_embed = nn.Parameter(torch.randn(config.levels, d) * 0.1)
            self.pixel_encoder = PixelEncoder(config.pixel_encoder.kind, config.pixel_encoder.layers, *sizes, config.mask_dino)
            self.query = QuerySelection(config.query, d, config.mask_dino)
        self.region_decoder = RegionDecoder(config.region_layers, *sizes, config.mask_dino, config.detector is None)
        self.mask = MaskHead(config.mask, c[0], d)
        self.evidence = Evidence(config.evidence, c, len(config.labels)) if config.evidence else None
        self.proposals = Proposals(d, width, len(config.labels) if config.has_evidence else 0)
        second = build_backbone(config.global_backbone) if config.global_backbone else None
        self.add_module("global", GlobalTokens(config.global_channels, width, config.pools, config.decoder.heads, second))
        self.decoder = GeneralDecoder(config.decoder)
        self.text_proj = nn.Linear(config.text.width, width)
        self.text_norm = nn.LayerNorm(width)
        self.caption = CaptionHead(config.text.width, width, candidates)
        self.text = TextEncoder(config.text)
        if "calibration" in config.raw:
            self.calibration = Calibration(width)

    # ---- image side

    def regions(self, image: Tensor, with_global: bool = True, more: More | None = None) -> Regions:
        """image [B, 3, H, W], sides multiples of 32. `with_global`: whether a second backbone runs (region training needs it not).
        `more`: further queries; the others must not see them."""
        maps = self.backbone(image)
        said = None  # by the detector, of each query's classes
        if self.config.detector:
            levels = self.pyramid(*maps[1:])
            projected = [p(m) for p, m in zip(self.input_proj, levels)]
            memory = tokens(projected)
            outputs, scores, index, box_0, content, said = self.detector(levels)
        else:
            projected = [p(maps[min(1 + i, 3)]) for i, p in enumerate(self.input_proj)]
            memory = self.pixel_encoder(projected, self.level_embed)
        shapes: Shapes = [(m.shape[2], m.shape[3]) for m in projected]
        if said is None:
            outputs, scores, index, box_0, content = self.query(memory, shapes)
        count = index.shape[1]
        if more is None:
            semantics, boxes = self.region_decoder(content, box_0, memory, shapes)
        else:
            contents, starts, mask = more(outputs, shapes, count)
            both = torch.cat((content, contents), 1), torch.cat((box_0, starts), 1)
            semantics, boxes = self.region_decoder(*both, memory, shapes, mask)
        speaks = None if said is None else [said] * len(boxes)
        if self.evidence is not None:
            logits, anchors = self.evidence(maps[2], maps[3])
            asking = boxes if self.training or more else boxes[-1:]  # losses of the layers before need it too
            speaks = [self.evidence.speaks(self.evidence.at(b.detach(), logits, anchors)) for b in asking]
        answers = None
        if more is not None:
            rows = zip(semantics, boxes, speaks or [None] * len(boxes))
            answers = [Answers(s[:, count:], b[:, count:], None if e is None else e[:, count:]) for s, b, e in rows]
            semantics, boxes = [s[:, :count] for s in semantics], [b[:, :count] for b in boxes]
            speaks = speaks and [e[:, :count] for e in speaks]
        h, w = shapes[0]
        stride8 = memory[:, : h * w].transpose(1, 2).reshape(-1, self.config.d, h, w)
        features = self.mask.features(maps[0], stride8)
        embed = self.mask.embed(semantics[-1])
        pooled = self.proposals.pooled_masks(embed, features)
        pool_embed = None
        if self.mask.own is not None:
            pool_embed, embed = embed, self.mask.own(semantics[-1])
        foreground = self.region_decoder.foreground(semantics[-1]).squeeze(-1)
        last_map = getattr(self, "global").last_map(image, maps[-1]) if with_global else maps[-1]
        return Regions(
            maps, projected, memory, shapes, outputs, scores, index, box_0, content, semantics, boxes, foreground, features,
            embed, pooled, last_map, speaks, pool_embed, answers,
        )  # fmt: skip

    def image_sequence(self, c5: Tensor, q_sem: Tensor, q_box: Tensor, pooled: Tensor, speaks: Tensor | None = None) -> Tensor:
        """[`<SPE>`, pools, g_flat, q_proposal]: f_image with the token in front (paper 4.1, 4.3)."""
        pools, flat = getattr(self, "global")(c5)
        proposals = self.proposals(q_sem, q_box, pooled, speaks)
        spe = self.decoder.spe.expand(len(c5), 1, -1)
        return torch.cat((spe, pools, flat, proposals), 1)

    def image(self, regions: Regions) -> tuple[Tensor, Tensor, Cache]:
        """→ image `<SPE>` [B, D], decoded regions [B, N, D], keys and values."""
        speaks = regions.speaks[-1] if regions.speaks else None
        sequence = self.image_sequence(regions.last_map, regions.semantics[-1], regions.boxes[-1], regions.pooled, speaks)
        out, cache = self.decoder(sequence, "image")
        return out[:, 0], out[:, -regions.index.shape[1] :], cache

    # ---- text side

    def encoded_text(self, features: Tensor, lengths: Tensor) -> Tensor:
        """Text encoder outputs [B, T, text width] → `<SPE>` outputs [B, D] (bidirectional)."""
        x = self.text_norm(self.text_proj(features))
        x = torch.cat((self.decoder.spe.expand(len(x), 1, -1), x), 1)
        mask = padding_mask(lengths + 1, x.shape[1])
        return self.decoder(x, "text", mask)[0][:, 0]

    def encode_text(self, ids: Tensor, lengths: Tensor) -> Tensor:
        """Token ids [B, T] with [CLS] and [SEP], padded → [B, D]."""
        return self.encoded_text(self.text(ids, padding_mask(lengths, ids.shape[1])), lengths)

    def causal_inputs(self, ids: Tensor, start: int = 0) -> Tensor:
        return self.caption.norm(self.caption.embed(self.text.embeddings(ids, start)))

    def causal(self, ids: Tensor, image: Cache | None = None) -> Tensor:
        """Cosines [B, T, V] of every next token; teacher forcing. `image` is None in language modelling."""
        seen = image[0][0].shape[2] if image else 0
        out, _ = self.decoder(self.causal_inputs(ids), "text_causal", causal_mask(ids.shape[1], seen), image)
        return self.vocabulary_cosines(out)

    def vocabulary_cosines(self, out: Tensor) -> Tensor:
        return F.normalize(out, dim=-1) @ F.normalize(self.caption.vocabulary, dim=-1).T

    @torch.no_grad()
    def greedy(self, image: Cache, start: int, end: int, limit: int) -> list[list[int]]:
        """Greedy captions of B images as tokenizer ids, without [CLS] and [SEP]."""
        past = [(k, v) for k, v in image]
        b = past[0][0].shape[0]
        ids = torch.full((b, 1), start)
        out: list[list[int]] = [[] for _ in range(b)]
        done = torch.zeros(b, dtype=torch.bool)
        for t in range(limit):
            x, new = self.decoder(self.causal_inputs(ids, t), "text_causal", None, past)
            past = [(torch.cat((a, c), 2), torch.cat((p, q), 2)) for (a, p), (c, q) in zip(past, new)]
            ids = self.caption.token_ids[self.vocabulary_cosines(x[:, -1]).argmax(-1)].long()[:, None]
            done |= ids[:, 0] == end
            if done.all():
                break
            for i in range(b):
                if not done[i]:
                    out[i].append(int(ids[i]))
        return out

    # ---- task heads

    def detection_logits(
        self, regions: Tensor, classes: Tensor, temperature: Tensor | float, bias: Tensor | float,
        speaks: Tensor | None = None, share: Tensor | None = None, trust: float = 0.0,
    ) -> Tensor:  # fmt: skip
        """[B, N, D], [C, D] → [B, N, C]: cos/τ + b, and what speaks for each class [B, N, K] by the labels' shares of it [C, K]. `trust`: how
        far the cosine of a label that takes all of a class's evidence gives way to it."""
        cosine = F.normalize(regions, dim=-1) @ F.normalize(classes, dim=-1).T
        if speaks is None or share is None:
            return cosine / temperature + bias
        return cosine * (1 - trust * share.amax(-1)) / temperature + bias + speaks @ share.T

    def label_logits(self, r: Regions, decoded: Tensor, labels: Tensor, known: Tensor | None = None) -> Tensor:
        """decoded [B, N, D], labels [C, D] → [B, N, C] by the config's temperature and bias. `known` [K, D]: the vectors of the model's
        own labels, where `labels` are others."""
        task = self.config.tasks["detection"]
        parts = share(labels, labels if known is None else known, self.config.near) if self.config.has_evidence else None
        speaks = r.speaks[-1] if r.speaks else None
        return self.detection_logits(decoded, labels, task["temperature"], task["bias"], speaks, parts, task.get("trust", 0.0))


def load(directory: str | Path) -> UniPerceiver:
    """A model from a directory as the plugin reads it: config.json, model.safetensors, text_encoder.safetensors."""
    from safetensors.torch import load_file

    directory = Path(directory)
    state = load_file(directory / "model.safetensors")
    state.update(load_file(directory / "text_encoder.safetensors"))
    model = UniPerceiver(Config.load(directory), len(state["caption.token_ids"]))
    state = {k: v if k == "caption.token_ids" else v.float() for k, v in state.items()}
    model.load_state_dict(state)
    return model.eval()


__all__ = ["Regions", "UniPerceiver", "load", "tokens"]
