# SPDX-License-Identifier: LGPL-2.1-or-later
"""What becomes of regions: suppression (the pairs of tests/core/tasks/test-engine-suppression.c) and boxes cut at the border."""

from __future__ import annotations

import unittest

import numpy as np
import torch

from models.reference.suppression import cut, kept, overlaps
from models.training.evaluate import rivalled

CAT, DOG, RED_CAT, CAPITAL_CAT = range(4)
OWN = np.array([0, 1, -1, 0])


def boxes(*shifts: float) -> np.ndarray:
    return np.array([[0.2 + s, 0.1, 0.4, 0.5] for s in shifts])


class Suppression(unittest.TestCase):
    def test_pairs(self) -> None:
        for first, second, shift, same, cross, hidden in (
            (CAT, CAT, 0.04, 0.6, 1, True),
            (CAT, CAT, 0.04, 0.9, 0.5, False),
            (CAT, CAT, 0, 1, 0.8, False),
            (CAT, DOG, 0.04, 0.6, 0.8, True),
            (CAT, DOG, 0.04, 0.6, 0.85, False),
            (CAT, DOG, 0.08, 0.6, 0.8, False),
            (CAT, DOG, 0, 0.6, 1, False),
            (CAPITAL_CAT, DOG, 0.04, 0.6, 0.8, True),
            (CAT, RED_CAT, 0, 0.6, 0.8, False),
            (RED_CAT, DOG, 0, 0.6, 0.8, False),
            (CAT, CAPITAL_CAT, 0, 0.6, 0.8, False),
        ):
            with self.subTest(first=first, second=second, shift=shift, same=same, cross=cross):
                rows = kept(boxes(0, shift), np.array([first, second]), OWN, same, cross)
                self.assertEqual(rows, [0] if hidden else [0, 1])

    def test_labels_rival(self) -> None:
        """Of own labels those behind the best fall; other words stay (tests/core/tasks/test-engine-suppression.c, "rivalry")."""
        scores = torch.tensor([[0.8, 0.2, 0.4, 0.8], [0.0, 0.0, 0.5, 0.0]])
        own = torch.tensor(OWN >= 0)
        want = torch.tensor([[0.8, 0.1, 0.4, 0.8], [0.0, 0.0, 0.5, 0.0]])
        torch.testing.assert_close(rivalled(scores, own, 0.5), want)
        torch.testing.assert_close(rivalled(scores, own, 0.0), scores)
        torch.testing.assert_close(rivalled(scores, own & False, 0.5), scores)

    def test_only_what_stays_hides(self) -> None:
        self.assertEqual(kept(boxes(0, 0.08, 0.16, 0.32), np.zeros(4, int), OWN, 0.6, 0.8), [0, 2, 3])

    def test_boxes_are_cut_at_the_border_as_the_engine_does(self) -> None:
        found = cut(np.array([[-5, 10, 20, 30], [90, 40, 20, 30], [120, 0, 10, 10]], np.float32), 100, 50)
        self.assertEqual(found.tolist(), [[0, 10, 15, 30], [90, 40, 10, 10], [100, 0, 0, 10]])
        self.assertEqual(overlaps(found)[2].tolist(), [0, 0, 0])


if __name__ == "__main__":
    unittest.main()
