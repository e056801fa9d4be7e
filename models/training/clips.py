# SPDX-License-Identifier: LGPL-2.1-or-later
"""Captions of surveillance clips: do they name what the clip does not show, and its main class where that is detected?

    python -m models.training.clips --model models/nano --frames DIR [--greedy] [--out FILE.json]

DIR holds a folder of images for each clip of clips.json, every tenth frame (models/training/README.md says how to make
them). `shown` of clips.json lists what each clip shows, `doubtful` what could be argued about, which is neither right nor wrong.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from models.reference.captions import (
    Caption,
    GroundedCaptioner,
    Ranking,
    label_scores,
    label_vectors,
)
from models.reference.grounding import Grounding
from models.reference.model import UniPerceiver, load
from models.reference.preprocess import input_size, place

from .calibrate import clip_names, frames_of
from .chair import load_grounding, variety

SEEN = 0.6  # the detection score from which a caption should name the main class


@dataclass
class Said:
    caption: str
    needs: list[int]
    main: float  # best detection score of the clip's main class


@torch.no_grad()
def describe(model: UniPerceiver, captioner: GroundedCaptioner, paths: list[Path], main: int, greedy: bool) -> list[Said]:
    tokenizer = captioner.grounding.tokenizer
    labels = label_vectors(model, tokenizer)
    out = []
    for path in paths:
        pixels = np.asarray(Image.open(path).convert("RGB"))
        x = place(pixels, input_size(model.config.input, pixels.shape[1], pixels.shape[0]), model.config.input)
        r = model.regions(x.contiguous(memory_format=torch.channels_last))
        spe, decoded, cache = model.image(r)
        scores = label_scores(model, r, decoded, labels)
        if greedy:
            best = Caption(model.greedy(cache, tokenizer.cls, tokenizer.sep, model.config.max_tokens)[0], 0.0)
        else:
            best = captioner(spe[0], scores, cache)[0]
        out.append(Said(tokenizer.decode(best.ids), captioner.grounding.needed(best.ids), float(scores[:, main].max())))
    return out


def judged(said: list[Said], known: dict[str, Any], labels: list[str], grounding: Grounding) -> dict[str, Any]:
    shown = {labels.index(n) for n in known["shown"]}
    allowed = shown | {labels.index(n) for n in known["doubtful"]}
    main = labels.index(known["main"])
    wrong = [s for s in said if any(not allowed & set(grounding.needs[n]) for n in s.needs)]
    seen = [s for s in said if s.main >= SEEN]
    how = variety([s.caption for s in said], grounding)
    del how["silence"]  # an empty road has nothing to name
    named = [s for s in seen if any(main in grounding.needs[n] for n in s.needs)]
    return {
        "names what is not there": 100 * len(wrong) / len(said),
        f"frames with {known['main']} at {SEEN}": len(seen),
        "of them name it": 100 * len(named) / len(seen) if seen else None,
        **how,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--frames", type=Path, required=True)
    parser.add_argument("--greedy", action="store_true")
    parser.add_argument("--out", type=Path)
    o = parser.parse_args()
    torch.set_num_threads(1)
    model, grounding = load(o.model), load_grounding(o.model)
    model = model.to(memory_format=torch.channels_last)
    captioner = GroundedCaptioner(model, grounding, Ranking.of(model.config))
    labels = model.config.labels
    result: dict[str, Any] = {}
    everything: list[Said] = []
    for clip, known in clip_names().items():
        said = describe(model, captioner, frames_of(o.frames, clip), labels.index(known["main"]), o.greedy)
        result[clip] = judged(said, known, labels, grounding)
        everything += said
        for s in said[:: max(1, len(said) // 8)]:
            print(f"{clip}: {s.caption}")
    result["all clips"] = variety([s.caption for s in everything], grounding)
    text = json.dumps(result, indent=1, ensure_ascii=False)
    print(text)
    if o.out:
        o.out.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
