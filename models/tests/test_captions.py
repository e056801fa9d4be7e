# SPDX-License-Identifier: LGPL-2.1-or-later
"""Captions in training: CIDEr-D of one caption, and the reward that self-critical training gives."""

from __future__ import annotations

import random
import re
import unittest
from types import SimpleNamespace
from unittest import mock

import numpy as np
import torch

from models.reference.grounding import Grounding
from models.training import scenes
from models.training.cider import CiderD, plain
from models.training.dataset import Batch, Encoded
from models.training.losses import Heads
from models.training.scenes import claimed
from models.training.tasks import (
    Trainee,
    Words,
    captioning,
    frozen_image,
    hallucinated,
    random_tokens,
    ranked,
    sample,
    self_critical,
    shown_classes,
    side_by_side,
    told_apart,
)
from models.training.vocabulary import CaptionVocabulary, pad

from .small import small_model

TRUTH = {
    1: ["a dog runs on the grass", "a brown dog is running", "dog in a field"],
    2: ["two people ride a bike", "a man and a woman on a bicycle", "people riding"],
    3: ["a red car on the street", "car parked near a house", "the car is red"],
}
SAID = {1: "a dog is running on grass", 2: "a man on a bicycle", 3: "a dog on the street"}


def needs(words: dict[str, list[str]], labels: list[str], **groups: list[str]) -> Grounding:
    """Words that need classes or groups of them; every word is one token."""
    tokens = ["[CLS]", "[SEP]", "a", "and", "in", "the", *words, *(f"w{i}" for i in range(50) if f"w{i}" not in words)]
    ids = {t: i for i, t in enumerate(tokens)}
    tokenizer = SimpleNamespace(tokens=tokens, ids=ids, encode=lambda text: [0, *(ids[w] for w in text.split()), 1])
    table = {"determiners": ["a"], "groups": groups, "entries": [{"words": [w], "needs": n} for w, n in words.items()]}
    return Grounding(table, labels, tokenizer)  # type: ignore[arg-type]


