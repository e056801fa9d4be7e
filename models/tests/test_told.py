# SPDX-License-Identifier: LGPL-2.1-or-later
"""Captions for views that nobody described."""

from __future__ import annotations

import contextlib
import io
import json
import pickle
import random
import sys
import tempfile
import unittest
from pathlib import Path
from types import ModuleType, SimpleNamespace
from unittest import mock

import numpy as np
import torch

from models.reference.grounding import Grounding
from models.reference.tokenizer import WordPiece
from models.training import encode, told, train
from models.training.cider import CiderD, plain
from models.training.dataset import POSITIVE, Augment, Batch, Record
from models.training.encode import EncodedSampler, Stored
from models.training.grounding import table
from models.training.told import EMPTY, PLACES, Lines, describe, known_lines, on_road, read_lines, text_vectors

from .small import NANO

LABELS = json.loads(NANO.read_text(encoding="utf-8"))["labels"]
TEXTS = ["A man walks.", "Two men walk a dog.", "A dog runs.", "A car is parked.", "Snow on a hill.", "A dog and a car."]


def record(boxes: list[list[float]], **changes: object) -> Record:
    n = len(boxes)
    row = Record(
        1, "x", 100, 80, "roads", set(), np.array(boxes, np.float32).reshape(-1, 4), np.zeros(n, np.int64), np.full(n, POSITIVE),
        np.ones(n, np.float32), [None] * n,
    )  # fmt: skip
    for name, value in changes.items():
        setattr(row, name, value)
    return row


def view(labels: list[str], ignored: list[str]) -> Batch:
    """One view: objects from the smallest to the largest."""
    boxes = torch.tensor([[[0.5, 0.5, 0.1 * (i + 1), 0.1 * (i + 1)] for i in range(max(1, len(labels)))]])
    return Batch(
        np.zeros((1, 0)), boxes, torch.tensor([[LABELS.index(n) for n in labels] or [0]]), torch.full(boxes.shape[:2], float(bool(labels))),
        torch.zeros(1, max(1, len(ignored)), 4), torch.tensor([[LABELS.index(n) for n in ignored] or [-1]]),
        torch.zeros(1, max(1, len(ignored)), dtype=torch.bool), torch.zeros(0, 2, dtype=torch.long), torch.zeros(0, 1, 1), [[]],
    )  # fmt: skip


