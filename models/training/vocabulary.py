# SPDX-License-Identifier: LGPL-2.1-or-later
"""Words: the names of the classes and their synonyms, and the caption vocabulary cut to what captions need."""

from __future__ import annotations

from collections import Counter

import torch
from torch import Tensor

from models.reference.general_decoder import padding_mask
from models.reference.text_encoder import TextEncoder
from models.reference.tokenizer import WordPiece

SYNONYMS: dict[str, list[str]] = {
    "person": ["man", "woman", "pedestrian", "people", "human", "a person"],
    "bicycle": ["bike", "cycle"],
    "car": ["automobile", "a car", "sedan"],
    "motorcycle": ["motorbike", "scooter"],
    "airplane": ["aeroplane", "plane", "aircraft"],
    "bus": ["coach"],
    "truck": ["lorry"],
    "boat": ["ship"],
    "traffic light": ["traffic signal", "stoplight"],
    "bird": ["a bird"],
    "cat": ["kitten"],
    "dog": ["puppy"],
    "cow": ["cattle", "bull"],
    "sheep": ["lamb"],
    "backpack": ["rucksack"],
    "handbag": ["purse"],
    "suitcase": ["luggage"],
    "sports ball": ["ball"],
    "cell phone": ["mobile phone", "phone"],
    "couch": ["sofa"],
    "potted plant": ["pottedplant", "house plant"],
    "dining table": ["diningtable", "table"],
    "tv": ["tvmonitor", "television", "monitor"],
    "laptop": ["laptop computer"],
    "cup": ["mug"],
    "donut": ["doughnut"],
    "refrigerator": ["fridge"],
    "hair drier": ["hair dryer"],
}


def pad(rows: list[list[int]], fill: int = 0) -> tuple[Tensor, Tensor]:
    """→ ids [B, T] and lengths [B]."""
    lengths = torch.tensor([len(r) for r in rows])
    out = torch.full((len(rows), int(lengths.max())), fill)
    for i, row in enumerate(rows):
        out[i, : len(row)] = torch.tensor(row)
    return out, lengths


class ClassNames:
    """Outputs of the frozen text encoder for every class name and synonym, computed once."""

    def __init__(self, names: list[str], encoder: TextEncoder, tokenizer: WordPiece) -> None:
        strings = [[n, *SYNONYMS.get(n, [])] for n in names]
        flat = [s for group in strings for s in group]
        ids, self.lengths = pad([tokenizer.encode(s) for s in flat])
        with torch.no_grad():
            self.features = encoder(ids, padding_mask(self.lengths, ids.shape[1]))
        starts = torch.tensor([len(g) for g in strings]).cumsum(0)
        self.first = torch.cat((torch.zeros(1, dtype=torch.long), starts[:-1]))
        self.count = torch.tensor([len(g) for g in strings])

    def pick(self, synonyms: float) -> tuple[Tensor, Tensor]:
        """Features [C, T, width] and lengths; a class takes a synonym with this probability."""
        other = (torch.rand(len(self.first)) * self.count).long()
        index = self.first + torch.where(torch.rand(len(self.first)) < synonyms, other, torch.zeros_like(other))
        lengths = self.lengths[index]
        return self.features[index, : int(lengths.max())], lengths


def candidates(tokenizer: WordPiece, captions: list[list[int]], lines: list[list[int]], least: int, most: int) -> Tensor:
    """The word pieces that occur often enough, [SEP] first; a caption counts three times a line of text."""
    count: Counter[int] = Counter()
    for rows, weight in ((captions, 3), (lines, 1)):
        for row in rows:
            for i in row[1:-1]:
                count[i] += weight
    kept = sorted(i for i, n in count.most_common(most - 1) if n >= least and i != tokenizer.unk)
    return torch.tensor([tokenizer.sep, *kept], dtype=torch.int32)


class CaptionVocabulary:
    """Candidates of captioning; other word pieces are read as [UNK] and never predicted."""

    def __init__(self, tokenizer: WordPiece, token_ids: Tensor) -> None:
        self.token_ids = token_ids
        self.candidate = torch.full((len(tokenizer.tokens),), -100)
        self.candidate[self.token_ids.long()] = torch.arange(len(self.token_ids))
        self.unk = tokenizer.unk

    def prepare(self, ids: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Padded ids [B, T] → inputs [B, T-1] and targets [B, T-1] (candidate indices, -100 where there is none)."""
        targets = self.candidate[ids]
        targets = targets.masked_fill(torch.arange(ids.shape[1])[None] >= lengths[:, None], -100)
        special = torch.zeros_like(ids, dtype=torch.bool)
        special[:, 0] = True
        inputs = torch.where((self.candidate[ids] >= 0) | special, ids, torch.full_like(ids, self.unk))
        return inputs[:, :-1], targets[:, 1:]
