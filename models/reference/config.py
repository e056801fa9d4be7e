# SPDX-License-Identifier: LGPL-2.1-or-later
"""Sizes of a network, read from a model directory's config.json; nothing in the code is a constant of one model."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .swin import SwinSizes

CHANNELS: dict[str, tuple[int, int, int, int]] = {
    "efficientnet_lite0": (24, 40, 112, 320),
    "lcnet": (48, 96, 192, 384),
    "mobilenet_v2": (24, 192, 576, 1280),
    "resnet50": (256, 512, 1024, 2048),
}


@dataclass
class Input:
    sizes: list[list[int]]
    mean: list[float]
    std: list[float]
    resize: str = "stretch"  # or "letterbox": the picture keeps its aspect, from the top left, and `pad` is beside and below it
    filter: str = "triangle"
    pad: list[float] | None = None  # of 0..1, before mean and std; None: the mean, 0 behind it
    short: int = 0  # letterbox: the picture's short side, so that inputs have any size; 0: the nearest of `sizes`
    long: int = 0  # bound of the other side then
    multiple: int = 32  # of the input's sides then
    aspects: list[float] = field(default_factory=list)  # of each of `sizes`: of the pictures that it is for, where that is not its own

    def aspect(self, size: list[int]) -> float:
        """Width over height of the pictures that one of `sizes` is for."""
        return self.aspects[self.sizes.index(size)] if self.aspects else size[0] / size[1]


@dataclass
class Kind:
    """A part of which several kinds exist: the pixel encoder (`full`, `lite`, `pyramid`)."""

    kind: str
    layers: int = 0


@dataclass
class Backbone:
    kind: str
    swin: SwinSizes | None = None  # of kind `swin`

    @staticmethod
    def from_json(raw: dict[str, Any]) -> Backbone:
        raw = dict(raw)
        kind = raw.pop("kind")
        if kind == "swin":
            return Backbone(kind, SwinSizes(raw.pop("width"), tuple(raw.pop("depths")), tuple(raw.pop("heads")), **raw))
        return Backbone(kind, **raw)

    @property
    def channels(self) -> tuple[int, int, int, int]:
        """Channels of C2..C5."""
        return self.swin.channels if self.swin else CHANNELS[self.kind]


@dataclass
class Query:
    count: int
    anchor: str = "cells"
    anchor_cells: float = 3
    content: str = "pixel"
    candidates: int = 0  # pixels among which distinct ones are taken; 0: the best `count` as they are
    distinct: float = 1.0  # IoU with a better candidate above which one is its duplicate


@dataclass
class Mask:
    channels: int
    groups: int
    lateral_norm: bool = False
    own: bool = False  # what is shown has an embedding of its own, which knows boxes; what is pooled has not


@dataclass
class EvidenceSizes:
    """Class predictors of the detector that the backbone comes from, on C4, C5 and one map more (evidence.py)."""

    channels: list[int]  # of each map: to how many the 1×1 convolution in front takes it
    rank: list[int]  # of each map: channels between the 3×3 convolution and the logits
    extra: list[int]  # channels of the third map: between, out
    anchors: list[list[list[float]]]  # of each map: scale and ratio (width / height) of every anchor
    pixels: float = 300  # pixels of the input that scale 1 stands for
    ratio: float = 0.7  # anchors count whose IoU with a box is at least this part of the best one's
    near: float = 0.7  # cosine with a known class from which on a label takes of its evidence
    aligned: bool = False  # anchors stand where the detector had them, whatever the input's size (evidence.looks_at)


@dataclass
class DetectorSizes:
    """PicoDet's queries and class evidence (detector.py)."""

    near: float = 0.7  # cosine with a known class from which on a label takes of its evidence


@dataclass
class Decoder:
    width: int
    layers: int
    heads: int
    ffn: int
    experts: int
    top_k: int
    attributes: dict[str, list[float]]
    norm: str = "pre"


@dataclass
class Text:
    kind: str
    width: int
    layers: int
    heads: int
    ffn: int
    vocabulary: int
    positions: int
    type_vocabulary: int
    layer_norm_eps: float
    tokenizer: str = "wordpiece"
    lower_case: bool = True


