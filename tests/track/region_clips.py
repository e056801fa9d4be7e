# SPDX-License-Identifier: LGPL-2.1-or-later
"""What it is worth to a tracker to know what objects look like, with real vectors: identity switches with it and without.

    python3 tests/track/region_clips.py BUILD MODEL DATA [--clips 12] [--frames 48] [--set NAME=VALUE ...]

Objects of DATA/val.json (COCO format) are cut out and move over its photographs: they cross, hide behind a wall for 0.2 to 3 seconds, leave and come
back; two labels a clip, 1 to 60 frames a second of which every second to tenth is encoded. BUILD/tests/track/region-dump encodes them with MODEL,
BUILD/tests/track/mot-run tracks. Development only, as mot_score.py.
"""

import argparse
import json
import math
import random
import subprocess
import tempfile
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any

import cv2
import mot_score
import numpy as np
from numpy.typing import NDArray

WIDTH, HEIGHT = 640, 352
# frames a second, every how manyth is encoded
RATES = ((60, 10), (30, 5), (25, 2), (10, 2), (30, 10), (5, 2), (2, 2), (1, 2), (25, 5), (60, 5), (10, 5), (15, 3))
PAIRS = (("person", "dog"), ("person", "car"), ("person", "bicycle"), ("person", "bird"))


@dataclass
class Sprite:
    """A cut-out: colours and how much of them shows."""

    number: int
    label: str
    pixels: NDArray[np.float32]  # [height, width, 3]
    alpha: NDArray[np.float32]  # [height, width, 1]
    start: float  # centre at the clip's middle, in 0..1 of the width
    speed: float  # widths a second
    foot: int
    hides: float  # half a period of coming back, seconds

    def box(self, seconds: float) -> tuple[int, int, int, int]:
        """It walks to and fro between beyond the left edge and beyond the right one."""
        height, width = self.pixels.shape[:2]
        way = (self.start + self.speed * seconds + 0.15) % 2.6
        x = (way if way < 1.3 else 2.6 - way) - 0.15
        return int(x * WIDTH - width / 2), self.foot - height, width, height


def alpha_of(annotation: dict[str, Any], shape: tuple[int, ...]) -> NDArray[np.float32] | None:
    """The object's mask in the photograph, where it has one."""
    segmentation = annotation.get("segmentation")
    mask = np.zeros(shape[:2], np.uint8)
    if isinstance(segmentation, list) and segmentation:
        polygons = [np.array(polygon, np.float32).reshape(-1, 2).round().astype(np.int32) for polygon in segmentation]
        cv2.fillPoly(mask, polygons, (1,))
    elif isinstance(segmentation, dict):
        counts = segmentation["counts"]
        runs = np.repeat(np.arange(len(counts)) % 2, counts).astype(np.uint8)
        mask = runs.reshape(segmentation["size"][::-1]).T
    else:
        return None
    return mask.astype(np.float32)


def cut_out(data: Path, image: dict[str, Any], annotation: dict[str, Any], height: int) -> tuple[Any, Any] | None:
    """Pixels and alpha, scaled to a height."""
    picture = cv2.imread(str(data / image["file_name"]))
    if picture is None:
        return None
    x, y, w, h = (round(value) for value in annotation["bbox"])
    alpha = alpha_of(annotation, picture.shape)
    if alpha is None or alpha.shape != picture.shape[:2]:
        return None
    size = (max(8, int(w * height / h)), height)
    pixels = cv2.resize(picture[y : y + h, x : x + w], size, interpolation=cv2.INTER_AREA)
    soft = cv2.GaussianBlur(cv2.resize(alpha[y : y + h, x : x + w], size, interpolation=cv2.INTER_LINEAR), (3, 3), 0)
    return pixels[:, :, ::-1].astype(np.float32), soft[:, :, None]


def make_sprites(data: Path, val: dict[str, Any], pair: tuple[str, str], random_: random.Random) -> list[Sprite]:
    """Three of one label, two of the other."""
    names = {category["id"]: category["name"] for category in val["categories"]}
    images = {image["id"]: image for image in val["images"]}
    sprites: list[Sprite] = []
    for label, wanted in zip(pair, (3, 2)):
        choice = [
            a for a in val["annotations"] if names[a["category_id"]] == label and a["bbox"][3] >= 60 and a["bbox"][2] >= 30
        ]
        choice = [a for a in choice if a.get("segmentation") and not a.get("iscrowd")]
        random_.shuffle(choice)
        for annotation in choice:
            if wanted == 0:
                break
            cut = cut_out(data, images[annotation["image_id"]], annotation, random_.randint(90, 150))
            if cut is None or cut[0].shape[1] > 220:
                continue
            wanted -= 1
            speed = random_.uniform(0.06, 0.16) * random_.choice((-1, 1))
            place = (random_.uniform(0.1, 0.9), speed, random_.randint(230, 340), random_.uniform(0.2, 3))
            sprites.append(Sprite(len(sprites) + 1, label, *cut, *place))
    return sorted(sprites, key=lambda sprite: sprite.foot)


