# SPDX-License-Identifier: LGPL-2.1-or-later
"""Training: the optimizer's numbers, matching, the rules of the data, two processes equal one, resuming."""

from __future__ import annotations

import tempfile
import unittest
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from PIL import Image
from torch import nn
from torch.nn import functional as F

from models.training import distributed
from models.training.boxes import giou, iou
from models.training.dataset import (
    CROWD,
    POSITIVE,
    Augment,
    Batch,
    Record,
    bitmap,
    collate,
    mosaic,
)
from models.training.encode import EncodedSampler, Stored
from models.training.images import ImageStore
from models.training.losses import Heads, pairwise_loss, region_losses, total
from models.training.matching import hungarian, task_aligned, unknown
from models.training.optimizer import Average, BalancedAdamW, Group

from .small import small_model


def batch_of(boxes: list[list[float]], labels: list[int], ignored: list[list[float]] | None = None) -> Batch:
    n = len(boxes)
    rest = torch.tensor(ignored or [[0.0] * 4])
    return Batch(
        np.zeros((1, 64, 64, 3), np.uint8), torch.tensor(boxes)[None], torch.tensor(labels)[None], torch.ones(1, n), rest[None],
        torch.full((1, len(rest)), 1 if ignored else -1), torch.zeros(1, len(rest), dtype=torch.bool),
        torch.zeros(0, 2, dtype=torch.long), torch.zeros(0, 16, 16), [[]],
    )  # fmt: skip


class Optimizer(unittest.TestCase):
    def test_numbers_worked_by_hand(self) -> None:
        """∇L = (3, 4), ‖∇L‖ = 5, ω = 2: g = (1.2, 1.6). β1 = 0.1, β2 = 0.01, s = 0.5: m = 0.2 g, n = 0.02 g².
        Corrected: m̂ = 2 g, n̂ = 2 g²: step = α · 2 / √2 = α √2 on both. Decay 0.1 first: θ (1 - 0.1 α).
        Second step, a task that does not reach θ (s = 0.5): m = 0.18 g, n = 0.0198 g², corrections 0.19 and 0.0199."""
        p = nn.Parameter(torch.tensor([1.0, -1.0]))
        optimizer = BalancedAdamW([Group([p], 1.0, 0.1)], 0.1, 0.01, 0.0)
        p.grad = torch.tensor([3.0, 4.0])
        self.assertAlmostEqual(optimizer.step(0.01, omega=2.0, share=0.5), 5.0, places=5)
        first = torch.tensor([1.0, -1.0]) * 0.999 - 0.01 * 2**0.5
        torch.testing.assert_close(p.data, first)
        p.grad = torch.zeros(2)
        optimizer.step(0.01, share=0.5)
        step = 0.01 * (0.18 / 0.19) / (0.0198 / 0.0199) ** 0.5  # g cancels in m̂/√n̂
        torch.testing.assert_close(p.data, first * 0.999 - step)

    def test_plain_is_adamw(self) -> None:
        a, b = nn.Parameter(torch.ones(3)), nn.Parameter(torch.ones(3))
        ours = BalancedAdamW([Group([a], 1.0, 0.05)], 0.1, 0.001, 1e-8, balanced=False)
        theirs = torch.optim.AdamW([b], 0.01, (0.9, 0.999), 1e-8, 0.05)
        for i in range(5):
            a.grad = torch.tensor([1.0, -2.0, 0.5]) * (i + 1)
            b.grad = a.grad.clone()
            ours.step(0.01)
            theirs.step()
        torch.testing.assert_close(a.data, b.data)

    def test_a_gradient_that_is_not_finite_changes_nothing(self) -> None:
        p = nn.Parameter(torch.ones(2))
        optimizer = BalancedAdamW([Group([p])])
        p.grad = torch.tensor([float("nan"), 1.0])
        optimizer.step(0.1)
        self.assertEqual((p.tolist(), optimizer.step_count), ([1.0, 1.0], 0))

    def test_resumed_steps_equal_uninterrupted_ones(self) -> None:
        def steps(optimizer: BalancedAdamW, p: nn.Parameter, numbers: range) -> None:
            for i in numbers:
                p.grad = torch.tensor([1.0, float(i)])
                optimizer.step(0.01, share=0.5)

        a = nn.Parameter(torch.ones(2))
        whole = BalancedAdamW([Group([a])])
        steps(whole, a, range(6))
        b = nn.Parameter(torch.ones(2))
        first = BalancedAdamW([Group([b])])
        steps(first, b, range(3))
        with tempfile.TemporaryDirectory() as folder:
            torch.save({"p": b.data, "o": first.state_dict()}, Path(folder) / "x.pt")
            state = torch.load(Path(folder) / "x.pt")
        c = nn.Parameter(state["p"])
        second = BalancedAdamW([Group([c])])
        second.load_state_dict(state["o"])
        steps(second, c, range(3, 6))
        torch.testing.assert_close(a.data, c.data, atol=0, rtol=0)

    def test_average_follows(self) -> None:
        module = nn.Linear(1, 1)
        average = Average(module, 0.9)
        before = module.weight.detach().clone()
        module.weight.data.add_(1)
        average.update(module)
        torch.testing.assert_close(average.state["weight"], before + 1 - 2 / 11)


