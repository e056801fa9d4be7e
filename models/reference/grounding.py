# SPDX-License-Identifier: LGPL-2.1-or-later
"""Which words of a caption need a class in the picture: the table `caption.grounding` of config.json, read token by token
(NETWORK.md, "grounded captions")."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .tokenizer import WordPiece


@dataclass(frozen=True)
class Entry:
    """A phrase as tokens and what it needs; nothing, where it is in the table only to hide a shorter one."""

    tokens: tuple[int, ...]
    needs: tuple[int, ...]  # indices of Grounding.needs
    after_determiner: bool


@dataclass(frozen=True)
class Mention:
    start: int  # in tokens of the caption, without [CLS]
    end: int
    needs: tuple[int, ...]


def forms(word: str) -> list[str]:
    """A + at the end stands for the plural in s: "dog+" is dog and dogs."""
    return [word[:-1], word[:-1] + "s"] if word.endswith("+") else [word]


class Grounding:
    def __init__(self, table: dict[str, Any], labels: list[str], tokenizer: WordPiece) -> None:
        """`table`: `caption.grounding` of a config whose `labels` it speaks of."""
        self.names: list[str] = []  # of the needs: a label or a group, in the order of their first entry
        self.needs: list[tuple[int, ...]] = []  # the classes of each, of which the best counts
        self.tokenizer = tokenizer
        self.continues = [t.startswith("##") for t in tokenizer.tokens]
        self.determiners = {tokenizer.ids[w] for w in table["determiners"]}
        self.entries: list[Entry] = []
        self.at: dict[int, list[Entry]] = {}  # by the first token, longest first
        known: dict[tuple[int, ...], str] = {}
        index: dict[str, int] = {}
        for row in table["entries"]:
            for name in row["needs"]:
                if name not in index:
                    group = table["groups"].get(name, [name])
                    missing = [g for g in group if g not in labels]
                    if missing:
                        which = f"{missing[0]} is neither one of the labels nor of the groups"
                        raise ValueError(f"caption.grounding needs {name}: {which}")
                    index[name] = len(self.names)
                    self.names.append(name)
                    self.needs.append(tuple(labels.index(g) for g in group))
            needs = tuple(index[n] for n in row["needs"])
            for phrase in (form for word in row["words"] for form in forms(word)):
                tokens = tuple(tokenizer.encode(phrase)[1:-1])
                if tokens in known:
                    raise ValueError(f"caption.grounding has {phrase} twice (also as {known[tokens]})")
                known[tokens] = phrase
                entry = Entry(tokens, needs, row.get("after_determiner", False))
                self.entries.append(entry)
                self.at.setdefault(tokens[0], []).append(entry)
        for rows in self.at.values():
            rows.sort(key=lambda e: -len(e.tokens))

    def mentions(self, ids: list[int]) -> list[Mention]:
        """From left to right, the longest entry at each place; entries begin and end with words. Those without a need are
        left out."""
        out: list[Mention] = []
        i = 0
        while i < len(ids):
            entry = self._entry(ids, i)
            if entry is not None and entry.needs:
                out.append(Mention(i, i + len(entry.tokens), entry.needs))
            i += len(entry.tokens) if entry is not None else 1
        return out

    def _entry(self, ids: list[int], i: int) -> Entry | None:
        if self.continues[ids[i]]:
            return None
        for entry in self.at.get(ids[i], []):
            end = i + len(entry.tokens)
            if tuple(ids[i:end]) != entry.tokens or (end < len(ids) and self.continues[ids[end]]):
                continue
            if entry.after_determiner and (i == 0 or ids[i - 1] not in self.determiners):
                continue
            return entry
        return None

    def mentions_of(self, text: str) -> list[Mention]:
        return self.mentions(self.tokenizer.encode(text)[1:-1])

    def needed(self, ids: list[int]) -> list[int]:
        """What a caption needs, each once, in the order of its words."""
        return list(dict.fromkeys(n for m in self.mentions(ids) for n in m.needs))
