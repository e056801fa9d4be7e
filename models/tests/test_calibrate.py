# SPDX-License-Identifier: LGPL-2.1-or-later
"""Independent sentences: the standardised cosine, its fit, the figures, and the files."""

from __future__ import annotations

import json
import tempfile
import unittest
from pathlib import Path

import numpy as np
import torch

from models.reference.calibration import Calibration, Numbers, Sighting, Spread, probability
from models.reference.classification import class_logits
from models.reference.model import UniPerceiver, load
from models.training import calibrate
from models.training.calibrate import Claims, Seen
from models.training.dataset import CROWD, POSITIVE, Record
from models.training.export import carry_calibration
from models.training.export import write as write_model

from .small import NANO, small_model


def record(labels: list[int], exhaustive: set[int], boxes: list[list[float]], kinds: list[int] | None = None) -> Record:
    n = len(labels)
    return Record(
        1, "1.jpg", 100, 100, "test", exhaustive, np.array(boxes, np.float32).reshape(-1, 4), np.array(labels, np.int64),
        np.array(kinds or [POSITIVE] * n, np.int64), np.ones(n, np.float32), [None] * n,
    )  # fmt: skip


class Standardised(unittest.TestCase):
    def test_numbers_worked_by_hand(self) -> None:
        """Unit vectors (1, 0), (0, 1): mean (½, ½), covariance ¼ (1 −1; −1 1). y = (1, 0): σ² = ¼, ē·y = ½."""
        spread = calibrate.spread(torch.tensor([[3.0, 0.0], [0.0, 0.5]]))
        torch.testing.assert_close(spread.mean, torch.tensor([0.5, 0.5]))
        torch.testing.assert_close(spread.covariance, torch.tensor([[0.25, -0.25], [-0.25, 0.25]]))
        z = spread.standardised(torch.tensor([[10.0, 0.0], [0.0, 7.0]]), torch.tensor([[2.0, 0.0]]))
        torch.testing.assert_close(z, torch.tensor([[1.0], [-1.0]]))
        none, numbers = torch.zeros(1), Numbers(2.0, 1.0)
        self.assertAlmostEqual(float(probability(z, none, none, numbers)[0]), 1 / (1 + np.exp(-3)), places=6)

    def test_a_label_is_judged_by_what_was_seen_of_it(self) -> None:
        """By the part that the sentence is one of the model's labels: 0, all, a half."""
        numbers = Numbers(2.0, 1.0, Sighting(weight=3.0, offset=4.0, floor=0.5))
        p = probability(torch.tensor(1.0), torch.tensor(0.25), torch.tensor([0.0, 1.0, 0.5]), numbers)
        seen = 4 + 3 * np.log(0.75)
        np.testing.assert_allclose(p.logit().numpy(), [3, seen, (3 + seen) / 2], rtol=1e-5)

    def test_over_the_images_it_has_mean_0_and_deviation_1(self) -> None:
        torch.manual_seed(0)
        x = torch.randn(500, 8) + 0.7
        z = calibrate.spread(x).standardised(x, torch.randn(5, 8))
        torch.testing.assert_close(z.mean(0), torch.zeros(5), atol=1e-4, rtol=0)
        torch.testing.assert_close(z.std(0, unbiased=False), torch.ones(5), atol=1e-3, rtol=0)

    def test_a_sentence_along_which_nothing_varies_is_finite(self) -> None:
        spread = Spread(2)
        spread.covariance.zero_()
        self.assertTrue(spread.standardised(torch.randn(3, 2), torch.randn(2, 2)).isfinite().all())


def plain_fit(z: np.ndarray, truth: np.ndarray) -> tuple[float, float]:
    nothing = np.zeros(len(z))
    numbers = calibrate.fit(Claims(z, nothing, nothing, truth, np.zeros(len(z), np.int64)))
    return numbers.scale, numbers.offset


