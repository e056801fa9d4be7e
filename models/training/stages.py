# SPDX-License-Identifier: LGPL-2.1-or-later
"""The stages of training and their tasks: how often each is drawn, how much it weighs, how many images a step takes."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class Task:
    share: float  # s_k: the probability of the task in an iteration, the same on every worker
    omega: float  # ω_k: the weight of its normalised gradient
    count: int  # images of a step of all workers (lines of text in language modelling)


# `regions` trains backbone to masks alone, with classes read from q_sem. `decoder` trains the general decoder and what it reads and
# predicts, on stored outputs of the region part: all tasks train the same parameters. `refine` goes on with captions for what they are
# judged by. In `joint` everything trains at once: the gradient of detection is spread over the whole network, little of it in the
# general decoder, those of the other tasks lie in the decoder alone; equal weights would leave the decoder to them, these make the
# shares there alike.
STAGES: dict[str, dict[str, Task]] = {
    "regions": {"region_part": Task(1.0, 1.0, 16)},
    "decoder": {
        "region_classes": Task(0.30, 1.0, 32),
        "captioning": Task(0.55, 1.0, 24),
        "retrieval": Task(0.04, 0.4, 128),
        "classification": Task(0.04, 0.3, 48),
        "language": Task(0.07, 0.3, 64),
    },
    "refine": {
        "region_classes": Task(0.17, 1.0, 32),
        "ranked": Task(0.07, 0.5, 24),
        "captioning": Task(0.3, 1.0, 24),
        "self_critical": Task(0.26, 0.8, 24),
        "retrieval": Task(0.09, 0.6, 128),
        "classification": Task(0.05, 0.6, 48),
        "language": Task(0.06, 0.25, 64),
    },
    "joint": {
        "detection": Task(0.40, 1.0, 8),
        "region_classes": Task(0.10, 0.05, 12),
        "captioning": Task(0.30, 0.05, 12),
        "retrieval": Task(0.08, 0.02, 32),
        "classification": Task(0.05, 0.02, 16),
        "language": Task(0.07, 0.02, 64),
    },
}
STORED = ("decoder", "refine")  # stages that read what encode.py stored
REGIONS = ("region_part", "detection", "region_classes", "classification")  # tasks that draw from the images with boxes
TOLD = ("captioning",)  # tasks that learn from what told.py found
JUDGED = ("ranked",)  # tasks that judge captions by those of an image's own, or, where it has none, by what told.py found
WITH_MASKS = ("region_part", "detection")
DECODER = ("proposals", "global", "decoder", "text_proj", "text_norm", "caption")  # parts that the stages of STORED train


def of_decoder(name: str) -> bool:
    """Whether the stages of STORED train a trainee's parameter of that name."""
    part = name.split(".")
    return part[1] in DECODER if part[0] == "model" else part[1] in ("log_temperature", "bias")
