# SPDX-License-Identifier: LGPL-2.1-or-later
"""Writes tests/track/golden: what the public C-BIoU (PyPI trackers) makes of twenty synthetic scenes, and its ids on
TUD-Campus.

    python3 tests/track/mot_golden.py tests/track/golden [TUD-Campus-det.txt]

A line is frame,id,left,top,width,height,score; -1: no id. Of TUD-Campus, whose detections are not this project's, the ids
alone, a line each in the order of its file.
"""

import random
import sys
from pathlib import Path

import mot_scenes
import numpy as np
import supervision
from trackers import CBIoUTracker

SCENES = 20


def track(rows: np.ndarray) -> np.ndarray:
    """The id of each row, in the rows' order; rows of frame, _, x, y, width, height, score."""
    tracker = CBIoUTracker()
    ids = np.full(len(rows), -1)
    for frame in range(1, int(rows[:, 0].max()) + 1):
        index = np.flatnonzero(rows[:, 0] == frame)
        boxes = rows[index, 2:6].copy()
        boxes[:, 2:] += boxes[:, :2]
        found = supervision.Detections(xyxy=boxes, confidence=rows[index, 6], data={"row": index})
        result = tracker.update(found)
        if len(result):
            ids[result.data["row"]] = result.tracker_id
    return ids


def main(arguments: list[str]) -> None:
    """Small scenes of 40 frames, some at few frames a second: objects jump."""
    if not 1 <= len(arguments) <= 2:
        sys.exit(__doc__)
    folder = Path(arguments[0])
    folder.mkdir(parents=True, exist_ok=True)
    for k in range(SCENES):
        fps = (25, 10, 5)[k % 3]
        scene = mot_scenes.make_scene(random.Random(7000 + k), 40, 3 + k % 6, fps)
        text = "".join(f"{f},{n},{x:.1f},{y:.1f},{w:.1f},{h:.1f},{s:.2f}\n" for f, n, x, y, w, h, s in scene.found)
        rows = np.array([[float(word) for word in line.split(",")] for line in text.splitlines()])
        lines = [line.split(",") for line in text.splitlines()]
        ids = track(rows)
        path = folder / f"scene-{k + 1:02d}.txt"
        path.write_text("".join(",".join([line[0], str(number), *line[2:]]) + "\n" for line, number in zip(lines, ids)))
    if len(arguments) == 2:
        ids = track(np.loadtxt(arguments[1], delimiter=","))
        (folder / "tud-campus-ids.txt").write_text("".join(f"{number}\n" for number in ids))


if __name__ == "__main__":
    main(sys.argv[1:])
