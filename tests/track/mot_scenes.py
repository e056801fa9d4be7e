# SPDX-License-Identifier: LGPL-2.1-or-later
"""Synthetic street scenes in MOTChallenge form: people who walk, turn, stand, hide behind each other, leave and come, and a
detector that misses, trembles and errs.

    python3 tests/track/mot_scenes.py FOLDER [--scenes 10] [--seed 1] [--frames 150] [--people 9] [--fps 25]

writes scene-NN-truth.txt and scene-NN-det.txt. The same seed gives the same files everywhere.
"""

import argparse
import random
from dataclasses import dataclass, field
from pathlib import Path

WIDTH, HEIGHT = 640, 480


@dataclass
class Person:
    """A box by its feet; speed in pixels a second."""

    number: int
    x: float
    y: float
    height: float
    aspect: float
    speed: tuple[float, float]
    pause: float = 0

    def box(self) -> tuple[float, float, float, float]:
        """Left, top, width, height."""
        width = self.height * self.aspect
        return self.x - width / 2, self.y - self.height, width, self.height


@dataclass
class Scene:
    """Lines of frame, id, left, top, width, height, score."""

    truth: list[tuple[int, int, float, float, float, float, float]] = field(default_factory=list)
    found: list[tuple[int, int, float, float, float, float, float]] = field(default_factory=list)


def shared_part(a: tuple[float, float, float, float], b: tuple[float, float, float, float]) -> float:
    """The share of a that b covers."""
    width = min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0])
    height = min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1])
    return max(width, 0) * max(height, 0) / (a[2] * a[3])


def new_person(random_: random.Random, number: int, inside: bool) -> Person:
    """Somewhere in the picture, or at its left or right edge, walking in."""
    y = random_.uniform(220, 460)
    height = 60 + (y - 220) / 240 * 220 * random_.uniform(0.85, 1.15)
    pace = height * random_.uniform(0.25, 0.9) * random_.choice((-1, 1))
    x = random_.uniform(40, WIDTH - 40) if inside else (5.0 if pace > 0 else WIDTH - 5.0)
    return Person(number, x, y, height, random_.uniform(0.3, 0.5), (pace, random_.uniform(-0.1, 0.1) * height))


def walk(person: Person, seconds: float, random_: random.Random) -> None:
    """One frame on: sometimes it stands, sometimes it turns."""
    if person.pause > 0:
        person.pause -= seconds
        return
    if random_.random() < 0.1 * seconds:
        person.pause = random_.uniform(0.5, 2)
    if random_.random() < 0.15 * seconds:
        person.speed = (-person.speed[0], person.speed[1])
    wander = person.height * 0.4 * seconds**0.5
    person.speed = (person.speed[0] + random_.gauss(0, 0.3) * wander, person.speed[1] + random_.gauss(0, 0.05) * wander)
    person.x += person.speed[0] * seconds
    person.y += person.speed[1] * seconds
    if not 225 < person.y < 465:
        person.speed = (person.speed[0], -person.speed[1])
        person.y = min(max(person.y, 225), 465)


def make_scene(random_: random.Random, frames: int, people: int, fps: float) -> Scene:
    """A detector of moderate quality: 8 % missed, boxes off by 4 % of their size, low scores behind others, now and then
    something out of nothing."""
    scene = Scene()
    there = [new_person(random_, k + 1, True) for k in range(people)]
    last = people
    for frame in range(1, frames + 1):
        for person in there:
            walk(person, 1 / fps, random_)
        there = [person for person in there if 0 <= person.x <= WIDTH]
        if len(there) < people and random_.random() < 2 / fps:
            last += 1
            there.append(new_person(random_, last, False))
        there.sort(key=lambda person: person.y)
        for k, person in enumerate(there):
            box = person.box()
            seen = 1 - max([shared_part(box, front.box()) for front in there[k + 1 :]], default=0)
            if seen > 0.1:
                scene.truth.append((frame, person.number, *box, 1))
            if random_.random() < 0.08 or seen < 0.25:
                continue
            quality = min(1, max(0.12, 0.35 + 0.65 * seen - abs(random_.gauss(0, 0.12))))
            tremble = [random_.gauss(0, 0.04) for _ in range(4)]
            x, y, width, height = box
            width *= 1 + tremble[0]
            height *= 1 + tremble[1]
            scene.found.append((frame, -1, x + tremble[2] * width, y + tremble[3] * height, width, height, quality))
        if random_.random() < 0.1:
            height = random_.uniform(50, 200)
            scene.found.append(
                (frame, -1, random_.uniform(0, 600), random_.uniform(0, 300), height * 0.4, height, random_.uniform(0.15, 0.75))
            )
    return scene


def write(path: Path, rows: list[tuple[int, int, float, float, float, float, float]]) -> None:
    """One line each, a tenth of a pixel."""
    path.write_text("".join(f"{f},{n},{x:.1f},{y:.1f},{w:.1f},{h:.1f},{s:.2f}\n" for f, n, x, y, w, h, s in rows))


def write_scenes(folder: Path, scenes: int, seed: int, frames: int, people: int, fps: float) -> list[tuple[Path, Path]]:
    """Scenes differ in how many people there are. The files of truth and detections."""
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for k in range(scenes):
        scene = make_scene(random.Random(1000 * seed + k), frames, max(2, people - 3 + k % 7), fps)
        files.append((folder / f"scene-{k + 1:02d}-truth.txt", folder / f"scene-{k + 1:02d}-det.txt"))
        write(files[-1][0], scene.truth)
        write(files[-1][1], scene.found)
    return files


def main() -> None:
    """Options as above."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--scenes", type=int, default=10)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--frames", type=int, default=150)
    parser.add_argument("--people", type=int, default=9)
    parser.add_argument("--fps", type=float, default=25)
    options = parser.parse_args()
    write_scenes(options.folder, options.scenes, options.seed, options.frames, options.people, options.fps)


if __name__ == "__main__":
    main()
