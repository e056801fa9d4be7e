# SPDX-License-Identifier: LGPL-2.1-or-later
"""Mask DINO (2206.02777, detectron2 names, ResNet-50 or Swin) as the region part of `base`, which `"region_parts": "mask_dino"` makes compute
what its published code computes (NETWORK.md).

Its class heads have no counterpart: the foreground heads of query selection and region decoder (paper 4.1) stay missing. One box MLP
serves query selection and every layer there, under several names; here each has its own copy. With FEATURE_ORDER low2high, which all
published configs have, its encoder counts levels from the finest on, its decoder from the coarsest on; here both do from the finest on.
"""

from __future__ import annotations

from torch import Tensor

from models.reference.config import Config

from .encoders import State, resnet50_detectron2
from .swin import swin

PIXEL = "sem_seg_head.pixel_decoder"
PREDICTOR = "sem_seg_head.predictor"


def names(config: Config) -> dict[str, str]:
    """Our name → theirs, without `.weight` and `.bias`, or a whole tensor's name."""
    table = {
        "level_embed": f"{PIXEL}.transformer.level_embed",
        "query.output": f"{PREDICTOR}.enc_output",
        "query.norm": f"{PREDICTOR}.enc_output_norm",
        "query.content": f"{PREDICTOR}.query_feat.weight",
        "region_decoder.norm": f"{PREDICTOR}.decoder_norm",
        "mask.lateral": f"{PIXEL}.adapter_1",
        "mask.lateral_norm": f"{PIXEL}.adapter_1.norm",
        "mask.conv": f"{PIXEL}.layer_1",
        "mask.norm": f"{PIXEL}.layer_1.norm",
        "mask.project": f"{PIXEL}.mask_features",
    }
    for i in range(config.levels):
        table[f"input_proj.{i}.conv"] = f"{PIXEL}.input_proj.{i}.0"
        table[f"input_proj.{i}.norm"] = f"{PIXEL}.input_proj.{i}.1"
    sampling = ("value_proj", "sampling_offsets", "attention_weights", "output_proj")
    for e in range(config.pixel_encoder.layers):
        ours, theirs = f"pixel_encoder.layers.{e}", f"{PIXEL}.transformer.encoder.layers.{e}"
        table.update({f"{ours}.attn.{k}": f"{theirs}.self_attn.{k}" for k in sampling})
        table.update({f"{ours}.{k}": f"{theirs}.{k}" for k in ("norm1", "linear1", "linear2", "norm2")})
    for i in range(3):
        table[f"mask.embed.layers.{i}"] = f"{PREDICTOR}.mask_embed.layers.{i}"
        table[f"query.box.layers.{i}"] = f"{PREDICTOR}._bbox_embed.layers.{i}"
        for j in range(config.region_layers):
            table[f"region_decoder.box.{j}.layers.{i}"] = f"{PREDICTOR}.bbox_embed.{j}.layers.{i}"
    for i in range(2):
        table[f"region_decoder.ref_point_head.layers.{i}"] = f"{PREDICTOR}.decoder.ref_point_head.layers.{i}"
    for i in range(config.region_layers):
        ours, theirs = f"region_decoder.layers.{i}", f"{PREDICTOR}.decoder.layers.{i}"
        table.update({f"{ours}.cross_attn.{k}": f"{theirs}.cross_attn.{k}" for k in sampling})
        table[f"{ours}.self_attn.in_proj_weight"] = f"{theirs}.self_attn.in_proj_weight"
        table[f"{ours}.self_attn.in_proj_bias"] = f"{theirs}.self_attn.in_proj_bias"
        table[f"{ours}.self_attn.out_proj"] = f"{theirs}.self_attn.out_proj"
        # there norm2 follows self-attention and norm1 cross-attention
        table[f"{ours}.norm1"], table[f"{ours}.norm2"], table[f"{ours}.norm3"] = (f"{theirs}.norm{k}" for k in (2, 1, 3))
        table.update({f"{ours}.{k}": f"{theirs}.{k}" for k in ("linear1", "linear2")})
    return table


def copies(config: Config) -> dict[str, str]:
    """Tensors that stand in a checkpoint twice, as modules are named there: the second name → the first."""
    table = {f"{PREDICTOR}.decoder.norm": f"{PREDICTOR}.decoder_norm"}
    for j in range(config.region_layers):
        for i in range(3):
            table[f"{PREDICTOR}.decoder.bbox_embed.{j}.layers.{i}"] = f"{PREDICTOR}.bbox_embed.{j}.layers.{i}"
    return {f"{k}.{kind}": f"{v}.{kind}" for k, v in table.items() for kind in ("weight", "bias")}


def finest_first(x: Tensor, config: Config) -> Tensor:
    """Rows of a sampling layer, [M, L, K, ...] flattened: its levels the other way round."""
    return x.unflatten(0, (config.heads, config.levels, -1)).flip(1).flatten(0, 2)


def mask_dino(source: State, config: Config) -> tuple[State, set[str]]:
    """→ our tensors and the names read. Convolutions before a norm have no bias there: zeros here."""
    out, used = swin(source, config.backbone.swin) if config.backbone.swin else resnet50_detectron2(source)
    for ours, theirs in names(config).items():
        if theirs in source:
            out[ours] = source[theirs]
            used.add(theirs)
            continue
        for kind in ("weight", "bias"):
            name = f"{theirs}.{kind}"
            if name in source:
                out[f"{ours}.{kind}"] = source[name]
                used.add(name)
            elif kind == "bias" and f"{theirs}.weight" in source and f"{theirs}.norm.bias" in source:
                out[f"{ours}.bias"] = source[f"{theirs}.weight"].new_zeros(len(source[f"{theirs}.weight"]))
    for name in out:
        turned = ".cross_attn.sampling_offsets." in name or ".cross_attn.attention_weights." in name
        if turned and out[name].shape[0] % (config.heads * config.levels * config.points) == 0:
            out[name] = finest_first(out[name], config)
    used.update(second for second, first in copies(config).items() if second in source and first in used)
    return out, used
