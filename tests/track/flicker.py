# SPDX-License-Identifier: LGPL-2.1-or-later
"""How much of a clip flickers: how often an object vanishes for less than a second and comes back.

    gst-launch-1.0 filesrc location=pipelines/clip/yard.webm ! decodebin ! videoconvert ! upiencoder ! upidetect ! upitrack !
      upijson location=yard.jsonl ! fakesink
    python3 tests/track/flicker.py yard.jsonl [--least-overlap 0.5]

Of the lines of upijson behind upitrack. Three counts: by id, frames between two of a track in which it is not shown; of ten
frames of a track, of which the first, the last and eight in all have found it, whether all ten show it; and by place, boxes that
were there up to a second before and not in the frame before, whatever their id. Predicted boxes count as shown.
"""

import argparse
import json
from collections import defaultdict
from itertools import pairwise
from pathlib import Path
from typing import Any


def overlap(a: dict[str, Any], b: dict[str, Any]) -> float:
    """Intersection over union."""
    (ax, ay, aw, ah), (bx, by, bw, bh) = a["box"], b["box"]
    across, down = min(ax + aw, bx + bw) - max(ax, bx), min(ay + ah, by + bh) - max(ay, by)
    shared = max(across, 0) * max(down, 0)
    return shared / max(aw * ah + bw * bh - shared, 1e-12)


def main() -> None:
    """A line for each count."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("lines", type=Path)
    parser.add_argument("--least-overlap", type=float, default=0.5)
    options = parser.parse_args()
    frames = [json.loads(line) for line in options.lines.read_text().splitlines()]
    times = [frame["stream_time"] / 1e9 for frame in frames]
    seen: dict[int, list[int]] = defaultdict(list)
    found: dict[int, set[int]] = defaultdict(set)
    shown = predicted = 0
    for k, frame in enumerate(frames):
        for thing in frame["objects"]:
            shown += 1
            predicted += thing.get("predicted", False)
            if "track_id" in thing:
                seen[thing["track_id"]].append(k)
                if not thing["predicted"]:
                    found[thing["track_id"]].add(k)
    gaps = [b - a - 1 for ks in seen.values() for a, b in pairwise(ks) if b - a > 1 and times[b] - times[a] < 1]
    windows = whole = 0
    for who, ks in seen.items():
        for first in found[who]:
            ten = range(first, first + 10)
            if ten[-1] in found[who] and len(found[who].intersection(ten)) >= 8:
                windows += 1
                whole += set(ten) <= set(ks)
    blinks = 0
    for k in range(2, len(frames)):
        for thing in frames[k]["objects"]:
            before = [j for j in range(k - 1, -1, -1) if times[k] - times[j] < 1]
            same = [
                any(
                    other["label"] == thing["label"] and overlap(other, thing) >= options.least_overlap
                    for other in frames[j]["objects"]
                )
                for j in before
            ]
            blinks += bool(same) and not same[0] and any(same)
    print(f"{len(frames)} frames, {len(seen)} ids, {shown} boxes shown, {predicted} of them predicted")
    print(f"by id: {len(gaps)} times gone for less than a second, {sum(gaps)} frames without")
    print(f"ten frames of which eight have found it: {windows} times, shown in all ten: {whole} times")
    print(f"by place: {blinks} boxes that were gone in the frame before and there within the second before")


if __name__ == "__main__":
    main()