class Captions(unittest.TestCase):
    def test_equals_the_published_scorer(self) -> None:
        from pycocoevalcap.cider.cider import Cider

        expected = Cider().compute_score(TRUTH, {k: [v] for k, v in SAID.items()})[1]
        ours = CiderD(list(TRUTH.values()))
        for k, e in zip(TRUTH, expected):
            self.assertAlmostEqual(ours.score(SAID[k], TRUTH[k]), e, places=6)

    def test_plain(self) -> None:
        self.assertEqual(plain("A dog, running -- fast!"), "a dog running fast")

    def test_texts_side_by_side_equal_texts_apart(self) -> None:
        torch.manual_seed(0)
        model = small_model()
        width = model.config.decoder.width // model.config.decoder.heads
        image = [tuple(torch.randn(2, 2, model.config.decoder.heads, 5, width)) for _ in model.decoder.layers]
        ids, lengths = torch.randint(0, 50, (6, 7)), torch.tensor([7, 2, 4, 1, 6, 3])
        cosines, rows, columns = side_by_side(model, ids, lengths, 3, image)
        apart = model.causal(ids, [(k.repeat_interleave(3, 0), v.repeat_interleave(3, 0)) for k, v in image])
        self.assertEqual(len(rows), 23)
        torch.testing.assert_close(cosines, apart[rows, columns], rtol=1e-4, atol=1e-5)

    def test_some_tokens_are_the_first_and_others_without_repetition(self) -> None:
        torch.manual_seed(0)
        sequence = torch.arange(2 * 21.0).view(2, 21, 1).expand(2, 21, 3)
        some = random_tokens(sequence, 0.5)
        self.assertEqual(some.shape, (2, 11, 3))
        for row, first in zip(some, (0.0, 21.0)):
            self.assertEqual(row[0, 0], first)
            self.assertEqual(len(set(row[:, 0].tolist())), 11)
            self.assertTrue(set(row[:, 0].tolist()) <= set(range(int(first), int(first) + 21)))
            self.assertTrue((row == row[:, :1]).all())
        self.assertNotEqual((some[0, 1:, 0]).tolist(), (some[1, 1:, 0] - 21).tolist())

    def one_image(self) -> tuple[Trainee, Words, Batch]:
        """Of which is only known that it is "w12 w13"."""
        torch.manual_seed(0)
        model = small_model()
        trainee = Trainee(model, Heads(64, 3, 320, model.config.tasks))
        names = [f"w{i}" for i in range(50)]
        tokenizer = SimpleNamespace(
            cls=2, sep=10, unk=1, tokens=names, decode=lambda ids: " ".join(names[i] for i in ids if i != 10),
            encode=lambda text, limit: [2, *(int(w[1:]) for w in text.split()), 10],
        )  # fmt: skip
        vocabulary = CaptionVocabulary(tokenizer, model.caption.token_ids)  # type: ignore[arg-type]
        truth = ["w12 w13"]
        words = Words(None, vocabulary, tokenizer, [], random.Random(0), CiderD([truth, ["w20 w21"], ["w22"]]))  # type: ignore[arg-type]
        nothing = torch.zeros(1, 1, 4)
        batch = Batch(
            np.zeros((1, 0), np.uint8), nothing, torch.zeros(1, 1, dtype=torch.long), torch.zeros(1, 1), nothing,
            torch.full((1, 1), -1), torch.zeros(1, 1, dtype=torch.bool), torch.zeros(0, 2, dtype=torch.long),
            torch.zeros(0, 16, 16), [truth],
            Encoded(torch.randn(1, 320, 2, 2), torch.randn(1, 10, 64), torch.rand(1, 10, 4), torch.zeros(1, 10, 784), torch.rand(1, 10)),
        )  # fmt: skip
        return trainee, words, batch

    def test_a_caption_that_earns_more_becomes_likelier(self) -> None:
        """After some steps the model says the words of the truth more often than before."""
        trainee, words, batch = self.one_image()
        optimizer = torch.optim.Adam(trainee.model.decoder.parameters(), 3e-3)
        rewards = []
        for _ in range(80):
            loss, parts = self_critical(trainee, batch, words, each=16, limit=4)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            rewards.append(parts["reward"])
        self.assertGreater(sum(rewards[-10:]), 1.3 * sum(rewards[:10]))

    def test_a_caption_that_says_the_same_of_all_images_is_worth_less(self) -> None:
        trainee, words, _ = self.one_image()
        said = [[12, 13], [20, 21], [22], [23]]  # two of each of two images
        text = torch.nn.functional.normalize(trainee.model.encode_text(*pad([[words.tokenizer.cls, *s] for s in said])), dim=-1).detach()
        image = torch.stack((text[0] + text[1], text[2] + text[3]))
        got = told_apart(trainee, words, image, said)
        z = text @ torch.nn.functional.normalize(image, dim=-1).T / trainee.heads.temperature("retrieval").detach()
        wanted = torch.stack([z[i].log_softmax(0)[i // 2] for i in range(4)]).view(2, 2)
        torch.testing.assert_close(got, wanted)
        alike = told_apart(trainee, words, image[:1].expand(2, -1), said)
        torch.testing.assert_close(alike, torch.full((2, 2), -float(np.log(2))))

    def test_what_is_worth_more_comes_nearer(self) -> None:
        """The nearest of an image's samples is worth more of the best one's than before."""
        trainee, words, batch = self.one_image()
        optimizer = torch.optim.Adam([*trainee.model.decoder.parameters(), *trainee.model.text_proj.parameters()], 3e-3)
        shares = []
        for step in range(70):
            loss, parts = ranked(trainee, batch, words, each=16, limit=4)
            shares.append((parts["rank_gain"], parts["rank_most"]))
            if step >= 10:  # before, what an untrained model makes of it
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
        before, after = ([sum(x) for x in zip(*part)] for part in (shares[:10], shares[-10:]))
        self.assertGreater(after[0] / after[1], before[0] / before[1] + 0.05)

    def test_what_a_picture_shows(self) -> None:
        """Its annotations, the teacher's doubts and what its captions name; of a group that they name any class."""
        _, _, batch = self.one_image()
        words = {"dog": ["dog"], "cat": ["cat"], "car": ["car"], "vehicle": ["vehicle"]}
        grounding = needs(words, ["dog", "cat", "car", "bus"], vehicle=["car", "bus"])
        batch.labels[0, 0], batch.ignored_labels[0, 0] = 0, -1
        self.assertEqual(hallucinated("a dog", shown_classes(batch, 0, grounding), grounding), 1)  # weight 0 is padding
        batch.weights[0, 0] = 1.0
        self.assertEqual(hallucinated("a dog and a cat in a car", shown_classes(batch, 0, grounding), grounding), 2)
        batch.ignored_labels[0, 0] = 1
        batch.captions = [["the vehicle"]]
        self.assertEqual(hallucinated("a dog and a cat in a car", shown_classes(batch, 0, grounding), grounding), 0)

    def test_a_scene_is_there_if_somebody_says_so(self) -> None:
        self.assertEqual(claimed("Boys play soccer near a fountain.", ["A boy at the Fountains."]), 1)
        self.assertEqual(claimed("Boys play soccer near a fountain.", ["A boy.", "Soccer, and water splashes."]), 0)
        self.assertEqual(claimed("a racehorse on a seat by an iceberg", ["a dog"]), 0)

    def test_what_is_not_there_becomes_rarer(self) -> None:
        """No word earns anything; one names an object, or a scene, that the picture lacks."""
        self.penalised("untrue", needs({"w13": ["dog"]}, ["dog", "cat"]))
        with mock.patch.object(scenes, "WORDS", [re.compile("w13"), *scenes.WORDS[1:]]):
            scenes.scenes_of.cache_clear()
            self.penalised("elsewhere", None)
        scenes.scenes_of.cache_clear()

    def penalised(self, kind: str, grounding: Grounding | None) -> None:
        trainee, words, batch = self.one_image()
        batch.captions = [[""]]
        words.grounding = grounding
        optimizer = torch.optim.Adam(trainee.model.decoder.parameters(), 3e-3)
        shares = []
        for _ in range(60):
            loss, parts = self_critical(trainee, batch, words, each=16, limit=4)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            shares.append(parts[kind])
        self.assertLess(sum(shares[-10:]), 0.5 * sum(shares[:10]))

    def test_sampled_cold_equals_greedy(self) -> None:
        """And at the temperature of training it does not."""
        trainee, words, batch = self.one_image()
        assert batch.encoded is not None
        with torch.no_grad():
            cache = [(k.repeat(4, 1, 1, 1), v.repeat(4, 1, 1, 1)) for k, v in frozen_image(trainee.model, batch.encoded)[2]]
        greedy = trainee.model.greedy(cache, words.tokenizer.cls, words.tokenizer.sep, 6)
        cold, warm = ([[i for i in s if i != words.tokenizer.sep] for s in sample(trainee.model, words, cache, 6, t)] for t in (1e-5, 0.5))
        self.assertEqual(cold, greedy)
        self.assertNotEqual(warm, greedy)

    def test_dropout_is_captioning_s_alone(self) -> None:
        """With it two steps differ, without it they do not; it ends with the step; at 1 nothing is read but where the text begins."""
        trainee, words, batch = self.one_image()
        trainee.train()
        read: list[torch.Tensor] = []
        inputs = trainee.model.causal_inputs
        trainee.model.causal_inputs = lambda ids, start=0: (read.append(ids), inputs(ids, start))[1]  # type: ignore[method-assign]
        losses = {}
        for rate in (0.0, 0.2, 1.0):
            trainee.dropout = rate
            losses[rate] = [captioning(trainee, batch, words, each=1)[1]["caption"] for _ in range(2)]
        self.assertEqual(losses[0.0][0], losses[0.0][1])
        self.assertNotEqual(losses[0.2][0], losses[0.2][1])
        self.assertEqual([layer.drop.p for layer in trainee.model.decoder.layers], [0.0, 0.0])
        self.assertEqual([ids.tolist() for ids in (read[0], read[-1])], [[[2, 12, 13]], [[2, 1, 1]]])


if __name__ == "__main__":
    unittest.main()
