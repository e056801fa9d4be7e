# SPDX-License-Identifier: LGPL-2.1-or-later
"""Which of several labels an image shows (NETWORK.md, "task heads")."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from .calibration import Sighting
from .evidence import share
from .model import UniPerceiver


def nearness(model: UniPerceiver, labels: Tensor, own: Tensor) -> Tensor:
    """Labels [C, D], the model's own ones [K, D] → [C]: how near each is to one of these, 0 to 1."""
    return share(labels, own, model.config.near).amax(-1) if model.config.has_evidence else torch.zeros(len(labels))


def class_logits(task: dict[str, Any], image: Tensor, labels: Tensor, score: Tensor, part: Tensor) -> Tensor:
    """`tasks.classification` of a config; an image's `<SPE>` [D], labels [C, D], the best region's score for each [C], and how near
    each is to one of the model's own labels [C] → [C], of which softmax makes probabilities."""
    logits = F.normalize(labels, dim=-1) @ F.normalize(image, dim=0) / task["temperature"]
    return logits + part * Sighting(**task["seen"])(score) if "seen" in task else logits
