# SPDX-License-Identifier: LGPL-2.1-or-later
"""What it is worth to a tracker to know what objects look like, with real vectors: identity switches with it and without.

    python3 tests/track/region_clips.py BUILD MODEL DATA [--clips 240] [--frames 40] [--keep FOLDER] [--set NAME=VALUE ...]

Objects of DATA/val.json (COCO format) that MODEL finds where they stand alone move over calm photographs: they cross, hide
behind a wall for 0.2 to 3 seconds and come out on either side, leave and come back; two labels a clip, 1 to 60 frames a second
of which every second to tenth is encoded. BUILD/tests/track/region-dump encodes them with MODEL, BUILD/tests/track/mot-run
tracks. Settings are chosen on clips of even number, and those of odd number tell what they are worth. At first a table of what
vectors can tell: cosines of the same object in two frames, and of two of one label. Development only, as mot_score.py.
"""

import argparse
import pickle
import random
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import mot_score
import numpy as np
from numpy.typing import NDArray
from region_sprites import HEIGHT, WIDTH, Sprite, calm_scenes, clear_sprites, paste
from scipy.optimize import linear_sum_assignment

# frames a second, every how manyth is encoded
RATES = ((60, 10), (30, 5), (25, 2), (10, 2), (30, 10), (5, 2), (2, 2), (1, 2), (25, 5), (60, 5), (10, 5), (15, 3))
PAIRS = (("person", "dog"), ("person", "car"), ("sheep", "person"), ("person", "bird"))
TICK = 1 / 60  # seconds
MAX_LOST_TIME = 4  # upitrack's default: who is away for longer is promised no id


@dataclass
class Actor:
    """A sprite that walks to and fro. Times in seconds, places in widths."""

    number: int
    sprite: Sprite
    foot: int
    speed: float
    x: float
    direction: int
    waits: float = 0  # out of sight
    free: float = 0  # until then no wall stops it

    def walk(self, now: float, pace: float, wall: float, random_: random.Random) -> None:
        """One tick."""
        margin = self.sprite.pixels.shape[1] / WIDTH / 2 + 0.02
        if self.waits > 0:
            self.waits -= TICK
            return
        before = self.x
        self.x += self.direction * self.speed * pace * TICK
        if now > self.free and (before - wall) * (self.x - wall) <= 0:
            self.waits = random_.uniform(0.2, 3)
            self.direction *= random_.choice((-1, 1))
            self.free = now + self.waits + 1 / pace
        elif self.x < -margin or self.x > 1 + margin:
            self.waits = random_.uniform(0.2, 3)
            self.direction = 1 if self.x < 0 else -1
            self.x = min(max(self.x, -margin), 1 + margin)

    def corner(self) -> tuple[int, int]:
        """Left and top."""
        height, width = self.sprite.pixels.shape[:2]
        return round(self.x * WIDTH - width / 2), self.foot - height


def cast(sprites: dict[str, list[list[Sprite]]], pair: tuple[str, str], random_: random.Random, pace: float) -> list[Actor]:
    """Three of one label, two of the other; who stands nearer is drawn later."""
    actors: list[Actor] = []
    for label, wanted in zip(pair, (3, 2)):
        for sizes in random_.sample(sprites[label], wanted):
            sprite = random_.choice(sizes)
            low = max(sprite.pixels.shape[0], HEIGHT - 90)
            x, speed = random_.uniform(0.05, 0.95), random_.uniform(0.08, 0.2)
            actors.append(Actor(len(actors) + 1, sprite, random_.randint(low, HEIGHT - 5), speed, x, random_.choice((-1, 1))))
    return sorted(actors, key=lambda actor: actor.foot)


@dataclass
class Clip:
    """One, without its pictures."""

    truth: mot_score.Rows
    found: Path
    rate: float  # encodings a second
    labels: str


