# SPDX-License-Identifier: LGPL-2.1-or-later
"""Denoising queries of training: what they are, who sees whom, what they are held to; nothing of them is exported."""

from __future__ import annotations

import tempfile
import unittest
from dataclasses import replace
from pathlib import Path

import torch
from safetensors import safe_open
from torch import Tensor

from models.reference.boxes import iou
from models.reference.model import Regions
from models.reference.pixel_encoder import Shapes
from models.training.dataset import Batch
from models.training.denoising import GROUPS, NOISE, Noised, nearest, noised_boxes
from models.training.export import write
from models.training.losses import Heads, answer_losses, denoising_losses, total
from models.training.tasks import Trainee, region_part

from .small import second_generation, small_config, small_model
from .test_second import trainee
from .test_training import batch_of

BOXES = [[0.3, 0.3, 0.3, 0.3], [0.6, 0.6, 0.5, 0.5]]


def batch_of_two() -> Batch:
    """An image of two objects, and one of none; 64×64."""
    one, none = batch_of(BOXES, [1, 0]), batch_of(BOXES, [1, 0])
    none.weights.zero_()
    parts = ("boxes", "labels", "weights", "ignored", "ignored_labels", "ignored_crowd")
    joined = {k: torch.cat((getattr(one, k), getattr(none, k))) for k in parts}
    return replace(one, pixels=one.pixels.repeat(2, 0), captions=[[], []], **joined)


class Drawing(unittest.TestCase):
    def test_groups_hold_each_object_as_a_positive_and_as_a_negative(self) -> None:
        torch.manual_seed(0)
        n = Noised.draw(batch_of_two(), 14, 3)  # room for 7 pairs: 3 groups of 2
        self.assertEqual(tuple(n.boxes.shape), (2, 12, 4))
        self.assertTrue(bool((n.group[1] == -1).all() and (n.share[1] == 0).all() and not n.positive[1].any()))
        for positive in (True, False):
            mine = n.positive[0] == positive
            pairs = sorted(zip(n.group[0, mine].tolist(), n.owner[0, mine].tolist()))
            self.assertEqual(pairs, [(g, o) for g in range(3) for o in range(2)])
        self.assertAlmostEqual(float(n.share[0, n.positive[0]].sum()), 2, places=5)
        self.assertEqual(n.match.tolist(), [[0, q, int(n.owner[0, q])] for q in range(6)])

    def test_few_objects_have_a_bounded_number_of_groups_and_many_lose_some(self) -> None:
        torch.manual_seed(0)
        few = Noised.draw(batch_of(BOXES[:1], [1]), 100, 3)
        self.assertEqual((few.boxes.shape[1], int(few.group.max())), (2 * GROUPS, GROUPS - 1))
        many = Noised.draw(batch_of(BOXES * 10, [1] * 20), 8, 3)
        self.assertEqual((many.boxes.shape[1], int(many.group.max())), (8, 0))
        self.assertEqual(len(set(many.owner[0, :4].tolist())), 4)

    def test_padding_between_objects_is_nobody(self) -> None:
        batch = batch_of(BOXES * 2, [1, 0, 1, 0])
        batch.weights[0, [0, 3]] = 0
        self.assertEqual(set(Noised.draw(batch, 20, 3).owner[0].tolist()), {1, 2})

    def test_boxes_move_as_far_as_they_should_and_stay_boxes(self) -> None:
        torch.manual_seed(0)
        box = torch.tensor([0.5, 0.5, 0.2, 0.4]).expand(500, 4)
        near, far = noised_boxes(box, NOISE, 0.0), noised_boxes(box, NOISE, NOISE)
        self.assertGreater(float(iou(near, box).min()), float(iou(far, box).max()) - 0.3)
        self.assertGreater(float(iou(near, box).mean()), 2 * float(iou(far, box).mean()))
        self.assertLess(float(iou(far, box).max()), 0.5)
        for drawn in (near, far, noised_boxes(torch.tensor([0.99, 0.01, 0.02, 0.02]).expand(500, 4), NOISE, NOISE)):
            self.assertGreater(float(drawn[:, 2:].min()), 0)
            self.assertTrue(bool(((drawn >= 0) & (drawn <= 1)).all()))

    def test_content_comes_from_the_level_and_the_place_of_the_box(self) -> None:
        shapes: Shapes = [(8, 16), (4, 8), (2, 4)]
        at = nearest(torch.tensor([[[0.5, 0.5, 3 / 16, 3 / 8], [1.0, 1.0, 3 / 8, 3 / 4], [0.0, 0.0, 1.0, 1.0]]]), shapes, 3)
        self.assertEqual(at.tolist(), [[4 * 16 + 8, 128 + 31, 128 + 32]])


