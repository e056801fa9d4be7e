# SPDX-License-Identifier: LGPL-2.1-or-later
"""Masks of a teacher: how they are kept, which of them are learnt from, and for which boxes it is asked."""

from __future__ import annotations

import json
import tempfile
import unittest
from pathlib import Path

import numpy as np

from models.training.dataset import CROWD, POSITIVE, bitmap
from models.training.mask_teacher import asked_for, given, order, runs, teach

from .test_calibrate import record


def ellipse(x0: int, y0: int, x1: int, y1: int, size: tuple[int, int] = (100, 100)) -> np.ndarray:
    y, x = np.mgrid[: size[0], : size[1]] + 0.5
    return ((x - (x0 + x1) / 2) / ((x1 - x0) / 2)) ** 2 + ((y - (y0 + y1) / 2) / ((y1 - y0) / 2)) ** 2 < 1


class Teacher(unittest.TestCase):
    def test_runs_are_the_datas(self) -> None:
        rng = np.random.default_rng(0)
        for mask in (rng.random((7, 5)) < 0.5, np.zeros((3, 2), bool), np.ones((3, 2), bool), ellipse(3, 4, 60, 90)):
            back = bitmap({"counts": runs(mask), "size": list(mask.shape)}, mask.shape[1], mask.shape[0])
            np.testing.assert_array_equal(back > 0, mask)

    def test_a_mask_fills_its_box_and_stays_in_it(self) -> None:
        box = np.array([20.0, 10.0, 60.0, 90.0])
        for mask, expected in (
            (ellipse(20, 10, 60, 90), True),
            (ellipse(20, 10, 60, 60), False),  # a part
            (ellipse(5, 10, 75, 90), False),  # what is behind it
            (np.zeros((100, 100), bool), False),
        ):
            self.assertEqual(given(box, runs(mask), [100, 100]), expected)

    def test_boxes_that_are_surely_there_are_asked_for(self) -> None:
        boxes = [[0, 0, 50, 50], [0, 0, 5, 50], [0, 0, 20, 20], [0, 0, 90, 90], [0, 0, 40, 40]]
        r = record([1] * 5, {1}, boxes, [POSITIVE, POSITIVE, POSITIVE, CROWD, POSITIVE])
        r.masks[2], r.weights[4] = {"counts": [1], "size": [1, 1]}, 0.5  # has one; an unsure box of other teachers
        self.assertEqual(asked_for(r), [0])
        many = record([1] * 40, {1}, [[0, 0, 20 + i, 20] for i in range(40)])
        self.assertEqual(asked_for(many)[:2], [39, 38])
        self.assertEqual(len(asked_for(many)), 24)

    def test_files_fill_what_is_missing(self) -> None:
        r = record([1, 1, 1], {1}, [[20, 10, 60, 90], [20, 10, 60, 90], [20, 10, 60, 90]])
        r.masks[2] = "annotated"
        counts = runs(ellipse(20, 10, 60, 90))
        lines = [
            {"name": "1.jpg", "size": [100, 100], "objects": [[0, counts, 0.9], [1, counts, 0.5], [2, counts, 0.9]]},
            {"name": "of another split.jpg", "size": [100, 100], "objects": [[0, counts, 0.9]]},
        ]
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "masks.jsonl"
            path.write_text("".join(json.dumps(x) + "\n" for x in lines), encoding="utf-8")
            self.assertEqual(teach([r], [path]), 1)
        self.assertEqual(r.masks[0], {"counts": counts, "size": [100, 100]})
        self.assertEqual(r.masks[1:], [None, "annotated"])

    def test_sources_keep_their_shares_wherever_a_run_is_stopped(self) -> None:
        rows = []
        for i in range(600):
            r = record([1], {1}, [[0, 0, 50, 50]])
            r.source = ("voc", "roads", "elsewhere")[i % 3]
            rows.append(r)
        first = [r.source for r in order(rows, 1)]
        self.assertEqual((len(first), set(first)), (400, {"voc", "roads"}))
        self.assertAlmostEqual(first[:150].count("roads") / first[:150].count("voc"), 0.5, delta=0.2)
        self.assertEqual(first, [r.source for r in order(rows, 1)])


if __name__ == "__main__":
    unittest.main()
