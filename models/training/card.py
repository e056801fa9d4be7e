# SPDX-License-Identifier: LGPL-2.1-or-later
"""A model's figures on `val`, and its card's table of them.

`models/training/evaluate.py --write` puts what it measured into DIRECTORY/figures.json, where programs find it (upi-bench
prints what an input size costs beside what it reaches), and the card's table is made from that file, between two markers:

    python -m models.training.card --model models/nano      # after changing figures.json by hand

{"part": "val", "images", "suppression": IoU, "aims": {figure: number},
 "detection": [{"sizes": [[W, H]...], "as it comes": {figure: number}, "suppressed": {figure: number}}...]}
One row of "detection" for the ordinary input sizes, one for the large ones; figures are those of ROWS, in percent.
"""

from __future__ import annotations

import argparse
import json
import math
from pathlib import Path
from typing import Any

from models.reference.config import Config, Input
from models.reference.preprocess import ordinary_sizes

FILE, CARD = "figures.json", "MODEL_CARD.md"
BEGIN, END = "<!-- from figures.json -->", "<!-- end of figures.json -->"
# the figure, where evaluate.py has it, and how the card calls it
ROWS = (
    ("box AP", "bbox", "AP", "box AP, all classes"),
    ("box AP50", "bbox", "AP50", "box AP50, all classes"),
    ("VOC box AP50", "bbox", "VOC AP50", "box AP50, 20 VOC classes"),
    ("person box AP50", "bbox", "person AP50", "person box AP50"),
    ("car box AP50", "bbox", "car AP50", "car box AP50"),
    ("mask AP", "segm", "AP", "mask AP, all classes"),
    ("mask AP50", "segm", "AP50", "mask AP50, all classes"),
    ("person mask AP50", "segm", "person AP50", "person mask AP50"),
)


def sizes_of(config: Input, large: bool) -> list[list[int]]:
    ordinary = ordinary_sizes(config)
    return [s for s in config.sizes if (s not in ordinary) == large]


def column(result: dict[str, Any], suffix: str) -> dict[str, float]:
    """Of evaluate.py's result; what was not measured (NaN) is left out."""
    found = {figure: result.get(kind + suffix, {}).get(name) for figure, kind, name, _ in ROWS}
    return {k: round(v, 1) for k, v in found.items() if v is not None and not math.isnan(v)}


def record(directory: Path, result: dict[str, Any], part: str, suppression: float, large: bool) -> None:
    """Puts one evaluation into figures.json, which keeps those of other sizes, and the table into the card."""
    path = directory / FILE
    config = Config.load(directory)
    figures = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    if figures.get("part") != part or figures.get("images") != result["images"] or figures.get("suppression") != suppression:
        figures = {"aims": figures.get("aims", {}), "detection": []}
    sizes = sizes_of(config.input, large)
    row = {"sizes": sizes, "as it comes": column(result, ""), "suppressed": column(result, f", suppression {suppression}")}
    rows = [r for r in figures["detection"] if all(s in config.input.sizes and s not in sizes for s in r["sizes"])]
    rows = [*rows, row] if large else [row, *rows]
    about = {"part": part, "images": result["images"], "suppression": suppression, "aims": figures["aims"]}
    save(directory, {**about, "detection": rows})
    write_card(directory)


def save(directory: Path, figures: dict[str, Any]) -> None:
    lines = [f' "{k}": {json.dumps(v)}' for k, v in figures.items() if k != "detection"]
    rows = [",\n   ".join(f'"{k}": {json.dumps(v)}' for k, v in row.items()) for row in figures["detection"]]
    lines.append(' "detection": [' + ",".join(f"\n  {{{row}}}" for row in rows) + "\n ]")
    (directory / FILE).write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


def table(figures: dict[str, Any]) -> str:
    rows = figures["detection"]
    names = [", ".join("×".join(map(str, s)) for s in r["sizes"]) for r in rows]
    lines = ["| | " + " | ".join(f"{n}: {c}" for n in names for c in ("as it comes", "suppressed")) + " | aim |"]
    lines.append("|" + "---|" * (2 * len(rows) + 2))
    for figure, _, _, title in ROWS:
        numbers = [r[c].get(figure) for r in rows for c in ("as it comes", "suppressed")]
        aim = figures["aims"].get(figure)
        cells = [title, *("" if n is None else f"{n:.1f}" for n in numbers), "" if aim is None else f"{aim:g}"]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def with_table(card: str, figures: dict[str, Any]) -> str:
    if card.count(BEGIN) != 1 or card.count(END) != 1 or card.index(BEGIN) > card.index(END):
        raise ValueError(f"the card has no place for the table: it needs the lines {BEGIN} and {END}, once each")
    before, rest = card.split(BEGIN)
    return before + BEGIN + "\n" + table(figures) + "\n" + END + rest.split(END)[1]


def write_card(directory: Path) -> None:
    """A model without a card needs none."""
    path = directory / CARD
    if path.exists():
        figures = json.loads((directory / FILE).read_text(encoding="utf-8"))
        path.write_text(with_table(path.read_text(encoding="utf-8"), figures), encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, required=True)
    write_card(parser.parse_args().model)


if __name__ == "__main__":
    main()
