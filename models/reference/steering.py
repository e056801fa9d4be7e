# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the regions show, told to the decoder before a word is said (NETWORK.md, "grounded captions"): the table of words as
a trie of tokens."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from .grounding import Entry, Grounding


@dataclass
class Node:
    """A beginning of entries."""

    parent: Node | None = None
    entry: Entry | None = None
    children: dict[int, Node] = field(default_factory=dict)
    done: float = 0.0  # support of the longest entry that is complete here


State = tuple[Node, bool]  # the longest beginning that a text ends with, and whether its last token is a determiner


class Steering:
    """Adds a word's support to the logit of the token that completes it; a longer entry that hides it gives it back.

    Other words that begin like an entry keep what it received: given back, it would make any token likely that goes on with
    the word of an absent thing ("snowboard ##barrow"). Those that captions say are in the table, without needs.
    """

    def __init__(self, grounding: Grounding, token_ids: list[int]) -> None:
        """`token_ids`: the tokens that can be said, in the order of their logits."""
        self.grounding = grounding
        self.position = {t: i for i, t in enumerate(token_ids)}
        self.roots = tuple(self._trie(after) for after in (False, True))
        self.base = [np.zeros(len(token_ids)) for _ in self.roots]
        self.start: State = (self.roots[0], False)

    def _trie(self, after_determiner: bool) -> Node:
        root = Node()
        for entry in self.grounding.entries:
            if (entry.after_determiner and not after_determiner) or not all(t in self.position for t in entry.tokens):
                continue
            node = root
            for t in entry.tokens:
                node = node.children.setdefault(t, Node(node))
            node.entry = entry
        return root

    def show(self, needs: list[float]) -> None:
        """Sets the support of every need, at most 0: that of one image."""
        for root, base in zip(self.roots, self.base):
            for token, child in root.children.items():
                self._weigh(child, needs)
                base[self.position[token]] = child.done

    def _weigh(self, node: Node, needs: list[float]) -> None:
        assert node.parent is not None
        node.done = sum(needs[n] for n in node.entry.needs) if node.entry else node.parent.done
        for child in node.children.values():
            self._weigh(child, needs)

    def bias(self, state: State) -> np.ndarray:
        """What is added to the logits of the next token."""
        node, determiner = state
        if node.parent is None:
            return self.base[determiner]
        out = self.base[determiner].copy()
        for token, child in node.children.items():
            out[self.position[token]] = child.done - node.done
        return out

    def step(self, state: State, token: int) -> State:
        node, determiner = state
        if node.parent is not None and token in node.children:
            following = node.children[token]
        else:
            root = self.roots[determiner]
            following = root.children.get(token, root)
        return following, token in self.grounding.determiners
