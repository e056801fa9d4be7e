# SPDX-License-Identifier: LGPL-2.1-or-later
"""The card's table of detection figures is made from figures.json, and evaluations find their place there."""

from __future__ import annotations

import json
import tempfile
import unittest
from pathlib import Path

from models.reference.config import Config
from models.training.card import (
    BEGIN,
    CARD,
    END,
    FILE,
    ROWS,
    record,
    sizes_of,
    table,
    with_table,
)

NANO = Path(__file__).parents[1] / "nano"


def evaluation(ap: float) -> dict[str, object]:
    kinds = {"AP": ap, "AP50": 2 * ap, "VOC AP50": ap + 1, "person AP50": float("nan"), "car AP50": ap + 3}
    return {"images": 9, "bbox": kinds, "bbox, suppression 0.7": {k: v + 0.04 for k, v in kinds.items()}}


class Card(unittest.TestCase):
    def test_the_bundled_card_is_made_from_its_figures(self) -> None:
        figures = json.loads((NANO / FILE).read_text(encoding="utf-8"))
        card = (NANO / CARD).read_text(encoding="utf-8")
        self.assertEqual(with_table(card, figures), card)
        config = Config.load(NANO)
        self.assertEqual([r["sizes"] for r in figures["detection"]], [sizes_of(config.input, large) for large in (False, True)])
        known = {figure for figure, *_ in ROWS}
        self.assertEqual([k for r in figures["detection"] for k in (*r["as it comes"], *r["suppressed"]) if k not in known], [])

    def test_an_evaluation_takes_the_place_of_the_one_before(self) -> None:
        with tempfile.TemporaryDirectory() as d:
            directory = Path(d)
            (directory / "config.json").write_bytes((NANO / "config.json").read_bytes())
            (directory / CARD).write_text(f"# a card\n{BEGIN}\nold\n{END}\nmore\n", encoding="utf-8")
            for ap, large in ((10, True), (20, False), (30, False)):
                record(directory, evaluation(ap), "val", 0.7, large)
            figures = json.loads((directory / FILE).read_text(encoding="utf-8"))
            self.assertEqual([r["as it comes"]["box AP"] for r in figures["detection"]], [30, 10])
            self.assertNotIn("person box AP50", figures["detection"][0]["suppressed"])
            self.assertEqual(figures["detection"][0]["suppressed"]["car box AP50"], 33.0)
            card = (directory / CARD).read_text(encoding="utf-8")
            self.assertEqual(card, f"# a card\n{BEGIN}\n{table(figures)}\n{END}\nmore\n")
            self.assertIn("| box AP, all classes | 30.0 | 30.0 | 10.0 | 10.0 |  |", card)
            record(directory, {**evaluation(40), "images": 8}, "val", 0.7, True)  # other images: nothing to stand beside
            self.assertEqual(len(json.loads((directory / FILE).read_text(encoding="utf-8"))["detection"]), 1)

    def test_a_card_without_a_place(self) -> None:
        with self.assertRaisesRegex(ValueError, "no place"):
            with_table(f"{END}\n{BEGIN}", {"detection": [], "aims": {}})


if __name__ == "__main__":
    unittest.main()
