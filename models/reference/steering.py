# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the regions show, told to the decoder before a word is said (NETWORK.md, "grounded captions"): the table of words as a trie of tokens."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from .grounding import Entry, Grounding


@dataclass
class Node:
    """A beginning of entries. `share` is what a text that stands here has received of what its words will get."""

    parent: Node | None = None
    continues: bool = False  # whether its token goes on with the word of the token before
    text: str = ""  # of the word so far
    entry: Entry | None = None
    closed: bool = False  # what begins so becomes one of the entries below, and no other word
    children: dict[int, Node] = field(default_factory=dict)
    before: float = 0.0  # of the entries that were complete when this word began
    done: float = 0.0  # of those that are complete if a new word follows
    share: float = 0.0


State = tuple[Node, bool]  # the longest beginning that a text ends with, and whether its last token is a determiner


class Steering:
    """Adds to a token's logit what its word's evidence is; a word that ends outside of the table gives its share back."""

    def __init__(self, grounding: Grounding, token_ids: list[int]) -> None:
        """`token_ids`: the tokens that can be said, in the order of their logits."""
        self.grounding = grounding
        self.position = {t: i for i, t in enumerate(token_ids)}
        self.continues = np.array([grounding.continues[t] for t in token_ids])
        self.roots = tuple(self._trie(after) for after in (False, True))
        self.base = [np.zeros(len(token_ids)) for _ in self.roots]
        self.start: State = (self.roots[0], False)

    def _trie(self, after_determiner: bool) -> Node:
        root = Node()
        tokens = self.grounding.tokenizer.tokens
        for entry in self.grounding.entries:
            if (entry.after_determiner and not after_determiner) or not all(t in self.position for t in entry.tokens):
                continue
            node = root
            for t in entry.tokens:
                if t not in node.children:
                    go_on = self.grounding.continues[t]
                    node.children[t] = Node(node, go_on, node.text + tokens[t][2:] if go_on else tokens[t])
                node = node.children[t]
            node.entry = entry
        self._close(root)
        return root

    def _close(self, node: Node) -> None:
        for child in node.children.values():
            self._close(child)
        inside = bool(node.children) and all(c.continues for c in node.children.values())
        node.closed = node.parent is not None and node.entry is None and inside and node.text not in self.grounding.beginnings

    def show(self, needs: list[float]) -> None:
        """Sets the evidence of every need, at most 0: that of one image."""
        for root, base in zip(self.roots, self.base):
            for child in root.children.values():
                self._weigh(child, needs)
            for token, child in root.children.items():
                base[self.position[token]] = child.share

    def _weigh(self, node: Node, needs: list[float]) -> None:
        assert node.parent is not None
        node.before = node.parent.before if node.continues else node.parent.done
        node.done = sum(needs[n] for n in node.entry.needs) if node.entry else node.before
        for child in node.children.values():
            self._weigh(child, needs)
        node.share = max(c.share for c in node.children.values()) if node.closed else node.done

    def bias(self, state: State) -> np.ndarray:
        """What is added to the logits of the next token."""
        node, determiner = state
        base = self.base[determiner]
        if node.parent is None:
            return base
        out = np.where(self.continues, node.before, base + node.done) - node.share
        for token, child in node.children.items():
            out[self.position[token]] = child.share - node.share
        return out

    def step(self, state: State, token: int) -> State:
        node, determiner = state
        root = self.roots[determiner]
        if token in node.children and node.parent is not None:
            following = node.children[token]
        elif self.grounding.continues[token]:
            following = self.roots[0]  # a word outside of the table goes on
        else:
            following = root.children.get(token, root)
        return following, token in self.grounding.determiners