class Matching(unittest.TestCase):
    def test_overlaps(self) -> None:
        a, b = torch.tensor([0.5, 0.5, 0.2, 0.2]), torch.tensor([0.6, 0.5, 0.2, 0.2])
        self.assertAlmostEqual(float(iou(a, b)), 1 / 3, places=5)
        self.assertAlmostEqual(float(giou(a, torch.tensor([0.8, 0.5, 0.2, 0.2]))), -0.2, places=5)

    def test_hungarian_gives_each_object_its_query(self) -> None:
        batch = batch_of([[0.2, 0.2, 0.1, 0.1], [0.7, 0.7, 0.2, 0.2]], [0, 1])
        boxes = torch.tensor([[[0.7, 0.7, 0.2, 0.2], [0.5, 0.5, 1.0, 1.0], [0.2, 0.2, 0.1, 0.1]]])
        match = hungarian(boxes, torch.zeros(1, 3, 2), batch)
        self.assertEqual(sorted(match.tolist()), [[0, 0, 1], [0, 2, 0]])

    def test_of_equal_queries_the_one_selected_first_is_matched(self) -> None:
        batch = batch_of([[0.2, 0.2, 0.1, 0.1]], [0])
        boxes = torch.tensor([[[0.2, 0.2, 0.1, 0.1]] * 3])
        match = hungarian(boxes, torch.zeros(1, 3, 2), batch, torch.tensor([[0.2, 0.9, 0.3]]))
        self.assertEqual(match.tolist(), [[0, 1, 0]])

    def test_task_aligned_prefers_overlap_and_one_owner(self) -> None:
        batch = batch_of([[0.5, 0.5, 0.5, 0.5]], [0])
        boxes = torch.tensor([[[0.5, 0.5, 0.5, 0.5], [0.5, 0.5, 0.25, 0.5], [0.1, 0.1, 0.1, 0.1]]])
        centres = torch.tensor([[0.5, 0.5], [0.45, 0.5], [0.1, 0.1]])
        quality, owner = task_aligned(boxes, torch.full((1, 3, 2), 0.5), centres, torch.full((3, 2), 0.1), batch)
        self.assertAlmostEqual(float(quality[0, 0]), 1.0, places=5)
        self.assertLess(float(quality[0, 1]), 0.2)
        self.assertEqual((float(quality[0, 2]), int(owner[0, 0])), (0.0, 0))

    def test_unknown_boxes_are_neither(self) -> None:
        batch = batch_of([[0.2, 0.2, 0.1, 0.1]], [0], [[0.5, 0.5, 0.4, 0.4]])
        foreground, classes = unknown(torch.tensor([[[0.5, 0.5, 0.35, 0.4], [0.1, 0.1, 0.1, 0.1]]]), batch, 3)
        self.assertEqual(foreground.tolist(), [[True, False]])
        self.assertEqual(classes[0, 0].tolist(), [False, True, False])

    def test_losses_reach_every_part(self) -> None:
        model = small_model().train()
        heads = Heads(64, 3, 320, model.config.tasks)
        r = model.regions(torch.randn(1, 3, 64, 64))
        _, decoded, _ = model.image(r)
        batch = batch_of([[0.4, 0.5, 0.4, 0.6], [0.7, 0.3, 0.2, 0.2]], [0, 2])
        batch.mask_of, batch.masks = torch.tensor([[0, 0]]), torch.ones(1, 16, 16)
        total(region_losses(model, heads, r, batch, decoded, torch.randn(3, 32))).backward()
        for name in ("query.box.layers.2.weight", "region_decoder.layers.1.linear1.weight", "mask.embed.layers.0.weight",
                     "decoder.layers.0.ffn.linear1.experts.weight", "proposals.proj.weight", "backbone.stem.weight"):  # fmt: skip
            grad = model.get_parameter(name).grad
            self.assertTrue(grad is not None and bool(grad.abs().sum() > 0), name)


    def test_layers_of_the_region_decoder_weigh_alike(self) -> None:
        one = torch.ones(())
        for kind in ("class", "fg", "box"):
            self.assertEqual(float(total({f"{kind}0": one, f"{kind}2": one})), 2 * float(total({f"dense_{kind}": one})))
        with self.assertRaises(KeyError):  # no loss without a weight
            total({"other": one})

    def test_neighbours_alike_in_colour_want_one_label(self) -> None:
        """Left half red, right half blue: a mask that follows the edge costs nothing, one that cuts across the red does."""
        colour = torch.zeros(1, 3, 8, 8)
        colour[:, 0, :, :4], colour[:, 2, :, 4:] = 200, 200
        inside = torch.ones(1, 8, 8, dtype=torch.bool)
        follows, crosses = torch.full((1, 8, 8), -20.0), torch.full((1, 8, 8), -20.0)
        follows[:, :, :4], crosses[:, :4] = 20, 20
        self.assertLess(float(pairwise_loss(follows, inside, colour)), 1e-6)
        self.assertGreater(float(pairwise_loss(crosses, inside, colour)), 1.0)


