# SPDX-License-Identifier: LGPL-2.1-or-later
"""The table of what words need, and grounded captions."""

from __future__ import annotations

import json
import re
import tempfile
import unittest
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch

from models.reference import captions as grounded
from models.reference import golden
from models.reference.captions import Caption, Ranking, combine
from models.reference.grounding import Grounding, forms
from models.reference.model import UniPerceiver
from models.reference.steering import Steering
from models.reference.tokenizer import WordPiece
from models.training.grounding import DETERMINERS, table
from models.training.grounding import write as write_table

from .small import NANO, small_model

LABELS = json.loads(NANO.read_text(encoding="utf-8"))["labels"]


class Table(unittest.TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        cls.tokenizer = WordPiece(NANO.with_name("vocab.txt"))
        cls.grounding = Grounding(table(), LABELS, cls.tokenizer)

    def needs(self, text: str) -> list[list[str]]:
        return [[self.grounding.names[n] for n in m.needs] for m in self.grounding.mentions_of(text)]

    def test_every_class_has_words_and_its_name_is_one(self) -> None:
        alone = {need for e in self.grounding.entries for n in e.needs for need in [self.grounding.names[n]]}
        self.assertEqual(set(LABELS) - alone, set())
        for label in LABELS:
            said = self.needs(label if label not in ("train", "bear", "mouse", "tie", "orange") else f"two {label}s")
            if label == "mouse":
                said = self.needs("a mouse")
            self.assertEqual(len(said), 1, label)
            self.assertIn(LABELS.index(label), self.grounding.needs[self.grounding.names.index(said[0][0])], label)

    def test_every_entry_is_found_in_a_sentence_and_in_no_longer_word(self) -> None:
        for e in self.grounding.entries:
            ids = [self.tokenizer.ids["the"], *e.tokens, self.tokenizer.ids["."]]
            found = self.grounding.mentions(ids)
            if e.needs:
                self.assertEqual([(m.start, m.end, m.needs) for m in found], [(1, len(ids) - 1, e.needs)])
            else:
                self.assertEqual(found, [])
            goes_on = self.grounding.mentions([*e.tokens, self.tokenizer.ids["##ment"]])
            self.assertTrue(all(m.end < len(e.tokens) for m in goes_on), self.tokenizer.decode(list(e.tokens)))

    def test_tokens_are_whole_words(self) -> None:
        self.assertEqual(self.needs("scar carpet cat ##s"), [["cat"]])
        self.assertEqual(self.needs("Catwalks, a category"), [])

    def test_words_that_need_several(self) -> None:
        self.assertEqual(self.needs("a skateboarder"), [["person", "skateboard"]])
        self.assertEqual(self.needs("cyclists"), [["person", "bicycle"]])
        self.assertEqual(self.needs("a snow boarder"), [["person", "snowboard"]])
        self.assertEqual(self.needs("two skate boarders"), [["person", "skateboard"]])
        self.assertEqual(self.needs("a boarder, individuals and newlyweds"), [["person"]] * 3)
        self.assertEqual(self.needs("people are playing soccer"), [["person"], ["sports ball"]])
        self.assertEqual(self.needs("he is surfing"), [["surfboard"]])

    def test_the_longest_phrase_wins(self) -> None:
        self.assertEqual(self.needs("a hot dog"), [["hot dog"]])
        self.assertEqual(self.needs("a dog at a bus stop"), [["dog"]])
        self.assertEqual(self.needs("a couple of zebras"), [["zebra"]])
        self.assertEqual(self.needs("two pit bulls and a pitbull"), [["dog"], ["dog"]])
        self.assertEqual(self.needs("a teddy bear"), [["teddy bear"]])
        self.assertEqual(self.needs("two train stations"), [])

    def test_words_of_two_meanings(self) -> None:
        self.assertEqual(self.needs("a train"), [["train"]])
        self.assertEqual(self.needs("people train a horse"), [["person"], ["horse"]])
        self.assertEqual(self.needs("an orange jacket"), [])
        self.assertEqual(self.needs("a man with glasses and a glass of water"), [["person"]])
        self.assertEqual(self.needs("his tie"), [["tie"]])

    def test_broad_words_are_groups(self) -> None:
        (need,) = self.grounding.mentions_of("vehicles")[0].needs
        self.assertEqual({LABELS[c] for c in self.grounding.needs[need]}, set(table()["groups"]["vehicle"]))

    def test_determiners_are_single_tokens(self) -> None:
        self.assertTrue(all(w in self.tokenizer.ids for w in DETERMINERS))

    def test_plurals(self) -> None:
        self.assertEqual((forms("dog+"), forms("men")), (["dog", "dogs"], ["men"]))
        self.assertTrue(all(e.tokens for e in self.grounding.entries))

    def test_a_need_that_is_neither_label_nor_group_is_named(self) -> None:
        raw = {"determiners": ["a"], "groups": {}, "entries": [{"needs": ["unicorn"], "words": ["unicorn"]}]}
        with self.assertRaisesRegex(ValueError, "unicorn"):
            Grounding(raw, LABELS, self.tokenizer)
        raw = {"determiners": ["a"], "groups": {}, "entries": [{"needs": ["dog"], "words": ["dog", "dog"]}]}
        with self.assertRaisesRegex(ValueError, "twice"):
            Grounding(raw, LABELS, self.tokenizer)

    def test_written_into_a_config_it_reads_back_and_the_rest_stays(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "config.json"
            before = json.loads(NANO.read_text(encoding="utf-8"))
            path.write_text(json.dumps(before), encoding="utf-8")
            write_table(Path(folder))
            text = path.read_text(encoding="utf-8")
            after = json.loads(text)
            self.assertEqual(after["caption"].pop("grounding"), table())
            before["caption"].pop("grounding", None)
            self.assertEqual(after, {**before, "format_version": 2})
            write_table(Path(folder))
            self.assertEqual(path.read_text(encoding="utf-8"), text)

    def test_the_bundled_model_has_this_table_if_any(self) -> None:
        self.assertEqual(json.loads(NANO.read_text(encoding="utf-8"))["caption"].get("grounding", table()), table())


class Steered(unittest.TestCase):
    """Logits of tokens by what the picture shows; the whole vocabulary can be said."""

    @classmethod
    def setUpClass(cls) -> None:
        cls.tokenizer = WordPiece(NANO.with_name("vocab.txt"))
        cls.grounding = Grounding(table(), LABELS, cls.tokenizer)
        cls.steering = Steering(cls.grounding, list(range(len(cls.tokenizer.tokens))))
        rng = np.random.default_rng(0)
        cls.needs = (-rng.random(len(cls.grounding.needs)) * 4).tolist()
        cls.steering.show(cls.needs)

    def received(self, ids: list[int]) -> float:
        """What a text and its end have got."""
        state, total = self.steering.start, 0.0
        for i in [*ids, self.tokenizer.sep]:
            total += float(self.steering.bias(state)[i])
            state = self.steering.step(state, i)
        return total

    def due(self, ids: list[int]) -> float:
        return sum(self.needs[n] for m in self.grounding.mentions(ids) for n in m.needs)

    def ids(self, text: str) -> list[int]:
        return self.tokenizer.encode(text)[1:-1]

    def test_every_entry_receives_its_support_and_nothing_else(self) -> None:
        a = self.tokenizer.ids["a"]
        for e in self.grounding.entries:
            expected = sum(self.needs[n] for n in e.needs)
            self.assertAlmostEqual(self.received([a, *e.tokens]), expected, places=9, msg=self.tokenizer.decode(list(e.tokens)))
            follows = [a, *e.tokens, self.tokenizer.ids["near"]]
            self.assertAlmostEqual(self.received(follows), expected, places=9)

    def test_a_word_of_the_table_that_begins_like_another_gives_it_back(self) -> None:
        self.assertEqual(self.received(self.ids("a trampoline")), 0)  # tram ##poline
        self.assertEqual(self.received(self.ids("a bulldozer")), 0)
        self.assertNotEqual(self.due(self.ids("a tram")), 0)
        self.assertAlmostEqual(self.received(self.ids("a bus stop")), 0)

    def test_a_broken_word_keeps_what_its_beginning_received(self) -> None:
        """Else any token that goes on with an absent thing's word would be likely."""
        for e in self.grounding.entries:
            expected = self.received([*e.tokens])
            self.assertAlmostEqual(self.received([*e.tokens, self.tokenizer.ids["##ment"]]), expected, places=9)

    def test_sentences_receive_what_their_words_are_due(self) -> None:
        for text in (
            "a skateboarder is riding a skateboard down a bus stop", "the baseball player with a teddy bear and a teddy",
            "a hot dog, two dogs; doggedly catcher's hand and catcher's mitt", "a bear cub eats the oranges, an orange giraffe",
            "people train a train on train tracks near a brown bear", "a couple of couples on a skate board", "frisbees, giraffes",
        ):  # fmt: skip
            self.assertNotEqual(self.due(self.ids(text)), 0, text)
            self.assertAlmostEqual(self.received(self.ids(text)), self.due(self.ids(text)), places=9, msg=text)

    def test_tokens_at_random_receive_what_they_are_due(self) -> None:
        rng = np.random.default_rng(1)
        entries = self.grounding.entries
        other = [self.tokenizer.ids[w] for w in ("a", "near", "the", ",")]
        for _ in range(2000):
            ids: list[int] = []
            for _ in range(rng.integers(1, 6)):
                e = entries[rng.integers(len(entries))].tokens
                whole = [n for n in range(1, len(e)) if not self.grounding.continues[e[n]]] + [len(e)]  # no broken words
                ids += [*e[: rng.choice(whole)], *rng.choice(other, rng.integers(0, 2)).tolist()]
            if not self.inner_start(ids):
                self.assertAlmostEqual(self.received(ids), self.due(ids), places=9, msg=self.tokenizer.decode(ids))

    def inner_start(self, ids: list[int]) -> bool:
        """Whether a beginning breaks off where a part of it could have begun another entry: NETWORK.md says who wins there."""
        state = self.steering.start
        for i in ids:
            node = state[0]
            if node.parent is not None and node.parent.parent is not None and i not in node.children:
                return True
            state = self.steering.step(state, i)
        return False

    def test_the_token_that_completes_a_word_is_steered(self) -> None:
        needs = [0.0] * len(self.grounding.needs)
        needs[self.grounding.names.index("skateboard")] = -2.0
        self.steering.show(needs)
        try:
            bias = self.steering.bias(self.steering.start)
            self.assertEqual(float(np.abs(bias).max()), 0.0)  # "skate" is a word by itself
            skate = self.steering.step(self.steering.start, self.tokenizer.ids["skate"])
            bias = self.steering.bias(skate)
            steered = {self.tokenizer.tokens[i] for i in np.flatnonzero(bias)}
            self.assertEqual(steered, {"##board", "##boards", "##boarding", "board", "boards"})
            self.assertEqual(float(bias[self.tokenizer.ids["##board"]]), -2.0)
        finally:
            self.steering.show(self.needs)

    def test_support_at_the_floor_changes_nothing(self) -> None:
        self.steering.show([0.0] * len(self.grounding.needs))
        self.assertEqual(float(np.abs(self.steering.bias(self.steering.start)).max()), 0.0)
        self.steering.show(self.needs)


class Captions(unittest.TestCase):
    """On a small model whose vocabulary is a few words; ids 10 to 29 can be said."""

    @classmethod
    def setUpClass(cls) -> None:
        words = ["[PAD]", "[UNK]", "[CLS]", "a", *(f"x{i}" for i in range(6)), "[SEP]"]
        words += ["dog", "cat", "man", "##s", "teddy", "bear", "animal"]
        words += [f"w{i}" for i in range(50 - len(words))]
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "vocab.txt"
            path.write_text("\n".join(words) + "\n", encoding="utf-8")
            cls.tokenizer = WordPiece(path)
        cls.table = {
            "determiners": ["a"],
            "groups": {"animal": ["cat", "dog", "bear"]},
            "entries": [
                {"needs": ["dog"], "words": ["dog+"]},
                {"needs": ["cat"], "words": ["cat+"]},
                {"needs": ["person", "dog"], "words": ["man"]},
                {"needs": ["animal"], "words": ["animal"]},
                {"needs": ["bear"], "after_determiner": True, "words": ["bear"]},
                {"needs": ["teddy bear"], "words": ["teddy bear"]},
            ],
        }
        cls.model = small_model()
        cls.grounding = Grounding(cls.table, cls.model.config.labels, cls.tokenizer)
        torch.manual_seed(1)
        c = cls.model.config.decoder
        shape = (1, c.heads, 5, c.width // c.heads)
        cls.image = [(torch.randn(shape), torch.randn(shape)) for _ in range(c.layers)]

    def decode(self, candidates: int, limit: int = 12) -> list[Caption]:
        start, end = self.tokenizer.cls, self.tokenizer.sep
        return grounded.decode(self.model, self.image, start, end, limit, Ranking(candidates=candidates))

    def scores(self, **best: float) -> torch.Tensor:
        """Of three regions; the second has the best of each class."""
        out = torch.full((3, 80), 0.001)
        for name, score in best.items():
            out[:, LABELS.index(name.replace("_", " "))] = torch.tensor([score / 2, score, score / 3])
        return out

    def test_random_numbers_are_splitmix64(self) -> None:
        # the published generator's first from seed 0
        self.assertEqual(grounded.uniform(0, 0), (0xE220A8397B1DCDAF >> 11) * 2.0**-53)
        self.assertEqual(grounded.uniform(0, 1), (0x6E789E6AA1B965F4 >> 11) * 2.0**-53)  # and its second
        drawn = np.array([grounded.uniform(k, t) for k in range(1, 40) for t in range(40)])
        self.assertLess(abs(drawn.mean() - 0.5), 0.03)
        self.assertEqual(len(set(drawn.tolist())), len(drawn))

    def test_draws_follow_the_distribution(self) -> None:
        logits = np.log(np.array([0.1, 0.2, 0.0001, 0.6999]))
        drawn = [grounded.draw(logits, u)[0] for u in (0.0, 0.0999, 0.1001, 0.2999, 0.30005, 0.3002, 0.999999)]
        self.assertEqual(drawn, [0, 0, 1, 1, 2, 3, 3])
        self.assertEqual(grounded.draw(logits + 500, 1 - 2.0**-53)[0], 3)
        for u, margin in ((0.0999, 0.0001), (0.15, 0.05), (0.2, 0.1), (0.30005, 0.00005)):  # how far from another word
            self.assertAlmostEqual(grounded.draw(logits, u)[1], margin, places=9)

    def test_the_first_is_greedy(self) -> None:
        said = self.decode(4)
        self.assertEqual(said[0].ids, self.model.greedy(self.image, self.tokenizer.cls, self.tokenizer.sep, 12)[0])
        self.assertGreater(len({tuple(c.ids) for c in said}), 1)

    def test_a_batch_says_what_each_would_alone(self) -> None:
        many, few = self.decode(8), self.decode(3)
        self.assertGreater(len({len(c.ids) for c in many}), 1)
        for a, b in zip(few, many):
            self.assertEqual(a.ids, b.ids)
            self.assertAlmostEqual(a.likelihood, b.likelihood, places=4)

    def test_likelihood_is_that_of_teacher_forcing(self) -> None:
        temperature = self.model.config.tasks["captioning"]["temperature"]
        index = {t: i for i, t in enumerate(self.model.caption.token_ids.tolist())}
        for c in self.decode(6):
            inputs = torch.tensor([[self.tokenizer.cls, *c.ids]])
            with torch.no_grad():
                logp = (self.model.causal(inputs, self.image)[0] / temperature).log_softmax(-1)
            targets = [*c.ids, self.tokenizer.sep][: min(len(c.ids) + 1, 12)]
            expected = float(np.mean([float(logp[t, index[i]]) for t, i in enumerate(targets)]))
            self.assertAlmostEqual(c.likelihood, expected, places=3)

    def test_words_carry_the_best_region_of_each_need(self) -> None:
        ids = [self.tokenizer.ids[w] for w in ("a", "man", "dog", "##s", "animal")]
        found = grounded.words(self.grounding, ids, self.scores(person=0.9, dog=0.5, bear=0.7))
        # "dogs" is two tokens here, "man" needs person and dog, the best animal is the bear
        self.assertEqual([(w.start, w.end, [LABELS[x] for x in w.labels]) for w in found],
                         [(1, 2, ["person", "dog"]), (2, 4, ["dog"]), (4, 5, ["bear"])])  # fmt: skip
        self.assertEqual(found[0].regions, [1, 1])
        self.assertAlmostEqual(found[0].scores[1], 0.5, places=6)
        equal = grounded.words(self.grounding, [self.tokenizer.ids["animal"]], torch.full((3, 80), 0.3))
        self.assertEqual((LABELS[equal[0].labels[0]], equal[0].regions), ("cat", [0]))

    def test_support_counts_a_need_once_and_never_rewards(self) -> None:
        ids = [self.tokenizer.ids[w] for w in ("man", "dog", "dog")]
        found = grounded.words(self.grounding, ids, self.scores(person=0.9, dog=0.1))
        self.assertAlmostEqual(grounded.support(found, 0.4), np.log(0.11 / 0.41), places=5)
        self.assertEqual(grounded.support([], 0.4), 0.0)

    def test_what_is_not_there_is_not_said(self) -> None:
        """The likelier of two sentences names a cat, the picture has a dog."""
        dog, cat = ([self.tokenizer.ids["a"], self.tokenizer.ids[w]] for w in ("dog", "cat"))
        said = [Caption(cat, -1.0), Caption(cat, -1.0), Caption(dog, -1.5)]
        spe = torch.randn(self.model.config.decoder.width)
        without = grounded.rank(self.model, self.grounding, spe, self.scores(dog=0.8), said, Ranking(retrieval=0, regions=0, coverage=0, agreement=0))
        self.assertEqual([c.ids for c in without], [cat, dog])
        ranked = grounded.rank(self.model, self.grounding, spe, self.scores(dog=0.8), said, Ranking(retrieval=0, agreement=0))
        self.assertEqual([c.ids for c in ranked], [dog, cat])
        self.assertIsNone(ranked[0].cosine)
        self.assertAlmostEqual(ranked[1].score, -1.0 + Ranking().regions * np.log(0.011 / (Ranking().floor + 0.01)), places=4)

    def test_only_the_best_few_are_encoded_and_stay_ahead(self) -> None:
        ids = [self.tokenizer.ids[w] for w in ("w0", "w1", "w2", "w3")]
        said = [Caption([i], -float(n)) for n, i in enumerate(ids)]
        spe = self.model.encode_text(torch.tensor([[self.tokenizer.cls, ids[1], self.tokenizer.sep]]), torch.tensor([3]))[0]
        ranking = Ranking(encoded=2, retrieval=1000)
        ranked = grounded.rank(self.model, self.grounding, spe.detach(), self.scores(), said, ranking)
        self.assertEqual([c.ids[0] for c in ranked], [ids[1], ids[0], ids[2], ids[3]])
        self.assertEqual([c.cosine is None for c in ranked], [False, False, True, True])
        self.assertAlmostEqual(ranked[0].cosine or 0, 1.0, places=5)

    def test_what_is_seen_is_better_named(self) -> None:
        """Of what is seen each counts by its score; a word for a group is one for its best label."""
        man, dog, animal, other = ([self.tokenizer.ids[w]] for w in ("man", "dog", "animal", "w1"))
        scores = self.scores(person=0.9, dog=0.5, cat=0.4, bear=0.1)  # the last is below the config's threshold
        share = [grounded.coverage(grounded.words(self.grounding, c, scores), scores, 0.3) for c in (man, dog, animal, other)]
        for got, wanted in zip(share, (1.4 / 1.8, 0.5 / 1.8, 0.5 / 1.8, 0.0)):
            self.assertAlmostEqual(got, wanted, places=6)
        self.assertEqual(grounded.coverage([], self.scores(bear=0.1), 0.3), 0.0)
        spe = torch.randn(self.model.config.decoder.width)
        said = [Caption(other, -1.0), Caption(man, -1.5)]
        for weight, first in ((0.5, other), (0.8, man)):
            ranked = grounded.rank(self.model, self.grounding, spe, scores, said, Ranking(retrieval=0, regions=0, coverage=weight, agreement=0))
            self.assertEqual(ranked[0].ids, first)

    def test_what_others_say_too_is_better_said(self) -> None:
        a, b, c, d = ([self.tokenizer.ids[w] for w in text.split()] for text in ("a dog w1", "w1 a dog", "dog dog", "w2"))
        said = [a, b, c, d, []]
        # a and b share three tokens and one pair of five and five runs; with "dog dog" each shares one of five and three
        one = (2 * 4 / 10 + 2 * 1 / 8 + 0 + 0) / 4
        for k, wanted in enumerate((one, one, 0.5 / 4, 0.0, 0.0)):
            self.assertAlmostEqual(grounded.agreement(said, k), wanted, places=12)
        self.assertEqual(grounded.agreement([a], 0), 0.0)
        self.assertEqual(grounded.agreement([[], []], 0), 0.0)
        spe = torch.randn(self.model.config.decoder.width)
        for weight, first in ((1.0, d), (3.0, a)):
            captions = [*(Caption(d, -1.0) for _ in range(9)), *(Caption(t, -2.0) for t in (a, b, a, c))]  # each text counts once
            ranking = Ranking(retrieval=0, regions=0, coverage=0, agreement=weight)
            self.assertEqual(grounded.rank(self.model, self.grounding, spe, self.scores(), captions, ranking)[0].ids, first)

    def test_a_speaker_s_first_caption_is_the_best(self) -> None:
        captioner = grounded.GroundedCaptioner(self.model, self.grounding, Ranking(candidates=5))
        c = self.model.config
        torch.manual_seed(2)
        said = captioner(torch.randn(c.decoder.width), torch.rand(10, 80), self.image)
        top = [x.score for x in said if x.cosine is not None]
        self.assertEqual(top, sorted(top, reverse=True))

    def test_a_steered_speaker_avoids_what_is_absent(self) -> None:
        """Words that need what is not there are said less, the more the regions count; what is there is said as often."""
        spe = torch.randn(self.model.config.decoder.width)
        animals = {self.tokenizer.ids[w] for w in ("dog", "cat", "animal", "man")}
        said = []
        for scores, steering in ((self.scores(), 0.0), (self.scores(), 8.0), (torch.ones(3, 80), 8.0)):
            ranking = Ranking(candidates=16, steering=steering, retrieval=0, regions=0, coverage=0, agreement=0)
            captioner = grounded.GroundedCaptioner(self.model, self.grounding, ranking)
            said.append([c.ids for c in captioner(spe, scores, self.image)])
        count = [sum(i in animals for c in x for i in c) for x in said]
        self.assertGreater(count[0], 2 * count[1])
        self.assertEqual(said[2], said[0])

    def test_label_scores_are_those_of_detection(self) -> None:
        labels = grounded.label_vectors(self.model, self.tokenizer)
        width = self.model.config.decoder.width
        self.assertEqual(labels.shape, (80, width))
        with torch.no_grad():
            seen = self.model.regions(torch.randn(1, 3, 64, 64))
            decoded = self.model.image(seen)[1]
            got = grounded.label_scores(self.model, seen, decoded, labels)
            z = self.model.detection_logits(decoded, labels, 0.1, -4.0)
        torch.testing.assert_close(got, combine(z[0], seen.foreground[0], 0.4))

    def test_golden_candidates_are_the_speaker_s(self) -> None:
        self.assertEqual(golden.grounded(self.model_with({"max_tokens": 8}), self.tokenizer, 64, 64), [])
        model = self.model_with({"max_tokens": 8, "grounding": {**self.table, "ranking": {"candidates": 4, "encoded": 2}}})
        rows = golden.grounded(model, self.tokenizer, 64, 64)
        self.assertEqual([r["cosine"] is None for r in rows], [False] * 2 + [True] * (len(rows) - 2))
        self.assertGreaterEqual(rows[0]["score"], rows[1]["score"])
        for r in rows:
            self.assertEqual(r["text"], self.tokenizer.decode(r["ids"]))
            found = [(m.start, m.end) for m in self.grounding.mentions(r["ids"])]
            self.assertEqual([(w["start"], w["end"]) for w in r["words"]], found)
            self.assertTrue(all(0 <= x["query"] < 10 for w in r["words"] for x in w["regions"]))
        self.assertEqual(json.loads(json.dumps(rows)), rows)

    def model_with(self, caption: dict[str, object]) -> UniPerceiver:
        """The same weights with another `caption` in the config."""
        model = small_model(format_version=2, caption=caption)
        model.load_state_dict(self.model.state_dict())
        return model

    def test_what_a_config_leaves_out_is_the_same_in_the_engine(self) -> None:
        header = (Path(__file__).parents[2] / "core" / "text" / "grounding.h").read_text(encoding="utf-8")
        macro = header[header.index("#define UPI_RANKING_DEFAULT") : header.index("/* As the config has it. */")]
        given = {name: float(value) for name, value in re.findall(r"\.(\w+) = ([\d.]+)", macro)}
        self.assertEqual({**dict.fromkeys(asdict(Ranking()), 0.0), **given}, asdict(Ranking()))

    def test_ranking_comes_from_the_config(self) -> None:
        config = self.model.config
        raw = {**config.raw, "caption": {"max_tokens": 40}}
        self.assertEqual(Ranking.of(type(config).from_json(raw)), Ranking())
        raw = {**config.raw, "caption": {"max_tokens": 40, "grounding": {"ranking": {"candidates": 3, "floor": 0.2}}}}
        self.assertEqual(Ranking.of(type(config).from_json(raw)), Ranking(candidates=3, floor=0.2))


if __name__ == "__main__":
    unittest.main()