@dataclass
class Config:
    input: Input
    backbone: Backbone
    d: int
    heads: int
    points: int
    levels: int
    region_ffn: int
    pixel_encoder: Kind
    query: Query
    region_layers: int
    mask: Mask
    pools: int
    global_backbone: Backbone | None
    evidence: EvidenceSizes | None
    detector: DetectorSizes | None
    decoder: Decoder
    text: Text
    max_tokens: int
    tasks: dict[str, dict[str, float]]
    labels: list[str] = field(default_factory=list)
    threshold: float = 0.3
    name: str = ""
    mask_dino: bool = False  # region parts exactly as Mask DINO's published code has them, so that its weights give its outputs
    raw: dict[str, Any] = field(default_factory=dict)

    @property
    def channels(self) -> tuple[int, int, int, int]:
        """Channels of C2..C5."""
        return self.backbone.channels

    @property
    def has_evidence(self) -> bool:
        """Whether something says of a query how much speaks for each of the labels."""
        return self.evidence is not None or self.detector is not None

    @property
    def near(self) -> float:
        """Cosine with a known class from which on a label takes of its evidence."""
        sizes = self.evidence or self.detector
        return sizes.near if sizes else 1.0

    @property
    def global_channels(self) -> int:
        """Channels of the map that the global tokens are made of."""
        return (self.global_backbone or self.backbone).channels[3]

    def global_shape(self, width: int, height: int) -> tuple[int, int]:
        """Height and width of that map at an input size."""
        stride = 64 if self.global_backbone else 32
        return -(-height // stride), -(-width // stride)

    @staticmethod
    def load(path: str | Path) -> Config:
        """Reads `config.json`, or the one in a directory."""
        path = Path(path)
        with open(path / "config.json" if path.is_dir() else path, encoding="utf-8") as file:
            return Config.from_json(json.load(file))

    @staticmethod
    def from_json(raw: dict[str, Any]) -> Config:
        version = raw.get("format_version")
        if version not in (1, 2):
            raise ValueError(f"format_version is {version}, expected 1 or 2")
        newer = [k for k in ("evidence", "detector", "calibration") if k in raw]
        newer += ["global.backbone"] if "backbone" in raw["global"] else []
        newer += ["input.resize letterbox"] if raw["input"].get("resize") == "letterbox" else []
        newer += ["mask.own"] if raw["mask"].get("own") else []
        newer += ["region_parts"] if "region_parts" in raw else []
        newer += ["backbone.kind swin"] if raw["backbone"]["kind"] == "swin" else []
        if version == 1 and newer:
            raise ValueError(f"{newer[0]} needs format_version 2, found 1")
        if raw.get("region_parts", "mask_dino") != "mask_dino":
            raise ValueError(f"region_parts is {raw['region_parts']!r}, expected 'mask_dino'")
        if "region_parts" in raw and (raw["pixel_encoder"]["kind"] != "full" or raw["query"]["anchor"] != "scale"):
            raise ValueError("region_parts mask_dino has a pixel_encoder of kind full and query.anchor scale")
        made_for = {"backbone.kind": (raw["backbone"]["kind"], "lcnet"), "pixel_encoder.kind": (raw["pixel_encoder"]["kind"], "pyramid")}
        for key, (found, expected) in made_for.items():
            if (found == expected) != ("detector" in raw):
                raise ValueError(f"{key} is {found!r}: a network with a detector has {expected!r}, one without has not")
        if "detector" in raw and ("evidence" in raw or raw["levels"] != 4):
            raise ValueError("a network with a detector has levels 4 and no evidence")
        return Config(
            input=Input(**raw["input"]),
            backbone=Backbone.from_json(raw["backbone"]),
            d=raw["d"],
            heads=raw["heads"],
            points=raw["points"],
            levels=raw["levels"],
            region_ffn=raw["region_ffn"],
            pixel_encoder=Kind(**raw["pixel_encoder"]),
            query=Query(**raw["query"]),
            region_layers=raw["region_decoder"]["layers"],
            mask=Mask(**raw["mask"]),
            pools=raw["global"]["pools"],
            global_backbone=Backbone.from_json(raw["global"]["backbone"]) if "backbone" in raw["global"] else None,
            evidence=EvidenceSizes(**raw["evidence"]) if "evidence" in raw else None,
            detector=DetectorSizes(**raw["detector"]) if "detector" in raw else None,
            decoder=Decoder(**raw["decoder"]),
            text=Text(**raw["text"]),
            max_tokens=raw["caption"]["max_tokens"],
            tasks=raw["tasks"],
            labels=raw["labels"],
            threshold=raw["threshold"],
            name=raw["name"],
            mask_dino="region_parts" in raw,
            raw=raw,
        )
