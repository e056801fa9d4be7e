# SPDX-License-Identifier: LGPL-2.1-or-later
"""Whether captions tell the truth (CHAIR, Rohrbach et al., 1809.02156), and whether they tell pictures apart.

    python -m models.training.chair --captions FILE --model models/nano --data DIR [--part val]

FILE is what upi-annotate's `--captions` or evaluate's `--said` writes: a JSON list of `{"image_id", "caption"}`.

A mention is an object word's need (a class, or a group of which one is enough: `caption.grounding`). It counts only where
its truth is known: a class is there when it is annotated (also as "difficult" or as a crowd) or when a reference caption of
the image names it; it is absent when the image annotates every instance of it and has none.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import numpy as np

from models.reference.config import Config
from models.reference.grounding import Grounding
from models.reference.tokenizer import WordPiece

from .cider import plain
from .dataset import Record
from .setup import categories, records

SILENT = 20.0  # % of captions without an object word above which a model has failed: silence must not win
RESAMPLES = 2000


def shown(record: Record, grounding: Grounding) -> set[int]:
    """Classes that an image shows, by its annotations and its captions. Of a group that a caption names each might be the
    one."""
    named = {n for c in record.captions for m in grounding.mentions_of(c) for n in m.needs}
    return set(record.labels.tolist()) | {c for n in named for c in grounding.needs[n]}


def mentions(caption: str, record: Record, grounding: Grounding) -> list[tuple[int, bool | None]]:
    """Every need of a caption's words, and whether the picture has it; None where nobody knows."""
    there = shown(record, grounding)
    out: list[tuple[int, bool | None]] = []
    for m in grounding.mentions_of(caption):
        for n in m.needs:
            classes = set(grounding.needs[n])
            out.append((n, True if classes & there else False if classes <= record.exhaustive else None))
    return out


def interval(parts: np.ndarray, wholes: np.ndarray) -> list[float]:
    """95 % of the bootstrap distribution of Σ parts / Σ wholes over images, in %."""
    picks = np.random.default_rng(0).integers(0, len(parts), (RESAMPLES, len(parts)))
    ratio = 100 * parts[picks].sum(1) / np.maximum(wholes[picks].sum(1), 1)
    return [round(float(v), 1) for v in np.percentile(ratio, (2.5, 97.5))]


def chair(said: list[tuple[Record, str]], grounding: Grounding) -> dict[str, Any]:
    """CHAIR_i: mentions of what is not there over mentions; CHAIR_s: captions with such a mention over captions; both in %."""
    known: list[int] = []
    wrong: list[int] = []
    by_class: defaultdict[str, list[int]] = defaultdict(lambda: [0, 0])
    for record, caption in said:
        found = [(n, there) for n, there in mentions(caption, record, grounding) if there is not None]
        known.append(len(found))
        wrong.append(sum(not there for _, there in found))
        for n, there in found:
            by_class[grounding.names[n]][0] += 1
            by_class[grounding.names[n]][1] += not there
    if not said:
        return {}
    k, w = np.array(known), np.array(wrong)
    return {
        "images": len(said),
        "mentions": int(k.sum()),
        "CHAIR_i": 100 * float(w.sum()) / max(int(k.sum()), 1),
        "CHAIR_i interval": interval(w, k),
        "CHAIR_s": 100 * float((w > 0).mean()),
        "CHAIR_s interval": interval((w > 0).astype(np.int64), np.ones(len(w), np.int64)),
        "mentions, of them wrong": {n: v for n, v in sorted(by_class.items(), key=lambda x: -x[1][0])},
    }


def variety(captions: list[str], grounding: Grounding) -> dict[str, Any]:
    """How many different sentences, how often the most frequent one, and how many say nothing of an object."""
    count = Counter(plain(c) for c in captions)
    if not captions:
        return {}
    sentence, most = count.most_common(1)[0]
    silent = 100 * sum(not grounding.mentions_of(c) for c in captions) / len(captions)
    return {
        "images": len(captions),
        "distinct": len(count),
        "distinct share": 100 * len(count) / len(captions),
        "most frequent": sentence,
        "most frequent share": 100 * most / len(captions),
        "without an object word": silent,
        "silence": "failed" if silent > SILENT else "passed",
    }


def truth(said: list[tuple[Record, str]], grounding: Grounding) -> dict[str, Any]:
    """All of it: on images that annotate all classes, on those that annotate at least some, and over all captions."""
    classes = {c for need in grounding.needs for c in need}
    return {
        "CHAIR, all classes annotated": chair([(r, c) for r, c in said if classes <= r.exhaustive], grounding),
        "CHAIR, some classes annotated": chair([(r, c) for r, c in said if r.exhaustive], grounding),
        "variety": variety([c for _, c in said], grounding),
    }


def load_grounding(directory: Path) -> Grounding:
    """A model directory's table, or this project's where its config has none."""
    from .grounding import table

    config = Config.load(directory)
    return Grounding(config.raw["caption"].get("grounding") or table(), config.labels, WordPiece(directory / "vocab.txt"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--captions", type=Path, required=True)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--part", default="val", choices=("val", "dev"))
    o = parser.parse_args()
    grounding = load_grounding(o.model)
    if categories(o.data)[0] != Config.load(o.model).labels:
        raise SystemExit(f"the labels of {o.model} are not the categories of {o.data}")
    of = {r.id: r for r in records(o.data, o.part)}
    said = [(of[x["image_id"]], x["caption"]) for x in json.loads(o.captions.read_text(encoding="utf-8"))]
    print(json.dumps(truth(said, grounding), indent=1, ensure_ascii=False))


if __name__ == "__main__":
    main()