class Data(unittest.TestCase):
    def record(self, **changes: Any) -> Record:
        row = Record(
            1, "x", 100, 80, "voc", {0}, np.array([[10, 10, 60, 70]], np.float32), np.array([0]), np.array([POSITIVE]),
            np.ones(1, np.float32), [[[10, 10, 60, 10, 60, 70, 10, 70]]],
        )  # fmt: skip
        return replace(row, **changes)

    def test_masks_follow_their_boxes(self) -> None:
        import random

        pixels = np.zeros((80, 100, 3), np.uint8)
        for seed in range(20):
            sample = Augment(random.Random(seed))(self.record(), pixels, (128, 96))
            batch = collate([sample], (128, 96))
            if not len(batch.masks):
                continue
            rows, columns = np.nonzero(batch.masks[0].numpy() > 0.5)
            cx, cy, w, h = batch.boxes[0, 0].tolist()
            found = [columns.min() / 32, rows.min() / 24, (columns.max() + 1) / 32, (rows.max() + 1) / 24]
            for a, b in zip(found, (cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2)):
                self.assertAlmostEqual(a, b, delta=0.05)

    def test_mosaic_keeps_boxes_on_their_pixels(self) -> None:
        """Each of four images is black with a white object: in the mosaic a box holds white, and its mask lies in it."""
        import random

        pixels = np.zeros((80, 100, 3), np.uint8)
        pixels[10:70, 10:60] = 255
        store = ImageStore.__new__(ImageStore)
        store.table, store.pixels = {"x": [0, 80, 100]}, pixels.reshape(-1)
        square = [[[10, 10, 60, 10, 60, 70, 10, 70]]]
        seen = 0
        for seed in range(10):
            sample = mosaic(Augment(random.Random(seed), 0), [self.record(masks=square)] * 4, store, (128, 96), True)
            batch = collate([sample], (128, 96))
            for k, (_, g) in enumerate(batch.mask_of.tolist()):
                x, y, w, h = (batch.boxes[0, g] * torch.tensor([128, 96, 128, 96])).tolist()
                part = batch.pixels[0, round(y - h / 2) + 1 : round(y + h / 2) - 1, round(x - w / 2) + 1 : round(x + w / 2) - 1]
                self.assertGreater(part.mean(), 180)
                rows, columns = np.nonzero(batch.masks[k].numpy() > 0.5)
                self.assertLess(abs((columns.min() + columns.max() + 1) * 2 - x), 5)
                self.assertLess(abs((rows.min() + rows.max() + 1) * 2 - y), 5)
                seen += 1
        self.assertGreater(seen, 20)

    def test_decoded_images_are_kept_and_added_to(self) -> None:
        with tempfile.TemporaryDirectory() as name:
            folder, cache = Path(name), Path(name) / "images"
            pixels = {f"{i}.png": np.full((2 + i, 3, 3), 40 * i, np.uint8) for i in range(4)}
            for file, image in pixels.items():
                Image.fromarray(image).save(folder / file)
            first = ImageStore(folder, ["0.png", "1.png"], cache)
            with open(cache.with_suffix(".bin"), "ab") as stopped:  # half an image, of which the table does not know
                stopped.write(b"123")
            with ThreadPoolExecutor(2) as together:
                list(together.map(lambda wanted: ImageStore(folder, wanted, cache), (["1.png", "2.png"], ["3.png", "2.png"])))
            (folder / "0.png").unlink()  # nothing is decoded twice
            last = ImageStore(folder, list(pixels), cache)
            for file, image in pixels.items():
                np.testing.assert_array_equal(last[file], image)
            np.testing.assert_array_equal(first["1.png"], pixels["1.png"])
            self.assertEqual(cache.with_suffix(".bin").stat().st_size, sum(image.nbytes for image in pixels.values()))

    def test_stored_images_come_back(self) -> None:
        """Two images of one size; only the second serves: every draw is its arrays and what is known of it."""
        import pickle

        with tempfile.TemporaryDirectory() as name:
            shapes = {"c5": (2, 3, 5), "semantics": (4, 6), "boxes": (4, 4), "pooled": (4, 784), "selection": (4,)}
            stored = {k: np.stack([np.zeros(s), np.full(s, 51)]) for k, s in shapes.items()}
            for k, v in stored.items():
                np.save(f"{name}/0-96x64-{k}.npy", v.astype(np.uint8 if k == "pooled" else np.float32))
            box = {"pixels": np.zeros(0, np.uint8), "boxes": np.array([[0.1, 0.2, 0.5, 0.8]], np.float32), "masks": []}
            box |= {"kinds": np.array([POSITIVE]), "seen": np.array([True])}
            known = [{**box, "record": self.record(id=i, captions=[f"caption {i}"])} for i in range(2)]
            (Path(name) / "0-96x64.pkl").write_bytes(pickle.dumps(known))
            sampler = EncodedSampler(Stored([Path(name)]), lambda rows: np.array([float(r.id) for r in rows]), 1)
            batch = sampler.batch(3)
        self.assertEqual(batch.captions, [["caption 1"]] * 3)
        torch.testing.assert_close(batch.boxes[:, 0], torch.tensor([[0.3, 0.5, 0.4, 0.6]] * 3))
        assert batch.encoded is not None
        self.assertEqual(tuple(batch.encoded.c5.shape), (3, 5, 2, 3))
        self.assertTrue(bool((batch.encoded.semantics == 51).all() and (batch.encoded.boxes == 51).all()))
        torch.testing.assert_close(batch.encoded.pooled.sigmoid(), torch.full((3, 4, 784), 0.2))

    def test_crowds_are_not_objects(self) -> None:
        import random

        record = self.record(kinds=np.array([CROWD]), masks=[None])
        batch = collate([Augment(random.Random(0), 0)(record, np.zeros((80, 100, 3), np.uint8), (128, 96))], (128, 96))
        self.assertEqual((float(batch.weights.sum()), bool(batch.ignored_crowd[0, 0])), (0.0, True))

    def test_rle_is_column_major(self) -> None:
        m = bitmap({"counts": [1, 2, 3], "size": [2, 3]}, 3, 2)
        self.assertEqual((m > 0).astype(int).tolist(), [[0, 1, 0], [1, 0, 0]])