class Fit(unittest.TestCase):
    def test_the_numbers_that_made_the_truth_come_back(self) -> None:
        rng = np.random.default_rng(0)
        z = rng.normal(size=40_000)
        truth = rng.random(40_000) < 1 / (1 + np.exp(-(1.7 * z - 2.5)))
        a, c = plain_fit(z, truth)
        self.assertAlmostEqual(a, 1.7, delta=0.08)
        self.assertAlmostEqual(c, -2.5, delta=0.08)
        p = 1 / (1 + np.exp(-(a * z + c)))
        self.assertAlmostEqual(float(p.mean()), float(truth.mean()), places=6)  # of least logistic loss
        self.assertLess(calibrate.calibration_error(p, truth), 0.01)

    def test_the_scale_stays_above_zero_and_finite(self) -> None:
        z = np.array([-2.0, -1.0, 1.0, 2.0])
        a, c = plain_fit(z, np.array([True, True, False, False]))
        self.assertEqual((a, c), (1e-3, 0.0))
        a, c = plain_fit(z, np.array([False, False, True, True]))  # separable
        self.assertTrue(np.isfinite([a, c]).all() and a > 0)

    def test_auc_and_calibration_error(self) -> None:
        truth = np.array([False, False, True, True])
        self.assertEqual(calibrate.auc(np.array([0.1, 0.4, 0.35, 0.8]), truth), 0.75)
        self.assertEqual(calibrate.auc(np.ones(4), truth), 0.5)
        self.assertTrue(np.isnan(calibrate.auc(np.ones(2), np.array([True, True]))))
        self.assertAlmostEqual(calibrate.calibration_error(np.array([0.0, 0.5, 0.5, 1.0]), truth, 2), 0.25)

    def test_left_out_classes_are_judged_by_the_others(self) -> None:
        """Class 0 is true where the others would be false: only a fit that saw it would know."""
        z = np.tile(np.linspace(-2, 2, 50), 5)
        labels = np.repeat(np.arange(5), 50)
        truth = np.where(labels == 4, z < 0, z > 0)
        claims = Claims(z, np.zeros(250), np.zeros(250), truth, labels)
        mine = claims.of(labels == 4)
        self.assertLess(calibrate.left_out(claims, mine, False)["AUC"], 0.1)

    def test_what_sightings_weigh_comes_back(self) -> None:
        """Half of the sentences are near one of the labels and are true as the regions say, the others as z says; one in five lies
        between."""
        rng = np.random.default_rng(1)
        z, score = rng.normal(size=60_000), rng.random(60_000)
        part = rng.choice([0.0, 0.5, 1.0], 60_000, p=[0.4, 0.2, 0.4])
        odds = (1 - part) * (1.2 * z - 1.5) + part * (2.0 + 2.5 * np.log(score + calibrate.FLOOR))
        truth = rng.random(60_000) < 1 / (1 + np.exp(-odds))
        only = part == 0
        claims = Claims(z, score, part, truth, np.zeros(60_000, np.int64))
        seen = calibrate.fit(claims, True).seen
        assert seen is not None
        # scale and offset are fitted on all claims first, as without sightings: those that lie between carry that error
        self.assertAlmostEqual(seen.weight, 2.5, delta=0.3)
        self.assertAlmostEqual(seen.offset, 2.0, delta=0.3)
        self.assertEqual(calibrate.fit(claims.of(only)).seen, None)
        blind = calibrate.fit(Claims(z, 1 - score, part, truth, claims.labels), True).seen  # what is seen speaks against it
        assert blind is not None
        self.assertEqual(blind.weight, 0.0)


class Truth(unittest.TestCase):
    def test_claims_about_images(self) -> None:
        best = torch.arange(6) / 10
        seen = [Seen(torch.tensor([1.0, 0.0]), torch.zeros(0, 2), np.zeros((0, 4)), best, torch.zeros(0, 6))]
        texts = torch.tensor([[1.0, 0.0], [0.5, 0.5], [0.0, 1.0], [0.0, 1.0], [-1.0, 0.0], [-1.0, 0.0]])  # 3 classes, 2 prompts
        rows = [record([1, 2], {0, 1}, [[0, 0, 9, 9]] * 2, [CROWD, POSITIVE])]
        got = calibrate.image_claims(seen, rows, Spread(2), texts, np.array([1, 0.5, 0.9, 0.4, 1, 1]), 3)
        self.assertEqual((got.labels.tolist(), got.truth.tolist()), ([0, 0, 1, 1], [False, False, True, True]))
        self.assertEqual(got.part.tolist(), [1, 0.5, 0.9, 0.4])
        np.testing.assert_allclose(got.score, [0, 0.1, 0.2, 0.3], rtol=1e-6)
        self.assertAlmostEqual(float(got.z[0]), 2**0.5, places=5)

    def test_claims_about_regions(self) -> None:
        boxes = np.array([[0, 0, 10, 10], [50, 50, 60, 60], [0, 0, 10, 11.0], [0, 0, 10, 25], [0, 0, 10, 40]])
        scores = torch.arange(5)[:, None] + torch.arange(3) / 10
        seen = [Seen(torch.zeros(2), torch.randn(5, 2), boxes, torch.zeros(3), scores)]
        rows = [record([0, 1], {0, 1}, [[0, 0, 10, 10], [50, 50, 60, 60]], [POSITIVE, CROWD])]
        got = calibrate.region_claims(seen, rows, Spread(2), torch.randn(3, 2), np.array([1, 0.5, 0]), 3)
        # class 0: the first and third region are of it, the fourth is left out (IoU 0.4); class 1: the second is left out
        self.assertEqual(got.labels.tolist(), [0] * 4 + [1] * 4)
        self.assertEqual(got.truth.tolist(), [True, False, True, False] + [False] * 4)
        np.testing.assert_allclose(got.score, [0, 1, 2, 4, 0.1, 2.1, 3.1, 4.1], rtol=1e-6)
        self.assertEqual(got.part.tolist(), [1] * 4 + [0.5] * 4)

    def test_without_regions_there_are_no_claims(self) -> None:
        seen = [Seen(torch.zeros(2), torch.zeros(0, 2), np.zeros((0, 4)), torch.zeros(3), torch.zeros(0, 3))]
        got = calibrate.region_claims(seen, [record([], {0}, [])], Spread(2), torch.randn(3, 2), np.ones(3), 3)
        self.assertEqual((len(got.z), len(got.part)), (0, 0))


