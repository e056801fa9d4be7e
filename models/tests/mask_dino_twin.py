# SPDX-License-Identifier: LGPL-2.1-or-later
"""Mask DINO's head as its authors published it (IDEA-Research/MaskDINO: maskdino_encoder.py, maskdino_decoder.py,
dino_decoder.py, position_encoding.py, utils.py), written down from reading for tests: their names of tensors, their order of
levels, their formulas at inference. With what the published configs choose: FEATURE_ORDER low2high, two-stage, no learned
target, norm GN; and no box from masks.

What is there, and is not in the papers:
- the head is called without a mask, in training as well as at inference: cells of a padded border are cells like others, and
  every valid ratio is 1;
- positions of pixels are (i + 1) / H: a count of cells, normalised by the last;
- the encoder counts levels from the finest on, the decoder from the coarsest on: so do its sampling offsets and weights, and an
  anchor's size doubles from the coarsest level (0.05) to the finest;
- tokens whose anchor is within 0.01 of an end are blanked, their boxes infinite;
- results have a norm more than what the next layer reads: boxes one, masks and classes two.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class Mlp(nn.Module):
    def __init__(self, inputs: int, hidden: int, outputs: int, layers: int) -> None:
        super().__init__()
        widths = [inputs, *[hidden] * (layers - 1), outputs]
        self.layers = nn.ModuleList(nn.Linear(widths[i], widths[i + 1]) for i in range(layers))

    def forward(self, x: Tensor) -> Tensor:
        for i, layer in enumerate(self.layers):
            x = layer(x) if i + 1 == len(self.layers) else F.relu(layer(x))
        return x


class NormedConv(nn.Conv2d):
    """detectron2's: a convolution without a bias, its norm inside."""

    def __init__(self, inputs: int, outputs: int, kernel: int) -> None:
        super().__init__(inputs, outputs, kernel, padding=kernel // 2, bias=False)
        self.norm = nn.GroupNorm(32, outputs)

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(super().forward(x))


class Sampling(nn.Module):
    """Deformable attention, sample by sample in the order (level, point)."""

    def __init__(self, d: int, levels: int, heads: int, points: int) -> None:
        super().__init__()
        self.heads, self.levels, self.points = heads, levels, points
        self.sampling_offsets = nn.Linear(d, heads * levels * points * 2)
        self.attention_weights = nn.Linear(d, heads * levels * points)
        self.value_proj = nn.Linear(d, d)
        self.output_proj = nn.Linear(d, d)

    def forward(self, query: Tensor, reference: Tensor, memory: Tensor, shapes: list[tuple[int, int]]) -> Tensor:
        """query [B, Q, d], reference [B, Q, L, 2 or 4], memory [B, T, d]."""
        b, q, d = query.shape
        value = self.value_proj(memory).view(b, -1, self.heads, d // self.heads)
        offsets = self.sampling_offsets(query).view(b, q, self.heads, self.levels, self.points, 2)
        weights = self.attention_weights(query).view(b, q, self.heads, -1).softmax(-1).view(offsets.shape[:-1])
        out = torch.zeros(b, q, self.heads, d // self.heads)
        start = 0
        for level, (h, w) in enumerate(shapes):
            cells = value[:, start : start + h * w].reshape(b, h, w, self.heads, -1)
            start += h * w
            for k in range(self.points):
                at = reference[:, :, None, level, :2]
                offset = offsets[:, :, :, level, k]
                if reference.shape[-1] == 2:
                    at = at + offset / torch.tensor([w, h])
                else:
                    at = at + offset / self.points * reference[:, :, None, level, 2:] * 0.5
                for head in range(self.heads):
                    plane = cells[:, :, :, head].permute(0, 3, 1, 2)
                    sampled = F.grid_sample(plane, 2 * at[:, :, head, None] - 1, align_corners=False)[..., 0]  # [B, d/M, Q]
                    out[:, :, head] += sampled.transpose(1, 2) * weights[:, :, head, level, k, None]
        return self.output_proj(out.flatten(2))


class EncoderLayer(nn.Module):
    def __init__(self, d: int, ffn: int, levels: int, heads: int, points: int) -> None:
        super().__init__()
        self.self_attn = Sampling(d, levels, heads, points)
        self.norm1 = nn.LayerNorm(d)
        self.linear1 = nn.Linear(d, ffn)
        self.linear2 = nn.Linear(ffn, d)
        self.norm2 = nn.LayerNorm(d)

    def forward(self, x: Tensor, pos: Tensor, reference: Tensor, shapes: list[tuple[int, int]]) -> Tensor:
        x = self.norm1(x + self.self_attn(x + pos, reference, x, shapes))
        return self.norm2(x + self.linear2(F.relu(self.linear1(x))))


def feature(angle: Tensor, width: int) -> Tensor:
    """[...] → [..., width]: sines and cosines in turn."""
    period = 10000 ** (2 * (torch.arange(width) // 2) / width)
    x = angle[..., None] / period
    return torch.stack((x[..., 0::2].sin(), x[..., 1::2].cos()), -1).flatten(-2)


def positions(height: int, width: int, d: int) -> Tensor:
    """[H · W, d]: of nothing masked."""
    there = torch.ones(height, width)
    y, x = there.cumsum(0), there.cumsum(1)
    y = y / (y[-1:] + 1e-6) * 2 * math.pi
    x = x / (x[:, -1:] + 1e-6) * 2 * math.pi
    return torch.cat((feature(y, d // 2), feature(x, d // 2)), -1).flatten(0, 1)


def centres(height: int, width: int) -> Tensor:
    y, x = torch.meshgrid((torch.arange(height) + 0.5) / height, (torch.arange(width) + 0.5) / width, indexing="ij")
    return torch.stack((x, y), -1).flatten(0, 1)


class PixelDecoder(nn.Module):
    def __init__(self, channels: list[int], d: int, ffn: int, layers: int, levels: int, heads: int, points: int) -> None:
        super().__init__()
        self.d = d
        projections = [nn.Conv2d(c, d, 1) for c in channels[1:]]
        projections += [nn.Conv2d(channels[3], d, 3, 2, 1) for _ in range(levels - 3)]
        self.input_proj = nn.ModuleList(nn.Sequential(p, nn.GroupNorm(32, d)) for p in projections)
        self.transformer = nn.Module()
        self.transformer.level_embed = nn.Parameter(torch.zeros(levels, d))
        self.transformer.encoder = nn.Module()
        self.transformer.encoder.layers = nn.ModuleList(EncoderLayer(d, ffn, levels, heads, points) for _ in range(layers))
        self.mask_features = nn.Conv2d(d, d, 1)
        self.adapter_1 = NormedConv(channels[0], d, 1)
        self.layer_1 = NormedConv(d, d, 3)

    def forward(self, maps: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
        """C2..C5 → mask features, levels finest first."""
        sources = [p(maps[min(i + 1, 3)]) for i, p in enumerate(self.input_proj)]
        shapes = [(s.shape[2], s.shape[3]) for s in sources]
        x = torch.cat([s.flatten(2).transpose(1, 2) for s in sources], 1)
        pos = torch.cat([positions(h, w, self.d) + e for (h, w), e in zip(shapes, self.transformer.level_embed)])
        reference = torch.cat([centres(h, w) for h, w in shapes])[None, :, None].expand(len(x), -1, len(shapes), -1)
        for layer in self.transformer.encoder.layers:
            x = layer(x, pos, reference, shapes)
        levels = [m.transpose(1, 2).unflatten(2, s) for m, s in zip(x.split([h * w for h, w in shapes], 1), shapes)]
        y = self.adapter_1(maps[0])
        y = y + F.interpolate(levels[0], size=y.shape[-2:], mode="bilinear", align_corners=False)
        return self.mask_features(F.relu(self.layer_1(y))), levels


class DecoderLayer(nn.Module):
    def __init__(self, d: int, ffn: int, levels: int, heads: int, points: int) -> None:
        super().__init__()
        self.cross_attn = Sampling(d, levels, heads, points)
        self.norm1 = nn.LayerNorm(d)
        self.self_attn = nn.MultiheadAttention(d, heads, batch_first=True)
        self.norm2 = nn.LayerNorm(d)
        self.linear1 = nn.Linear(d, ffn)
        self.linear2 = nn.Linear(ffn, d)
        self.norm3 = nn.LayerNorm(d)

    def forward(self, x: Tensor, pos: Tensor, box: Tensor, memory: Tensor, shapes: list[tuple[int, int]]) -> Tensor:
        x = self.norm2(x + self.self_attn(x + pos, x + pos, x)[0])
        x = self.norm1(x + self.cross_attn(x + pos, box[:, :, None].expand(-1, -1, len(shapes), -1), memory, shapes))
        return self.norm3(x + self.linear2(F.relu(self.linear1(x))))


class Predictor(nn.Module):
    def __init__(self, d: int, ffn: int, layers: int, levels: int, heads: int, points: int, queries: int, classes: int) -> None:
        super().__init__()
        self.queries, self.d = queries, d
        self.enc_output = nn.Linear(d, d)
        self.enc_output_norm = nn.LayerNorm(d)
        self.class_embed = nn.Linear(d, classes)
        self.label_enc = nn.Embedding(classes, d)
        self.mask_embed = Mlp(d, d, d, 3)
        self.decoder_norm = nn.LayerNorm(d)
        self.decoder = nn.Module()
        self.decoder.layers = nn.ModuleList(DecoderLayer(d, ffn, levels, heads, points) for _ in range(layers))
        self.decoder.norm = self.decoder_norm
        self.decoder.ref_point_head = Mlp(2 * d, d, d, 2)
        self._bbox_embed = Mlp(d, d, 4, 3)
        self.bbox_embed = nn.ModuleList([self._bbox_embed] * layers)  # one, under three names
        self.decoder.bbox_embed = self.bbox_embed

    def proposals(self, memory: Tensor, shapes: list[tuple[int, int]]) -> tuple[Tensor, Tensor]:
        """The memory without what is at an end, anchors before the sigmoid; levels coarsest first."""
        anchors = torch.cat([
            torch.cat((centres(h, w), torch.full((h * w, 2), 0.05 * 2.0**level)), -1) for level, (h, w) in enumerate(shapes)
        ])  # fmt: skip
        inside = ((anchors > 0.01) & (anchors < 0.99)).all(-1, keepdim=True)
        logits = (anchors / (1 - anchors)).log().masked_fill(~inside, math.inf)
        return memory.masked_fill(~inside, 0.0), logits

    def forward(self, levels: list[Tensor], mask_features: Tensor, chosen: Tensor | None = None) -> dict[str, Tensor]:
        """`chosen`: tokens [B, N], finest level first, in place of those with the best class."""
        coarsest_first = levels[::-1]
        shapes = [(m.shape[2], m.shape[3]) for m in coarsest_first]
        memory = torch.cat([m.flatten(2).transpose(1, 2) for m in coarsest_first], 1)
        blanked, logits = self.proposals(memory, shapes)
        output = self.enc_output_norm(self.enc_output(blanked))
        scores = self.class_embed(output).amax(-1)
        of_level = torch.arange(memory.shape[1]).split([h * w for h, w in shapes])
        order = torch.cat(of_level[::-1])  # finest first → theirs
        index = scores.topk(self.queries, 1)[1] if chosen is None else order[chosen]
        anchor = (self._bbox_embed(output) + logits).gather(1, index[..., None].expand(-1, -1, 4))
        x = output.gather(1, index[..., None].expand(-1, -1, self.d))
        box = anchor.sigmoid()
        for layer, head in zip(self.decoder.layers, self.bbox_embed):
            angles = box[..., [1, 0, 2, 3]] * 2 * math.pi
            pos = self.decoder.ref_point_head(feature(angles, self.d // 2).flatten(-2))
            x = layer(x, pos, box, memory, shapes)
            undone = box.clamp(0, 1).clamp(min=1e-5).log() - (1 - box).clamp(min=1e-5).log()
            hidden = self.decoder_norm(x)
            result = (head(hidden) + undone).sigmoid()
            box = (head(x) + undone).sigmoid()
        content = self.decoder_norm(hidden)
        masks = torch.einsum("bqc,bchw->bqhw", self.mask_embed(content), mask_features)
        return {"anchors": anchor.sigmoid(), "content": content, "boxes": result, "masks": masks}


class MaskDino(nn.Module):
    """Everything behind the backbone, under its names."""

    def __init__(
        self,
        channels: list[int],
        d: int,
        ffn: int,
        layers: tuple[int, int],  # of encoder, of decoder
        levels: int,
        heads: int,
        points: int,
        queries: int,
        classes: int,
    ) -> None:
        super().__init__()
        self.sem_seg_head = nn.Module()
        self.sem_seg_head.pixel_decoder = PixelDecoder(channels, d, ffn, layers[0], levels, heads, points)
        self.sem_seg_head.predictor = Predictor(d, ffn, layers[1], levels, heads, points, queries, classes)
        self.criterion = nn.Module()
        self.criterion.register_buffer("empty_weight", torch.ones(classes + 1))

    def forward(self, maps: list[Tensor], chosen: Tensor | None = None) -> dict[str, Tensor]:
        features, levels = self.sem_seg_head.pixel_decoder(maps)
        memory = torch.cat([m.flatten(2).transpose(1, 2) for m in levels], 1)
        return {"memory": memory, "features": features, **self.sem_seg_head.predictor(levels, features, chosen)}


def resnet50_names() -> dict[str, tuple[int, ...]]:
    """detectron2's ResNet-50 with frozen batch norms (its default, which the published configs keep)."""
    out: dict[str, tuple[int, ...]] = {}

    def conv(name: str, inputs: int, outputs: int, kernel: int) -> None:
        out[f"backbone.{name}.weight"] = (outputs, inputs, kernel, kernel)
        for part in ("weight", "bias", "running_mean", "running_var"):
            out[f"backbone.{name}.norm.{part}"] = (outputs,)

    conv("stem.conv1", 3, 64, 7)
    inputs = 64
    for stage, (blocks, width) in enumerate(((3, 64), (4, 128), (6, 256), (3, 512)), 2):
        for j in range(blocks):
            at = f"res{stage}.{j}"
            if j == 0:
                conv(f"{at}.shortcut", inputs, 4 * width, 1)
            conv(f"{at}.conv1", inputs, width, 1)
            conv(f"{at}.conv2", width, width, 3)
            conv(f"{at}.conv3", width, 4 * width, 1)
            inputs = 4 * width
    return out
