# SPDX-License-Identifier: LGPL-2.1-or-later
"""BERT's lower-casing WordPiece, from a vocab.txt: basic tokenization, then greedy longest match."""

from __future__ import annotations

import unicodedata
from functools import lru_cache
from pathlib import Path


def is_punctuation(c: str) -> bool:
    code = ord(c)
    ascii_symbol = 33 <= code <= 47 or 58 <= code <= 64 or 91 <= code <= 96 or 123 <= code <= 126
    return ascii_symbol or unicodedata.category(c).startswith("P")


class WordPiece:
    def __init__(self, vocab: str | Path) -> None:
        self.tokens = Path(vocab).read_text(encoding="utf-8").splitlines()
        self.ids = {t: i for i, t in enumerate(self.tokens)}
        self.cls, self.sep, self.pad, self.unk = (self.ids[t] for t in ("[CLS]", "[SEP]", "[PAD]", "[UNK]"))
        self.word = lru_cache(maxsize=200_000)(self._word)

    def words(self, text: str) -> list[str]:
        """Lower case, accents stripped, punctuation and CJK set apart."""
        text = unicodedata.normalize("NFD", text.lower())
        out: list[str] = []
        for c in text:
            category = unicodedata.category(c)
            if category == "Mn" or c in "\0\ufffd" or (category in ("Cc", "Cf") and c not in "\t\n\r"):
                continue
            if is_punctuation(c) or "\u4e00" <= c <= "\u9fff" or "\u3400" <= c <= "\u4dbf":
                out.append(f" {c} ")
            else:
                out.append(" " if c.isspace() else c)
        return "".join(out).split()

    def _word(self, word: str) -> tuple[int, ...]:
        pieces: list[int] = []
        start = 0
        while start < len(word):
            for end in range(len(word), start, -1):
                piece = ("##" if start else "") + word[start:end]
                if piece in self.ids:
                    pieces.append(self.ids[piece])
                    start = end
                    break
            else:
                return (self.unk,)
        return tuple(pieces) if len(word) <= 100 else (self.unk,)

    def encode(self, text: str, limit: int = 512) -> list[int]:
        """[CLS] pieces [SEP], at most `limit` ids."""
        ids = [p for w in self.words(text) for p in self.word(w)]
        return [self.cls, *ids[: limit - 2], self.sep]

    def decode(self, ids: list[int]) -> str:
        """Pieces joined, no space before punctuation or around apostrophes and hyphens."""
        text = ""
        for i in ids:
            piece = self.tokens[i]
            if piece.startswith("##"):
                text += piece[2:]
            elif not text or piece in ".,!?;:'-)" or text[-1] in "'-(":
                text += piece
            else:
                text += " " + piece
        return text
