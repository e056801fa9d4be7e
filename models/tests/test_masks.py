# SPDX-License-Identifier: LGPL-2.1-or-later
"""An embedding of masks alone: nothing else changes, it reads places in boxes, it can be learnt."""

from __future__ import annotations

import json
import random
import tempfile
import unittest
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch.nn import functional as F

from models.reference.config import Config
from models.reference.mask_head import PLACES, mask_logits
from models.reference.proposals import GRID
from models.training.export import write as export
from models.training.losses import Heads, region_losses
from models.training.masks import Seen, View, moved, near, object_loss, start, step_loss, train, views_of, write
from models.training.tasks import image_input

from .small import second_generation, small_config, small_model
from .test_training import batch_of

OWN = {"mask": {"channels": 16, "groups": 4, "own": True}, "format_version": 2}


class Masks(unittest.TestCase):
    def test_nothing_but_masks_changes(self) -> None:
        plain, own = small_model(**second_generation()), small_model(1, **{**second_generation(), **OWN})
        own.load_state_dict(plain.state_dict(), strict=False)
        image = torch.randn(1, 3, 64, 64)
        with torch.no_grad():
            a, b = plain.regions(image), own.regions(image)
            for name in ("boxes", "semantics", "foreground", "pooled", "mask_features"):
                for x, y in zip(getattr(a, name), getattr(b, name)):
                    self.assertTrue(torch.equal(x, y), name)
            for x, y in zip(plain.image(a)[:2], own.image(b)[:2]):
                self.assertTrue(torch.equal(x, y))
        self.assertEqual(b.mask_embed.shape[-1], a.mask_embed.shape[-1] + PLACES)
        self.assertTrue(torch.equal(b.pool_embed, a.mask_embed))
        self.assertIsNone(a.pool_embed)

    def test_places_are_half_sides_from_the_middle_of_the_box(self) -> None:
        embed = torch.zeros(1, 1, 4 + PLACES)
        embed[..., 4:] = torch.tensor([0.5, 1, 10, 100, 1000, 10000])  # 1, x, x², y, y², xy
        z = mask_logits(embed, torch.randn(1, 4, 2, 4), torch.tensor([[[0.5, 0.5, 0.5, 1.0]]]))[0, 0]
        x, y = [-1.5, -0.5, 0.5, 1.5], [-0.5, 0.5]
        for j in range(2):
            for i in range(4):
                by_hand = 0.5 + x[i] + 10 * x[i] ** 2 + 100 * y[j] + 1000 * y[j] ** 2 + 10000 * x[i] * y[j]
                self.assertAlmostEqual(float(z[j, i]), by_hand, places=2)

    def test_far_cells_count_as_two_half_sides_away(self) -> None:
        embed = torch.zeros(1, 1, 4 + PLACES)
        embed[..., 5] = 1.0
        z = mask_logits(embed, torch.zeros(1, 4, 1, 8), torch.tensor([[[0.0625, 0.5, 0.125, 1.0]]]))[0, 0, 0]
        self.assertEqual(z.tolist(), [0.0, *[2.0] * 7])

    def test_it_starts_with_the_masks_there_are(self) -> None:
        model = small_model()
        own = start(model).own
        q, features, boxes = torch.randn(1, 3, 64), torch.randn(1, 16, 8, 8), torch.rand(1, 3, 4)
        with torch.no_grad():
            before, after = mask_logits(model.mask.embed(q), features), mask_logits(own(q), features, boxes)
        torch.testing.assert_close(before, after)
        trained = small_model(**OWN)
        self.assertTrue(torch.equal(start(trained).own.places.layers[0].weight, trained.mask.own.places.layers[0].weight))

    def test_what_lies_far_from_the_box_counts_nothing(self) -> None:
        inside = near(torch.tensor([[0.25, 0.5, 0.25, 0.5]]), 16, 16)
        self.assertEqual(int(inside.sum()), 6 * 10)
        z, m = torch.zeros(1, 16, 16), torch.ones(1, 16, 16)
        far = z.masked_fill(inside == 0, 50.0)
        torch.testing.assert_close(object_loss(z, m, inside), object_loss(far, m, inside))

    def test_views_hold_the_queries_that_fit(self) -> None:
        model = small_model()
        batch = batch_of([[0.5, 0.5, 0.5, 0.5]], [1])
        with torch.no_grad():
            found = model.regions(torch.zeros(1, 3, 64, 64)).boxes[-1][0, 3]
        batch.boxes[0, 0] = found
        batch.mask_of, batch.masks = torch.tensor([[0, 0]]), torch.ones(1, 16, 16)
        batch.pixels[:] = 127  # near what zeros are
        view = views_of(model, batch)[0]
        with torch.no_grad():
            r = model.regions(image_input(model, batch), with_global=False)
            features = model.mask.features(view.c2[None].float(), view.stride8[None].float())
            pooled = model.mask.embed(view.others) @ view.pooled.float()
        torch.testing.assert_close(features, r.mask_features, atol=0.02, rtol=0.02)  # kept in 16 bits
        every = [int(torch.isclose(r.semantics[-1][0], o).all(1).nonzero()[0]) for o in view.others]
        torch.testing.assert_close(pooled, r.pooled[0, every], atol=0.02, rtol=0.02)
        self.assertEqual(view.objects[0].mask.unique().tolist(), [255])
        self.assertEqual(len(view.objects[0].boxes), len(view.objects[0].semantics))

    def test_training_lowers_the_loss(self) -> None:
        torch.manual_seed(2)
        mask = torch.zeros(16, 16, dtype=torch.uint8)
        mask[4:12, 4:8] = 255
        seen = Seen(mask, 0, torch.randn(1, 64), torch.tensor([[0.5, 0.5, 0.5, 0.5]]))
        model = small_model()
        head = start(model)
        c2, stride8 = torch.randn(model.config.channels[0], 16, 16), torch.randn(64, 8, 8)
        with torch.no_grad():
            pooled = F.adaptive_avg_pool2d(head.features(c2[None], stride8[None]), GRID).flatten(2)[0]
        view = View(c2.half(), stride8.half(), pooled.half(), torch.randn(4, 64), [seen])
        kept = {k: v.clone() for k, v in head.state_dict().items()}
        before = float(step_loss(head, None, [view], random.Random(1)))
        own = train(head, {(64, 64): [view]}, 60, 1e-2, 1, whole=False)
        self.assertLess(float(step_loss(own, None, [view], random.Random(1))), before / 2)
        changed = {k for k, v in own.state_dict().items() if not torch.equal(v, kept[k])}
        self.assertTrue(changed and all(k.startswith("own.") for k in changed), changed)

        whole = train(start(model), {(64, 64): [view]}, 60, 1e-2, 1, whole=True)
        with torch.no_grad():
            features = whole.features(c2[None], stride8[None])
            far = float(moved(whole, model.mask.embed, [view], features))
            spoilt = float(moved(whole, model.mask.embed, [view], 2 * features))
        self.assertLess(float(step_loss(whole, None, [view], random.Random(1))), before / 2)
        self.assertFalse(torch.equal(whole.conv.weight, model.mask.conv.weight))
        self.assertLess(far, 0.1)  # what is pooled stayed where it was
        self.assertGreater(spoilt, 0.5)

    def test_what_is_written_differs_in_the_new_tensors_alone(self) -> None:
        model = small_model(**second_generation())
        with tempfile.TemporaryDirectory() as folder:
            before, after = Path(folder) / "before", Path(folder) / "after"
            (Path(folder) / "vocab.txt").write_text("[PAD]\n", encoding="utf-8")
            export(model, model.config.raw, Path(folder) / "vocab.txt", before)
            write(before, start(model), after, whole=False)
            a, b = load_file(before / "model.safetensors"), load_file(after / "model.safetensors")
            self.assertEqual({".".join(k.split(".")[:2]) for k in b.keys() - a.keys()}, {"mask.own"})
            self.assertTrue(all(torch.equal(a[k], b[k]) for k in a))
            self.assertEqual(Config.load(after).mask.own, True)
            raw = json.loads((after / "config.json").read_text(encoding="utf-8"))
        del raw["mask"]["own"]
        self.assertEqual(raw, json.loads(json.dumps(model.config.raw)))

    def test_region_training_keeps_what_is_pooled(self) -> None:
        model = small_model(**OWN).train()
        batch = batch_of([[0.5, 0.5, 0.5, 0.5]], [1])
        batch.mask_of, batch.masks = torch.tensor([[0, 0]]), torch.ones(1, 16, 16)
        r = model.regions(torch.randn(1, 3, 64, 64), with_global=False)
        region_losses(model, Heads(64, 80, 320, model.config.tasks), r, batch)["mask"].backward()
        for head in (model.mask.embed, model.mask.own.embed, model.mask.own.places):
            self.assertGreater(float(head.layers[0].weight.grad.abs().sum()), 0)

    def test_a_first_format_has_none(self) -> None:
        with self.assertRaisesRegex(ValueError, "mask.own needs format_version 2"):
            small_config(**{**OWN, "format_version": 1})


if __name__ == "__main__":
    unittest.main()
