# SPDX-License-Identifier: LGPL-2.1-or-later
"""Whether captions tell the truth, and tell pictures apart."""

from __future__ import annotations

import json
import unittest

import numpy as np

from models.reference.grounding import Grounding
from models.reference.tokenizer import WordPiece
from models.training import chair, clips
from models.training.dataset import Record
from models.training.grounding import table

from .small import NANO

LABELS = json.loads(NANO.read_text(encoding="utf-8"))["labels"]


def record(shown: list[str], exhaustive: list[str], captions: list[str] | None = None) -> Record:
    labels = np.array([LABELS.index(n) for n in shown], np.int64)
    n = len(labels)
    return Record(
        1, "1.jpg", 100, 100, "test", {LABELS.index(x) for x in exhaustive}, np.zeros((n, 4), np.float32), labels,
        np.zeros(n, np.int64), np.ones(n, np.float32), [None] * n, captions or [],
    )  # fmt: skip


class Chair(unittest.TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        cls.grounding = Grounding(table(), LABELS, WordPiece(NANO.with_name("vocab.txt")))

    def test_numbers_worked_by_hand(self) -> None:
        said = [
            (record(["dog"], LABELS), "a dog and a cat on a couch"),  # 1 of 3 is there
            (record(["person"], LABELS), "two men"),  # right
            (record([], LABELS, ["a car"]), "a car, a skateboarder"),  # the car is there by the reference, 2 needs are not
        ]
        result = chair.chair(said, self.grounding)
        self.assertEqual((result["images"], result["mentions"]), (3, 7))
        self.assertAlmostEqual(result["CHAIR_i"], 100 * 4 / 7)
        self.assertAlmostEqual(result["CHAIR_s"], 100 * 2 / 3)
        self.assertEqual(result["mentions, of them wrong"]["person"], [2, 1])
        low, high = result["CHAIR_i interval"]
        self.assertLessEqual(low, result["CHAIR_i"])
        self.assertGreaterEqual(high, result["CHAIR_i"])

    def test_a_class_that_an_image_does_not_annotate_is_neither(self) -> None:
        found = chair.mentions("a dog and a cat", record([], ["cat"]), self.grounding)
        self.assertEqual([there for _, there in found], [None, False])
        found = chair.mentions("a vehicle", record([], ["car"]), self.grounding)
        self.assertEqual([there for _, there in found], [None])
        found = chair.mentions("a vehicle", record(["car"], ["car"]), self.grounding)
        self.assertEqual([there for _, there in found], [True])

    def test_captions_of_clips(self) -> None:
        known = {"main": "person", "shown": ["person", "car"], "doubtful": ["truck"]}
        said = [
            clips.Said(caption, self.grounding.needed(self.grounding.tokenizer.encode(caption)[1:-1]), main)
            for caption, main in (
                ("a man near a truck", 0.9), ("a van", 0.7), ("people playing soccer", 0.2), ("a street", 0.1),
                ("a skateboarder", 0.8),
            )
        ]  # fmt: skip
        got = clips.judged(said, known, LABELS, self.grounding)
        self.assertEqual(got["names what is not there"], 40)  # soccer and the skateboard
        self.assertEqual(got["frames with person at 0.6"], 3)
        self.assertAlmostEqual(got["of them name it"], 100 * 2 / 3)
        self.assertNotIn("silence", got)

    def test_silence_fails(self) -> None:
        captions = ["it is nice"] * 3 + ["A dog.", "a dog", "a cat", "two men", "a car", "a bus", "a boat"]
        result = chair.variety(captions, self.grounding)
        self.assertEqual((result["distinct"], result["most frequent"], result["most frequent share"]), (7, "it is nice", 30.0))
        self.assertEqual((result["without an object word"], result["silence"]), (30.0, "failed"))
        self.assertEqual(chair.variety(captions[2:], self.grounding)["silence"], "passed")


if __name__ == "__main__":
    unittest.main()