def make_clip(
    path: Path, scenes: list[NDArray[np.float32]], sprites: dict[str, list[list[Sprite]]], index: int, frames: int
) -> tuple[mot_score.Rows, str, float]:
    """Writes the frames that are encoded; the truth, the labels, encodings a second."""
    random_ = random.Random(5000 + index)
    fps, step = RATES[index // 2 % len(RATES)]
    pair = PAIRS[(index // 2 + index % 2) % len(PAIRS)]
    rate = fps / step
    pace = min(1, rate / 2)  # at an encoding every two seconds nobody runs
    background = random_.choice(scenes)
    actors = cast(sprites, pair, random_, pace)
    wall = random_.uniform(0.35, 0.65)
    thick = min(max(actor.sprite.pixels.shape[1] for actor in actors) * 1.05, 0.35 * WIDTH)
    left, right = round(wall * WIDTH - thick / 2), round(wall * WIDTH + thick / 2)
    truth, now = [], 0.0
    with path.open("wb") as file:
        for frame in range(frames):
            while now < frame / rate:
                for actor in actors:
                    actor.walk(now, pace, wall, random_)
                now += TICK
            canvas, cover = background.copy(), np.zeros((HEIGHT, WIDTH), np.int32)
            for actor in actors:
                pasted = paste(canvas, actor.sprite, *actor.corner())
                if pasted is not None:
                    cover[pasted[0]] = np.where(pasted[1], actor.number, cover[pasted[0]])
            canvas[:, left:right] = (92, 84, 80)  # what hides who waits behind it
            cover[:, left:right] = 0
            for actor in actors:
                seen = np.argwhere(cover == actor.number)
                if len(seen) < 0.4 * float(actor.sprite.alpha.sum()):
                    continue
                (top, first), (bottom, last) = seen.min(axis=0), seen.max(axis=0) + 1
                truth.append((frame + 1, actor.number, first, top, last - first, bottom - top))
            noise = np.random.default_rng(1000 * index + frame).normal(0, 3, canvas.shape)
            file.write(np.clip(canvas + noise, 0, 255).astype(np.uint8).tobytes())
    return np.array(truth, float).reshape(-1, 6), ",".join(pair), rate


def make_clips(options: argparse.Namespace, folder: Path) -> list[Clip]:
    """All clips, from @folder where they are there."""
    stage, clips = folder / "stage.pickle", []
    if not stage.exists():
        scenes = calm_scenes(options.build, options.model, options.data, folder)
        print(f"{len(scenes)} calm scenes")
        sprites = clear_sprites(options.build, options.model, options.data, scenes, folder)
        stage.write_bytes(pickle.dumps((scenes, sprites)))
    scenes, sprites = pickle.loads(stage.read_bytes())
    tool = options.build / "tests" / "track" / "region-dump"
    for index in range(options.clips):
        kept, found = folder / f"clip-{index}.pickle", folder / f"clip-{index}.txt"
        if not kept.exists():
            path = folder / f"clip-{index}.rgb"
            truth, labels, rate = make_clip(path, scenes, sprites, index, options.frames)
            subprocess.run([tool, options.model, path, str(WIDTH), str(HEIGHT), "1", labels, found], check=True)
            path.unlink()
            kept.write_bytes(pickle.dumps(Clip(truth, found, rate, labels)))
        clips.append(pickle.loads(kept.read_bytes()))
    return clips


@dataclass
class Looks:
    """Whose vector was found when."""

    clip: int
    number: int
    label: str
    frame: int
    vector: NDArray[np.float64]  # of length 1


def looks_of(index: int, clip: Clip) -> list[Looks]:
    """Of all objects that were found."""
    looks = []
    for line in clip.found.read_text().splitlines():
        words = line.split(",")
        frame, score, threshold = int(words[0]), float(words[6]), float(words[8])
        there = clip.truth[clip.truth[:, 0] == frame]
        if score < threshold or not len(there):
            continue
        overlap = mot_score.overlaps(np.array([[float(word) for word in words[2:6]]]), there[:, 2:])[0]
        if overlap.max() >= 0.5:
            vector = np.array([float(word) for word in words[10:]])
            looks.append(Looks(index, int(there[overlap.argmax(), 1]), words[7], frame, vector / np.linalg.norm(vector)))
    return looks


def unit(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    """Each of length 1."""
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-9)


def tell(name: str, groups: list[list[Looks]], centred: bool) -> None:
    """Cosines of each object with the mean of what it looked like before, and of what others of its label did."""
    same: list[float] = []
    other: list[float] = []
    right = chance = choices = 0.0
    for looks in groups:
        vectors = np.array([each.vector for each in looks])
        vectors = unit(vectors - vectors.mean(axis=0)) if centred else vectors
        numbers, frames = np.array([each.number for each in looks]), np.array([each.frame for each in looks])
        for k, number in enumerate(numbers):
            past = {who: np.flatnonzero((numbers == who) & (frames < frames[k] - 2))[-16:] for who in set(numbers)}
            known = {who: float(vectors[k] @ unit(vectors[rows].mean(axis=0))) for who, rows in past.items() if len(rows) >= 3}
            if number not in known:
                continue
            same.append(known[number])
            other += [value for who, value in known.items() if who != number]
            if len(known) > 1:
                choices += 1
                chance += 1 / len(known)
                right += max(known, key=known.__getitem__) == number
    ranks = np.argsort(np.argsort(np.array(same + other)))[: len(same)]
    area = (ranks.sum() - len(same) * (len(same) - 1) / 2) / len(same) / len(other)
    quarters = "  ".join(
        f"{who} {' '.join(f'{value:.2f}' for value in np.percentile(values, (5, 50, 95)))}"
        for who, values in (("same", same), ("another", other))
    )
    print(
        f"{name}: cosines (5, 50, 95 %) {quarters}; same above another in {100 * area:.0f} %; "
        f"the right one of 2 or 3 in {100 * right / choices:.0f} % (chance {100 * chance / choices:.0f})"
    )


def score(clip: Clip, result: mot_score.Rows, most: float) -> tuple[int, float]:
    """Identity switches of those who were not found for at most that many seconds, as motmetrics counts them; IDF1."""
    last: dict[float, float] = {}
    when: dict[float, float] = {}
    switches = 0
    numbers, ids = np.unique(clip.truth[:, 1]), np.unique(result[:, 1])
    shared = np.zeros((len(numbers), len(ids)))
    for frame in np.unique(clip.truth[:, 0]):
        truth, found = clip.truth[clip.truth[:, 0] == frame], result[result[:, 0] == frame]
        overlap = mot_score.overlaps(truth[:, 2:], found[:, 2:])
        fits = overlap >= 0.5
        np.add.at(
            shared,
            tuple(
                np.searchsorted(of, rows[where, 1]) for of, rows, where in zip((numbers, ids), (truth, found), np.nonzero(fits))
            ),
            1,
        )
        before = np.array([[last.get(a, -1) == b for b in found[:, 1]] for a in truth[:, 1]]).reshape(fits.shape)
        for i, j in zip(*linear_sum_assignment(np.where(fits, 1 - overlap - 10 * before, 1000))):
            if not fits[i, j]:
                continue
            who, name = truth[i, 1], found[j, 1]
            switches += last.get(who, name) != name and (frame - when[who]) / clip.rate <= most
            last[who], when[who] = name, frame
    matched = shared[linear_sum_assignment(-shared)].sum()
    return switches, 200 * matched / max(len(clip.truth) + len(result), 1)


def main() -> None:
    """Statistics of the vectors; a row a clip, and all of them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build", type=Path)
    parser.add_argument("model")
    parser.add_argument("data", type=Path)
    parser.add_argument("--clips", type=int, default=240)
    parser.add_argument("--frames", type=int, default=40)
    parser.add_argument("--keep", type=Path, help="a folder for cut-outs and detections, used again where they are there")
    parser.add_argument("--set", action="append", default=[], help="as mot-run's, of the runs with vectors")
    options = parser.parse_args()
    tool = options.build / "tests" / "track" / "mot-run"
    total = np.zeros((2, 2, 2))  # [half, motion or vectors, switches and IDF1]
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        clips = make_clips(options, folder)
        looks = [looks_of(index, clip) for index, clip in enumerate(clips)]
        print(f"found: {100 * sum(map(len, looks)) / sum(len(clip.truth) for clip in clips):.0f} % of the objects in sight")
        groups: dict[tuple[int, str], list[Looks]] = {}
        for each in (each for some in looks for each in some):
            groups.setdefault((each.clip, each.label), []).append(each)
        tell("vectors", list(groups.values()), False)
        tell("vectors against the mean of their clip and label", list(groups.values()), True)
        print(f"{'clip':>5}{'enc./s':>8}   motion: IDF1  sw.   vectors: IDF1  sw.")
        for index, clip in enumerate(clips):
            line = f"{index:5}{clip.rate:8.1f}"
            for k, extra in enumerate(([], ["--region"] + [f"--set={word}" for word in options.set])):
                result = folder / "result.txt"
                subprocess.run([tool, "--fps", str(clip.rate), *extra, clip.found, result], check=True)
                switches, idf1 = score(clip, mot_score.read(result), MAX_LOST_TIME)
                total[index % 2, k] += switches, idf1
                line += f"          {idf1:6.1f}{switches:5d}"
            print(f"{line}  {clip.labels}", flush=True)
    for half, name in enumerate(("even, to choose", "odd, to report")):
        count = len(clips[half::2])
        for k, kind in enumerate(("motion", "vectors")):
            print(f"{name}, {kind}: {int(total[half, k, 0])} switches, IDF1 {total[half, k, 1] / count:.1f}")


if __name__ == "__main__":
    main()
