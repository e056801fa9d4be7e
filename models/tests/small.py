# SPDX-License-Identifier: LGPL-2.1-or-later
"""A network of the nano kind, small enough for tests that take seconds."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import torch

from models.reference.config import Config
from models.reference.model import UniPerceiver

NANO = Path(__file__).parents[1] / "nano" / "config.json"
FIRST = Path(__file__).with_name("first.json")  # of the first generation, whose starting weights Debian's tests have at hand


def small_config(**changes: Any) -> Config:
    raw = copy.deepcopy(json.loads(FIRST.read_text(encoding="utf-8")))
    raw.update({"d": 64, "heads": 4, "points": 2, "region_ffn": 64})
    raw["query"]["count"] = 10
    raw["mask"].update({"channels": 16, "groups": 4})
    raw["decoder"].update({"width": 32, "layers": 2, "heads": 2, "ffn": 48})
    raw["text"].update({"width": 24, "layers": 2, "heads": 2, "ffn": 32, "vocabulary": 50, "positions": 48})
    raw["tasks"] = {  # not the bundled model's, which every training changes
        "detection": {"temperature": 0.1, "bias": -4.0, "foreground_weight": 0.4},
        **{task: {"temperature": 0.07} for task in ("classification", "captioning", "retrieval")},
    }
    raw.update(changes)
    return Config.from_json(raw)


def second_generation() -> dict[str, Any]:
    """Changes of small_config that make it one of the second generation's kind: two encoders and an SSD's class evidence, small."""
    ratios = (1, 2, 0.5, 3, 0.3333)
    anchors = [
        [[0.1, 1], [0.2, 2], [0.2, 0.5]],
        [*([0.35, r] for r in ratios), [0.4183, 1]],
        [*([0.5, r] for r in ratios), [0.5701, 1]],
    ]
    return {
        "format_version": 2,
        "backbone": {"kind": "mobilenet_v2"},
        "global": {"pools": 1, "backbone": {"kind": "efficientnet_lite0"}},
        "evidence": {"channels": [4, 4, 4], "rank": [4, 4, 4], "extra": [8, 8], "anchors": anchors, "aligned": True},
    }


def third_generation() -> dict[str, Any]:
    """Changes of small_config that make it one of the bundled model's kind: two encoders, a detector that chooses queries."""
    return {
        "format_version": 2,
        "backbone": {"kind": "lcnet"},
        "levels": 4,
        "pixel_encoder": {"kind": "pyramid", "layers": 0},
        "query": {"count": 10, "candidates": 20, "distinct": 0.8},
        "detector": {"near": 0.7},
        "global": {"pools": 1, "backbone": {"kind": "efficientnet_lite0"}},
    }


def small_model(seed: int = 0, **changes: Any) -> UniPerceiver:
    torch.manual_seed(seed)
    model = UniPerceiver(small_config(**changes), 20)
    model.caption.token_ids.copy_(torch.arange(10, 30))
    return model.eval()