def draw(canvas: NDArray[np.float32], cover: NDArray[np.int32], sprite: Sprite, box: tuple[int, int, int, int]) -> None:
    """Pastes a sprite; @cover says whose each pixel is."""
    x, y, width, height = box
    left, top, right, bottom = max(x, 0), max(y, 0), min(x + width, WIDTH), min(y + height, HEIGHT)
    if left >= right or top >= bottom:
        return
    part = (slice(top - y, bottom - y), slice(left - x, right - x))
    there = (slice(top, bottom), slice(left, right))
    alpha = sprite.alpha[part]
    canvas[there] = alpha * sprite.pixels[part] + (1 - alpha) * canvas[there]
    cover[there] = np.where(alpha[:, :, 0] > 0.5, sprite.number, cover[there])


def make_clip(
    folder: Path, data: Path, val: dict[str, Any], index: int, frames: int
) -> tuple[Path, mot_score.Rows, str, float]:
    """Frames as they are encoded, the truth, the labels, encodings a second."""
    random_ = random.Random(4000 + index)
    fps, step = RATES[index % len(RATES)]
    pair = PAIRS[index % len(PAIRS)]
    busy = {annotation["image_id"] for annotation in val["annotations"]}
    quiet = [image for image in val["images"] if image["id"] not in busy and image["width"] > image["height"]]
    photograph = cv2.imread(str(data / random_.choice(quiet or val["images"])["file_name"]))
    background = cv2.resize(photograph, (WIDTH, HEIGHT))[:, :, ::-1].astype(np.float32)
    sprites = make_sprites(data, val, pair, random_)
    wall = int(random_.uniform(0.3, 0.6) * WIDTH)
    truth = []
    path = folder / f"clip-{index}.rgb"
    rate = fps / step
    pace = min(1, rate)  # at an encoding every two seconds nobody runs
    with path.open("wb") as file:
        for frame in range(frames):
            canvas, cover = background.copy(), np.zeros((HEIGHT, WIDTH), np.int32)
            for sprite in sprites:
                draw(canvas, cover, sprite, sprite.box(frame / rate * pace))
            width = int(0.15 * WIDTH)
            canvas[:, wall : wall + width] = (92, 84, 80)  # what hides who walks behind it
            cover[:, wall : wall + width] = 0
            for sprite in sprites:
                seen = np.argwhere(cover == sprite.number)
                if len(seen) < 0.35 * float(sprite.alpha.sum()):
                    continue
                (top, left), (bottom, right) = seen.min(axis=0), seen.max(axis=0) + 1
                truth.append((frame + 1, sprite.number, left, top, right - left, bottom - top))
            noise = np.random.default_rng(1000 * index + frame).normal(0, 3, canvas.shape)
            file.write(np.clip(canvas + noise, 0, 255).astype(np.uint8).tobytes())
    return path, np.array(truth, float).reshape(-1, 6), ",".join(pair), rate


def main() -> None:
    """A row a clip, and all of them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build", type=Path)
    parser.add_argument("model")
    parser.add_argument("data", type=Path)
    parser.add_argument("--clips", type=int, default=12)
    parser.add_argument("--frames", type=int, default=48)
    parser.add_argument("--keep", type=Path, help="a folder for clips and detections, used again where they are there")
    parser.add_argument("--set", action="append", default=[], help="as mot-run's, of the runs with vectors")
    options = parser.parse_args()
    tools = options.build / "tests" / "track"
    val = json.loads((options.data / "val.json").read_text())
    total: dict[str, list[tuple[float, ...]]] = {"motion": [], "region": []}
    print(f"{'clip':>5}{'enc./s':>8}{'HOTA':>8}{'IDF1':>7}{'switches':>9} with vectors:{'HOTA':>8}{'IDF1':>7}{'switches':>9}")
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        for index in range(options.clips):
            clip, truth, labels, rate = make_clip(folder, options.data, val, index, options.frames)
            found, result = folder / f"clip-{index}.txt", folder / "result.txt"
            if not found.exists():
                subprocess.run(
                    [tools / "region-dump", options.model, clip, str(WIDTH), str(HEIGHT), "1", labels, found], check=True
                )
            clip.unlink()
            line = f"{index:5}{rate:8.1f}"
            for name, extra in (("motion", []), ("region", ["--region"] + [f"--set={word}" for word in options.set])):
                subprocess.run([tools / "mot-run", "--fps", str(rate), *extra, found, result], check=True)
                got = mot_score.score(truth, mot_score.read(result))
                total[name].append(astuple(got))
                line += f"{got.hota:8.1f}{got.idf1:7.1f}{got.switches:9d}" + " " * (14 if name == "motion" else 0)
            print(line, flush=True)
    for name, rows in total.items():
        means = np.mean(rows, axis=0)
        print(
            f"{name}: HOTA {means[0]:.1f}, IDF1 {means[1]:.1f}, MOTA {means[2]:.1f}, {int(np.sum([row[3] for row in rows]))} switches"
        )
    if not all(math.isfinite(value) for rows in total.values() for row in rows for value in row):
        raise SystemExit("a clip without objects")


if __name__ == "__main__":
    main()