class Told(unittest.TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        grounding = Grounding(table(), LABELS, WordPiece(NANO.with_name("vocab.txt")))
        cls.lines = Lines(TEXTS, torch.eye(len(TEXTS)), grounding)

    def tell(self, labels: list[str], ignored: list[str] | None = None, like: int = 4, source: str = "voc") -> list[str]:
        spe = torch.eye(len(TEXTS))[like : like + 1]
        return describe(view(labels, ignored or []), [source], spe, self.lines, LABELS, 6, 6, random.Random(0))[0]

    def first(self, labels: list[str], like: int, people: int = 0) -> str:
        """The line that fits best."""
        areas = {LABELS.index(n): 1 / len(labels) for n in labels}
        fit = self.lines.fit(torch.eye(len(TEXTS))[like : like + 1], [set(areas)], [areas], [people], [[]])
        return TEXTS[int(fit[0].argmax())]

    def test_nothing_is_named_that_the_view_lacks(self) -> None:
        self.assertEqual(self.tell([]), ["Snow on a hill."])
        self.assertEqual(set(self.tell(["dog"])), {"A dog runs.", "Snow on a hill."})
        self.assertEqual(set(self.tell(["dog"], ["car"])), {"A dog runs.", "Snow on a hill.", "A car is parked.", "A dog and a car."})

    def test_no_scene_is_named_that_people_did_not_see(self) -> None:
        texts = ["A dog in a fountain.", "A dog in the snow.", "A dog runs."]
        lines = Lines(texts, torch.eye(3), self.lines.grounding)
        dog = LABELS.index("dog")
        of: list[list[str]] = [[], ["A dog."], ["It snows.", "A snowy hill."], ["Snow on a fountain."]]
        fit = lines.fit(torch.eye(3)[:1].expand(4, 3), [{dog}] * 4, [{dog: 1.0}] * 4, [0] * 4, of)
        self.assertEqual((fit > -torch.inf).tolist(), [[False, True, True], [False, False, True], [False, True, True], [True, True, True]])

    def test_what_is_shown_and_what_is_near_come_first(self) -> None:
        self.assertEqual(self.first(["dog"], like=3), "A dog runs.")
        self.assertEqual(self.first(["dog", "car"], like=0), "A dog and a car.")
        self.assertEqual(self.first(["dog", "car"], like=3), "A car is parked.")

    def test_one_and_many(self) -> None:
        self.assertEqual(self.first(["person"], like=2, people=1), "A man walks.")
        self.assertEqual(self.first(["person", "dog"], like=4, people=3), "Snow on a hill.")
        self.assertEqual(self.first(["person", "dog"], like=5, people=3), "Two men walk a dog.")
        self.assertEqual(self.first(["person"], like=0, people=3), "A man walks.")  # it is nearer than it is wrong

    def test_those_come_first_that_others_are_like(self) -> None:
        texts = ["A dog runs on grass.", "A brown dog runs on grass.", "A dog runs on green grass.", "My cake is pink."]
        lines = Lines(texts, torch.eye(4), self.lines.grounding)
        fit = torch.tensor([0.0, 2.0, 1.0, 9.0])
        rng = random.Random(0)
        self.assertEqual(set(lines.best(fit, 3, 3, rng)), set(texts[:3]))
        self.assertEqual(lines.best(fit, 1, 1, rng), ["A dog runs on grass."])
        self.assertNotIn("My cake is pink.", lines.best(fit.masked_fill(fit == 0, -torch.inf), 2, 2, rng))
        self.assertEqual(lines.best(torch.full((4,), -torch.inf), 4, 4, rng), [])

    def test_the_likest_are_drawn_from(self) -> None:
        texts = ["A dog runs on grass.", "A brown dog runs on grass.", "A dog runs on green grass.", "My cake is pink."]
        lines = Lines(texts, torch.eye(4), self.lines.grounding)
        rng = random.Random(0)
        drawn = [tuple(lines.best(torch.ones(4), 2, 3, rng)) for _ in range(60)]
        self.assertEqual({t for d in drawn for t in d}, set(texts[:3]))
        self.assertTrue(all(len(set(d)) == 2 for d in drawn))

    def test_vectors_are_kept_for_the_same_lines_and_weights(self) -> None:
        made = []

        def encode_text(ids: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
            made.append(len(ids))
            return torch.ones(len(ids), 2)

        weights = {"decoder.w": torch.zeros(1), "backbone.w": torch.zeros(1)}
        model = SimpleNamespace(config=SimpleNamespace(decoder=SimpleNamespace(width=2)), encode_text=encode_text, state_dict=lambda: weights)
        trainee, words = SimpleNamespace(model=model), SimpleNamespace(tokenizer=SimpleNamespace(encode=lambda text, limit: [0] * 3))
        with tempfile.TemporaryDirectory() as name:
            cache = Path(name) / "lines.pt"
            known_lines(["a", "b"], trainee, words, cache)  # type: ignore[arg-type]
            weights["backbone.w"] = torch.ones(1)  # no text passes through it
            texts, vectors = known_lines(["a", "b"], trainee, words, cache)  # type: ignore[arg-type]
            self.assertEqual((texts, vectors.shape, made), (["a", "b"], (2, 2), [2]))
            known_lines(["a", "c", "d"], trainee, words, cache)  # type: ignore[arg-type]
            weights["decoder.w"] = torch.ones(1)
            known_lines(["a", "c", "d"], trainee, words, cache)  # type: ignore[arg-type]
        self.assertEqual(made, [2, 3, 3])

    def test_alike_as_cider_sees_it(self) -> None:
        judge = CiderD([[plain(t)] for t in TEXTS])
        rows = self.lines.grams
        for i, a in enumerate(TEXTS):
            for k, b in enumerate(TEXTS):
                near = np.exp(-((len(a.split()) - len(b.split())) ** 2) / 72)
                self.assertAlmostEqual(10 * float((rows[i] @ rows[k].T)[0, 0]) * near, judge.score(plain(a), [plain(b)]), 4)

    def test_roads(self) -> None:
        said = self.tell(["car", "car", "bus"], source="roads")
        self.assertTrue(any(t.startswith("a bus and two cars on a ") for t in said), said)
        self.assertTrue(said[0].startswith("a bus driving down a "), said)
        self.assertIn("A car is parked.", said)
        self.assertTrue(set(self.tell([], source="roads")) <= set(EMPTY))
        self.assertEqual(len(self.tell([], source="roads")), 6)
        self.assertEqual(self.tell([], ["car"], source="roads"), [])  # something is there, nobody knows what
        self.assertEqual(self.tell(["keyboard"], source="roads"), ["Snow on a hill."])
        for source in PLACES:
            for names in (["person"], ["person"] * 5, ["truck", "bus", "bus"], []):
                for text in on_road(names, source, random.Random(1)):
                    named = {self.lines.grounding.names[n] for m in self.lines.grounding.mentions_of(text) for n in m.needs}
                    self.assertLessEqual(named, set(names), text)

    def test_lines_are_read_once_and_keep_their_vectors(self) -> None:
        with tempfile.TemporaryDirectory() as name:
            (Path(name) / "text.txt").write_text("too short a line\none two three four five\n one two three four five\n", encoding="utf-8")
            more = [f"line {i} of five words" for i in range(4)] + ["word " * 19]
            (Path(name) / "text_extra.txt").write_text("\n".join(more), encoding="utf-8")
            texts = read_lines(Path(name), 3)
        self.assertEqual(texts, ["one two three four five", "line 0 of five words", "line 3 of five words"])
        texts = [f"a {'b ' * (n * 37 % 30)}c" for n in range(100)]  # two batches, in another order than by length
        model = SimpleNamespace(
            config=SimpleNamespace(decoder=SimpleNamespace(width=2)), encode_text=lambda ids, lengths: torch.stack((lengths.float(), lengths * 0 + 1), 1)
        )
        tokenizer = SimpleNamespace(encode=lambda text, limit: [0] * len(text.split()))
        said = text_vectors(texts, SimpleNamespace(model=model), SimpleNamespace(tokenizer=tokenizer))  # type: ignore[arg-type]
        torch.testing.assert_close(said[:, 0] / said[:, 1], torch.tensor([float(len(t.split())) for t in texts]))

    def refused(self, module: ModuleType, *options: str) -> str:
        """What a command says of its options."""
        said = io.StringIO()
        with mock.patch.object(sys, "argv", ["x", "--data", "D", *options]), contextlib.redirect_stderr(said):
            self.assertRaises(SystemExit, module.main)
        return said.getvalue()

    def test_options_that_make_no_sense_are_named(self) -> None:
        self.assertIn("--told 1.0: expected 0 or more", self.refused(train, "--stage", "regions", "--told", "1", "--forget"))
        self.assertIn("--told -1.0: expected 0 or more", self.refused(train, "--stage", "refine", "--told", "-1"))
        self.assertIn("--empty 2.0: expected a share", self.refused(encode, "--checkpoint", "C", "--empty", "2"))
        with mock.patch.object(encode, "records", lambda data, part: [record([])]):
            self.assertIn("--sources rods: D has roads", self.refused(encode, "--checkpoint", "C", "--sources", "roads", "rods"))
        for options in (("--count", "0"), ("--every", "0"), ("--of", "5"), ("--shard", "2", "2"), ("--shard", "-1", "2")):
            self.assertIn("expected 1 or more, --of no less than --count, and K below N", self.refused(told, "--checkpoint", "C", *options))

    def test_a_window_where_nothing_is(self) -> None:
        augment, pixels = Augment(random.Random(0), 0.4, (0, 0, 0)), np.zeros((80, 100, 3), np.uint8)
        pixels[:30] = 255
        for _ in range(50):
            seen = augment(record([[0, 0, 100, 30]]), pixels, (64, 48), False, empty=True)
            self.assertFalse(seen["seen"].any())
            self.assertEqual(int((seen["pixels"] > 200).sum()), 0)
        whole = augment(record([[0, 0, 100, 80]]), pixels, (64, 48), False, empty=True)
        self.assertTrue(whole["seen"].all())  # there is no room

    def test_views_take_what_they_are_told(self) -> None:
        with tempfile.TemporaryDirectory() as name:
            np.save(f"{name}/0-96x64-pooled.npy", np.zeros((3, 1, 784), np.uint8))
            for k, shape in {"c5": (3, 1, 1, 1), "semantics": (3, 1, 1), "boxes": (3, 1, 4), "selection": (3, 1)}.items():
                np.save(f"{name}/0-96x64-{k}.npy", np.zeros(shape, np.float32))
            known = {"pixels": np.zeros(0, np.uint8), "boxes": np.zeros((0, 4), np.float32), "masks": []}
            known |= {"kinds": np.zeros(0, int), "seen": np.zeros(0, bool)}
            rows = [{**known, "record": record([], captions=c)} for c in (["its own"], [], [])]
            (Path(name) / "0-96x64.pkl").write_bytes(pickle.dumps(rows))
            (Path(name) / "0-96x64-told.json").write_text(json.dumps([["beside"], ["told"], []]), encoding="utf-8")
            weigh = lambda records: np.array([float(bool(r.captions)) for r in records])  # noqa: E731
            own = EncodedSampler(Stored([Path(name)]), weigh, 1).batch(40).captions
            (Path(name) / "0-96x64-told.json").rename(Path(name) / "elsewhere.json")
            with self.assertRaisesRegex(FileNotFoundError, "0-96x64-told.json is not there: run models.training.told"):
                EncodedSampler(Stored([Path(name)]), weigh, 1, told=1)
            (Path(name) / "elsewhere.json").rename(Path(name) / "0-96x64-told.json")
            both = [tuple(c) for c in EncodedSampler(Stored([Path(name)]), weigh, 1, told=0.25).batch(400).captions]
            judged = EncodedSampler(Stored([Path(name)]), weigh, 1, told=0.25, beside=False).batch(50).captions
        self.assertEqual(own, [["its own"]] * 40)
        self.assertEqual(set(both), {("its own", "beside"), ("told",)})
        self.assertTrue(50 < both.count(("told",)) < 110, both.count(("told",)))  # 1 of 5, that is 80
        self.assertEqual(set(map(tuple, judged)), {("its own",), ("told",)})


if __name__ == "__main__":
    unittest.main()