class Masking(unittest.TestCase):
    def setUp(self) -> None:
        self.model = small_model()
        torch.manual_seed(1)
        with torch.no_grad():  # boxes that move: at the start the heads say nothing
            for head in self.model.region_decoder.box:
                head.layers[-1].weight.normal_(std=0.1)
        self.image = torch.randn(2, 3, 64, 64)
        self.noised = Noised.draw(batch_of_two(), 12, 3)

    @torch.no_grad()
    def run_with(self, noised: Noised | None) -> Regions:
        return self.model.regions(self.image, more=noised)

    def test_queries_of_use_do_not_notice(self) -> None:
        for model in (self.model, trainee().model.eval()):
            self.model = model
            without, beside = self.run_with(None), self.run_with(self.noised)
            for a, b in zip(without.semantics + without.boxes, beside.semantics + beside.boxes):
                torch.testing.assert_close(a, b, atol=1e-5, rtol=0)
            for name in ("foreground", "mask_embed", "pooled"):
                torch.testing.assert_close(getattr(without, name), getattr(beside, name), atol=1e-5, rtol=0)
            if without.speaks:
                torch.testing.assert_close(without.speaks[-1], beside.speaks[-1], atol=1e-5, rtol=0)
            self.assertEqual(without.more, None)
            self.assertEqual(len(beside.more), len(beside.boxes))

    def test_a_group_sees_itself_and_the_queries_of_use_alone(self) -> None:
        first = self.run_with(self.noised).more[-1]
        mine = (self.noised.group == 1) & (torch.arange(2) == 0)[:, None]
        boxes = self.noised.boxes.clone()
        boxes[mine] = torch.tensor([0.2, 0.7, 0.3, 0.1])
        second = self.run_with(replace(self.noised, boxes=boxes)).more[-1]
        self.assertGreater(float((first.semantics - second.semantics)[mine].abs().max()), 1e-2)
        torch.testing.assert_close(first.semantics[~mine], second.semantics[~mine], atol=1e-5, rtol=0)
        one = mine & (torch.arange(mine.shape[1]) == int(mine[0].nonzero()[0]))  # one query of the group: the others notice
        boxes = torch.where(one[..., None], boxes, self.noised.boxes)
        third = self.run_with(replace(self.noised, boxes=boxes)).more[-1]
        self.assertGreater(float((first.semantics - third.semantics)[mine & ~one].abs().max()), 1e-4)

    def test_no_object_anywhere_is_no_query(self) -> None:
        batch = batch_of(BOXES, [1, 0])
        batch.weights.zero_()
        noised = Noised.draw(batch, 12, 3)
        self.assertEqual(tuple(noised.boxes.shape), (1, 0, 4))
        self.image = self.image[:1]
        r, plain = self.run_with(noised), self.run_with(None)
        torch.testing.assert_close(r.boxes[-1], plain.boxes[-1], atol=1e-5, rtol=0)
        losses = denoising_losses(self.model, Heads(64, 80, 0, self.model.config.tasks), r, noised, batch)
        self.assertEqual(float(total(losses)), 0.0)


class Losses(unittest.TestCase):
    def test_positives_aim_at_their_own_object_and_negatives_at_none(self) -> None:
        """All at the truth and sure of its class: right for positives, wrong for negatives."""
        torch.manual_seed(0)
        batch = batch_of(BOXES, [1, 0])
        n = Noised.draw(batch, 8, 3)
        boxes = batch.boxes.gather(1, n.owner[..., None].expand(-1, -1, 4))
        logits = torch.full((1, 8, 2), -12.0).scatter(2, batch.labels.gather(1, n.owner)[..., None], 12.0)

        def losses(positive: bool, logits: Tensor) -> dict[str, float]:
            share = n.share * (n.positive == positive)
            sums, _, _ = answer_losses(torch.full((1, 8), 12.0), logits, boxes, n.match, batch, share)
            return {k: float(v) for k, v in sums.items()}

        right, wrong, confused = losses(True, logits), losses(False, logits), losses(True, logits.flip(-1))
        self.assertTrue(all(v < 1e-3 for v in right.values()), right)
        self.assertAlmostEqual(wrong["fg"], 24, delta=0.1)  # 4 queries · 12 nats · a share of 1/2
        self.assertAlmostEqual(wrong["class"], 24, delta=0.1)
        self.assertEqual(wrong["box"], 0)
        self.assertGreater(confused["class"], 40)

    def test_the_gradient_reaches_the_decoder_and_stays_finite_without_objects(self) -> None:
        batch = batch_of_two()
        for _ in range(2):
            t = trainee().train()
            t.denoising = 12
            loss, parts = region_part(t, batch, None)
            loss.backward()
            self.assertTrue({"noised_fg0", "noised_class2", "noised_box1"} <= set(parts))
            for name, p in t.model.region_decoder.named_parameters():
                self.assertTrue(bool(p.grad.isfinite().all()), name)
            batch.weights.zero_()

    def test_without_them_training_is_what_it_was(self) -> None:
        torch.manual_seed(3)
        t = trainee().train()
        batch = batch_of(BOXES, [1, 0])
        loss, parts = region_part(t, batch, None)
        self.assertFalse(any(k.startswith("noised") for k in parts))
        torch.manual_seed(3)
        t.denoising = 12
        _, beside = region_part(t, batch, None)
        for k, v in parts.items():
            if k != "pair":  # its objects are drawn
                self.assertAlmostEqual(v, beside[k], delta=1e-4, msg=k)


class Exporting(unittest.TestCase):
    def test_an_exported_model_has_the_same_tensors(self) -> None:
        changes = second_generation()
        plain = small_model(**changes)
        t = Trainee(small_model(**changes), Heads(64, 80, 0, small_config(**changes).tasks)).train()
        t.denoising = 12
        region_part(t, batch_of(BOXES, [1, 0]), None)[0].backward()
        names = []
        with tempfile.TemporaryDirectory() as folder:
            vocab = Path(folder) / "vocab.txt"
            vocab.write_text("[PAD]\n", encoding="utf-8")
            for model, where in ((plain, "plain"), (t.model, "denoised")):
                write(model, model.config.raw, vocab, Path(folder) / where)
                with safe_open(Path(folder) / where / "model.safetensors", "pt") as file:
                    names.append(sorted((k, tuple(file.get_slice(k).get_shape())) for k in file.keys()))
        self.assertEqual(*names)
        self.assertEqual(set(t.state_dict()), set(Trainee(plain, Heads(64, 80, 0, plain.config.tasks)).state_dict()))


if __name__ == "__main__":
    unittest.main()