def contrast(image: torch.Tensor, text: torch.Tensor) -> torch.Tensor:
    image, text = distributed.gather(F.normalize(image, dim=-1)), distributed.gather(F.normalize(text, dim=-1))
    target = torch.arange(len(image))
    return F.cross_entropy(image @ text.T * 5, target) + F.cross_entropy(text @ image.T * 5, target)


def one_update(x: torch.Tensor) -> torch.Tensor:
    torch.manual_seed(0)
    layer = nn.Linear(4, 4)
    optimizer = BalancedAdamW([Group(list(layer.parameters()))])
    (contrast(layer(x), x) + layer(x).pow(2).mean()).backward()
    distributed.average_gradients(list(layer.parameters()))
    optimizer.step(0.1)
    return layer.weight.detach()


def worker(rank: int, folder: str, x: torch.Tensor) -> None:
    dist.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=2)
    torch.save(one_update(x[rank * 3 : rank * 3 + 3]), f"{folder}/{rank}.pt")


class Workers(unittest.TestCase):
    def test_two_processes_update_as_one_with_the_joint_batch(self) -> None:
        torch.manual_seed(1)
        x = torch.randn(6, 4)
        with tempfile.TemporaryDirectory() as folder:
            mp.spawn(worker, (folder, x), 2)
            both = [torch.load(f"{folder}/{i}.pt") for i in range(2)]
        torch.testing.assert_close(both[0], both[1], atol=0, rtol=0)
        torch.testing.assert_close(both[0], one_update(x), atol=1e-5, rtol=1e-5)


if __name__ == "__main__":
    unittest.main()
