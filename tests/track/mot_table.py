# SPDX-License-Identifier: LGPL-2.1-or-later
"""How well the tracker does with its defaults, and what each default costs when it is moved by a fifth, motion alone.

    python3 tests/track/mot_table.py build/tests/track/mot-run [TUD-Campus-det.txt]

On TUD-Campus where its detections are given (25 frames/s; the truth is in PyPI motmetrics), and on ten synthetic scenes each
of 25 and of 10 frames/s; the public C-BIoU (mot-run --reference) beside it. Development only, as mot_score.py.
"""

import subprocess
import sys
import tempfile
from dataclasses import astuple
from pathlib import Path

import mot_scenes
import mot_score
import numpy as np

Sequence = tuple[mot_score.Rows, Path, float]  # truth, detections, frames a second


def make_scenes(folder: Path, fps: float) -> list[Sequence]:
    """Ten scenes that differ in how many people there are."""
    scenes = []
    for truth, found in mot_scenes.write_scenes(folder, scenes=10, seed=1, frames=150, people=9, fps=fps):
        scenes.append((mot_score.read(truth), found, fps))
    return scenes


def run(program: str, sequences: list[Sequence], options: list[str]) -> mot_score.Scores:
    """Means over the sequences."""
    scores = []
    with tempfile.TemporaryDirectory() as folder:
        result = Path(folder) / "result.txt"
        for truth, found, fps in sequences:
            subprocess.run([program, "--fps", str(fps), *options, str(found), str(result)], check=True)
            scores.append(astuple(mot_score.score(truth, mot_score.read(result))))
    return mot_score.Scores(*np.mean(scores, axis=0))


def main(arguments: list[str]) -> None:
    """A row for the reference, one for the defaults, two for each default."""
    if not 1 <= len(arguments) <= 2:
        sys.exit(__doc__)
    program = arguments[0]
    listed = subprocess.run([program, "--defaults"], check=True, capture_output=True, text=True).stdout.split()
    rows: list[tuple[str, list[str]]] = [
        ("C-BIoU", ["--reference"]),
        ("defaults", []),
        ("with predicted boxes", ["--predicted"]),
    ]
    for name, value in (word.split("=") for word in listed):
        rows += [(f"{name} {factor * float(value):.3g}", ["--set", f"{name}={factor * float(value)}"]) for factor in (0.8, 1.2)]
    with tempfile.TemporaryDirectory() as folder:
        sets = {f"scenes, {fps}/s": make_scenes(Path(folder) / str(fps), fps) for fps in (25, 10)}
        if len(arguments) == 2:
            truth = mot_score.read(mot_score.truth_of("TUD-Campus"))
            sets = {"TUD-Campus": [(truth, Path(arguments[1]), 25.0)], **sets}
        print(f"{'':28}" + "".join(f"{name:>26}" for name in sets))
        print(f"{'':28}" + f"{'HOTA':>8}{'IDF1':>6}{'MOTA':>6}{'sw.':>6}" * len(sets))
        for name, options in rows:
            line = f"{name:28}"
            for sequences in sets.values():
                got = run(program, sequences, options)
                line += f"{got.hota:8.1f}{got.idf1:6.1f}{got.mota:6.1f}{got.switches:6.1f}"
            print(line, flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
