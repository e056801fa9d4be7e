# SPDX-License-Identifier: LGPL-2.1-or-later
"""Scores a tracker's result against the truth, both in MOTChallenge form: HOTA, IDF1, MOTA and identity switches.

    python3 tests/track/mot_score.py TRUTH.txt RESULT.txt [TRUTH.txt RESULT.txt ...]

HOTA is PyPI trackeval's, the others are PyPI motmetrics' at an overlap of 0.5 (trackeval counts a switch that motmetrics
bridges by the match of the frame before). TUD-Campus as a truth stands for the one inside PyPI motmetrics. Both packages are
for development only.
"""

import io
import sys
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import motmetrics
import numpy as np
from numpy.typing import NDArray
from trackeval.metrics import HOTA

Rows = NDArray[np.float64]


@dataclass
class Scores:
    """In percent but the switches."""

    hota: float
    idf1: float
    mota: float
    switches: int


def truth_of(name: str) -> Path:
    """A path, or TUD-Campus and TUD-Stadtmitte of PyPI motmetrics."""
    if not name.startswith("TUD-"):
        return Path(name)
    return Path(motmetrics.__file__).parent / "data" / name / "gt.txt"


def read(path: Path) -> Rows:
    """Rows of frame, id, x, y, width, height; an empty file has none."""
    lines = [line for line in path.read_text().splitlines() if line.strip()]
    return np.array([[float(word) for word in line.split(",")[:6]] for line in lines]).reshape(-1, 6)


def overlaps(a: Rows, b: Rows) -> Rows:
    """[N, 4] and [M, 4], boxes as x, y, width, height: [N, M], intersection over union."""
    low = np.maximum(a[:, None, :2], b[None, :, :2])
    high = np.minimum(a[:, None, :2] + a[:, None, 2:], b[None, :, :2] + b[None, :, 2:])
    shared = np.prod(np.maximum(high - low, 0), axis=2)
    union = np.prod(a[:, 2:], axis=1)[:, None] + np.prod(b[:, 2:], axis=1)[None] - shared
    return shared / np.maximum(union, 1e-12)


def score(truth: Rows, result: Rows) -> Scores:
    """One sequence. trackeval wants ids without gaps."""
    frames = int(max(truth[:, 0].max(initial=0), result[:, 0].max(initial=0)))
    numbers = [{number: k for k, number in enumerate(np.unique(rows[:, 1]))} for rows in (truth, result)]
    data: dict[str, Any] = {"gt_ids": [], "tracker_ids": [], "similarity_scores": []}
    matches = motmetrics.MOTAccumulator(auto_id=True)
    for frame in range(1, frames + 1):
        now = [rows[rows[:, 0] == frame] for rows in (truth, result)]
        ids = [np.array([number[row[1]] for row in rows], dtype=int) for rows, number in zip(now, numbers)]
        overlap = overlaps(now[0][:, 2:], now[1][:, 2:])
        for key, values in zip(("gt_ids", "tracker_ids", "similarity_scores"), (*ids, overlap)):
            data[key].append(values)
        matches.update(ids[0], ids[1], np.where(overlap < 0.5, np.nan, 1 - overlap))
    data |= {"num_timesteps": frames, "num_gt_ids": len(numbers[0]), "num_tracker_ids": len(numbers[1])}
    data |= {"num_gt_dets": len(truth), "num_tracker_dets": len(result)}
    with redirect_stdout(io.StringIO()):
        hota = HOTA().eval_sequence(data)["HOTA"]
    row = motmetrics.metrics.create().compute(matches, metrics=["idf1", "mota", "num_switches"], name="all").iloc[0]
    return Scores(100 * float(np.mean(hota)), 100 * float(row["idf1"]), 100 * float(row["mota"]), int(row["num_switches"]))


def main(arguments: list[str]) -> None:
    """A line for each pair of files."""
    if len(arguments) < 2 or len(arguments) % 2:
        sys.exit(__doc__)
    print(f"{'HOTA':>6}{'IDF1':>7}{'MOTA':>7}{'switches':>10}  result")
    for truth, result in zip(arguments[::2], arguments[1::2]):
        got = score(read(truth_of(truth)), read(Path(result)))
        print(f"{got.hota:6.1f}{got.idf1:7.1f}{got.mota:7.1f}{got.switches:10d}  {result}")


if __name__ == "__main__":
    main(sys.argv[1:])