class Classes(unittest.TestCase):
    def test_labels_answer_to_the_regions_as_far_as_they_are_the_models_own(self) -> None:
        task = {"temperature": 0.1, "seen": {"weight": 2.0, "offset": 1.0, "floor": 0.1}}
        image, labels = torch.tensor([3.0, 0.0]), torch.tensor([[1.0, 0.0], [0.0, 2.0], [0.0, 1.0]])
        z = class_logits(task, image, labels, torch.tensor([0.0, 0.9, 0.9]), torch.tensor([1.0, 0.5, 0.0]))
        np.testing.assert_allclose(z.numpy(), [10 + 1 + 2 * np.log(0.1), 0.5, 0], atol=1e-5)
        plain = class_logits({"temperature": 0.1}, image, labels, torch.ones(3), torch.ones(3))
        np.testing.assert_allclose(plain.numpy(), [10, 0, 0], atol=1e-5)


class Files(unittest.TestCase):
    def test_what_is_written_is_loaded_and_exported_again(self) -> None:
        model = small_model()
        width = model.config.decoder.width
        torch.manual_seed(0)
        calibration = Calibration(width)
        calibration.image, calibration.regions = (calibrate.spread(torch.randn(50, width)) for _ in range(2))
        with tempfile.TemporaryDirectory() as name:
            folder, again = Path(name) / "model", Path(name) / "again"
            write_model(model, model.config.raw, NANO.with_name("vocab.txt"), folder)
            before = load(folder).state_dict()
            seen = Sighting(3.5, 4.0, 0.03)
            calibrate.write(folder, calibration, {"image": Numbers(1.5, -3.0), "regions": Numbers(2.0, -1.25, seen)})
            loaded = load(folder)
            state = loaded.state_dict()
            for k, v in calibration.state_dict().items():
                torch.testing.assert_close(state[f"calibration.{k}"], v, atol=1e-4, rtol=1e-3)
            raw = loaded.config.raw["calibration"]
            self.assertEqual(raw["image"], {"scale": 1.5, "offset": -3.0})
            self.assertEqual(raw["regions"]["seen"], {"weight": 3.5, "offset": 4.0, "floor": 0.03})
            self.assertEqual(Numbers.read(raw["regions"]), Numbers(2.0, -1.25, seen))
            self.assertEqual(loaded.config.raw["format_version"], 2)
            self.assertEqual({k for k in state if k not in before}, {f"calibration.{k}" for k in calibration.state_dict()})
            for k, v in before.items():
                torch.testing.assert_close(state[k], v, rtol=0, atol=0)
            trained = UniPerceiver(loaded.config, 20)  # as after training, which knows nothing of calibration
            carry_calibration(trained, folder)
            for k, v in trained.calibration.state_dict().items():
                torch.testing.assert_close(v, state[f"calibration.{k}"], rtol=0, atol=0)
            write_model(loaded, loaded.config.raw, NANO.with_name("vocab.txt"), again)
            for k, v in load(again).state_dict().items():
                torch.testing.assert_close(v, state[k], rtol=0, atol=0)
            self.assertEqual([p.name for p in folder.glob("*.new")], [])

    def test_a_model_without_calibration_has_no_such_tensors(self) -> None:
        self.assertFalse(any(k.startswith("calibration") for k in small_model().state_dict()))
        self.assertIsInstance(small_model(), UniPerceiver)

    def test_the_list_of_clips_names_classes_and_ten_sentences(self) -> None:
        labels = json.loads(NANO.read_text(encoding="utf-8"))["labels"]
        for clip in calibrate.clip_names().values():
            self.assertEqual(len(set(clip["false"])), 10)
            self.assertTrue({clip["main"]} <= set(clip["shown"]))
            self.assertTrue(set(clip["shown"]) | set(clip["doubtful"]) <= set(labels))

    def test_a_missing_folder_of_frames_is_named(self) -> None:
        with tempfile.TemporaryDirectory() as folder, self.assertRaisesRegex(FileNotFoundError, "yard holds no frames"):
            calibrate.frames_of(Path(folder), "yard")


if __name__ == "__main__":
    unittest.main()
