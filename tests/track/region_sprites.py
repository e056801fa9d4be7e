# SPDX-License-Identifier: LGPL-2.1-or-later
"""Cut-outs of COCO-format photographs for region_clips.py: objects that a model finds where they stand alone.

Masks are the data's where it has some, otherwise GrabCut's within the box. Development only, as mot_score.py.
"""

import json
import random
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

WIDTH, HEIGHT = 640, 384
LABELS = ("person", "dog", "car", "bird", "sheep")
MOST_OF_A_LABEL = 40
MOST_SCENES = 40  # that are looked at
HEIGHTS = (130, 210)  # a cut-out is tried at each


@dataclass
class Sprite:
    """Colours and how much of them shows."""

    label: str
    pixels: NDArray[np.float32]  # [height, width, 3]
    alpha: NDArray[np.float32]  # [height, width, 1]


def mask_of(annotation: dict[str, Any], picture: NDArray[np.uint8]) -> NDArray[np.float32] | None:
    """Where the object is in its photograph, 0 or 1."""
    segmentation = annotation.get("segmentation")
    mask = np.zeros(picture.shape[:2], np.uint8)
    if isinstance(segmentation, list) and segmentation:
        polygons = [np.array(polygon, np.float32).reshape(-1, 2).round().astype(np.int32) for polygon in segmentation]
        cv2.fillPoly(mask, polygons, (1,))
    elif isinstance(segmentation, dict):
        counts = segmentation["counts"]
        runs = np.repeat(np.arange(len(counts)) % 2, counts).astype(np.uint8)
        mask = runs.reshape(segmentation["size"][::-1]).T
    else:
        box = tuple(round(value) for value in annotation["bbox"])
        try:
            cv2.setRNGSeed(1)
            cv2.grabCut(picture, mask, box, np.zeros((1, 65)), np.zeros((1, 65)), 4, cv2.GC_INIT_WITH_RECT)
        except cv2.error:  # a box that is the whole picture
            return None
        mask = (mask & 1).astype(np.uint8)
    x, y, w, h = (round(value) for value in annotation["bbox"])
    inside = mask[y : y + h, x : x + w]
    if mask.shape != picture.shape[:2] or not 0.25 < inside.mean() < 0.95:
        return None
    return mask.astype(np.float32)


def cut_out(picture: NDArray[np.uint8], mask: NDArray[np.float32], box: list[float], label: str, height: int) -> Sprite:
    """Scaled to a height."""
    x, y, w, h = (round(value) for value in box)
    size = (max(8, round(w * height / h)), height)
    pixels = cv2.resize(picture[y : y + h, x : x + w], size, interpolation=cv2.INTER_AREA)
    soft = cv2.GaussianBlur(cv2.resize(mask[y : y + h, x : x + w], size, interpolation=cv2.INTER_LINEAR), (3, 3), 0)
    return Sprite(label, pixels[:, :, ::-1].astype(np.float32), soft[:, :, None])


def paste(canvas: NDArray[np.float32], sprite: Sprite, x: int, y: int) -> tuple[tuple[slice, slice], NDArray[np.bool_]] | None:
    """Where it is in the canvas, and what of that it covers."""
    height, width = sprite.pixels.shape[:2]
    left, top, right, bottom = max(x, 0), max(y, 0), min(x + width, WIDTH), min(y + height, HEIGHT)
    if left >= right or top >= bottom:
        return None
    part = (slice(top - y, bottom - y), slice(left - x, right - x))
    there = (slice(top, bottom), slice(left, right))
    alpha = sprite.alpha[part]
    canvas[there] = alpha * sprite.pixels[part] + (1 - alpha) * canvas[there]
    return there, alpha[:, :, 0] > 0.5


def find(build: Path, model: str, frames: list[NDArray[np.float32]], labels: str, folder: Path) -> list[list[list[str]]]:
    """What the model finds in each: words of region-dump's lines."""
    clip, found = folder / "alone.rgb", folder / "alone.txt"
    with clip.open("wb") as file:
        for frame in frames:
            file.write(frame.astype(np.uint8).tobytes())
    tool = build / "tests" / "track" / "region-dump"
    subprocess.run([tool, model, clip, str(WIDTH), str(HEIGHT), "1", labels, found], check=True)
    rows: list[list[list[str]]] = [[] for _ in frames]
    for line in found.read_text().splitlines():
        words = line.split(",")
        if float(words[6]) >= float(words[8]):
            rows[int(words[0]) - 1].append(words)
    clip.unlink()
    return rows


def calm_scenes(build: Path, model: str, data: Path, folder: Path) -> list[NDArray[np.float32]]:
    """Photographs in which the model finds nothing."""
    val = json.loads((data / "val.json").read_text())
    busy = {annotation["image_id"] for annotation in val["annotations"]}
    scenes = []
    for image in val["images"]:
        if image["id"] not in busy and len(scenes) < MOST_SCENES:
            picture = cv2.imread(str(data / image["file_name"]))
            half = picture[: max(picture.shape[0] // 2, 120)]  # sky, walls, trees rather than who stands before them
            blurred = cv2.GaussianBlur(cv2.resize(half, (WIDTH, HEIGHT)), (0, 0), 2)
            scenes.append(blurred[:, :, ::-1].astype(np.float32))
    found = find(build, model, scenes, ",".join(LABELS), folder)
    return [scene for scene, rows in zip(scenes, found) if not rows]


def clear_sprites(
    build: Path, model: str, data: Path, scenes: list[NDArray[np.float32]], folder: Path
) -> dict[str, list[list[Sprite]]]:
    """By label: of each object those sizes at which the model finds it, whole and under its label."""
    val = json.loads((data / "val.json").read_text())
    names = {category["id"]: category["name"] for category in val["categories"]}
    images = {image["id"]: image for image in val["images"]}
    random_ = random.Random(7)
    result: dict[str, list[list[Sprite]]] = {}
    for label in LABELS:
        choice = [a for a in val["annotations"] if names[a["category_id"]] == label and a["bbox"][3] >= 90]
        choice = [a for a in choice if a["bbox"][2] >= 40 and not a.get("iscrowd") and not a.get("ignore")]
        choice.sort(key=lambda a: "segmentation" not in a)
        sprites, frames, places = [], [], []
        for annotation in choice[:MOST_OF_A_LABEL]:
            picture = cv2.imread(str(data / images[annotation["image_id"]]["file_name"]))
            mask = mask_of(annotation, picture)
            for height in HEIGHTS if mask is not None else ():
                sprite = cut_out(picture, mask, annotation["bbox"], label, height)
                if sprite.pixels.shape[1] > 0.35 * WIDTH:
                    continue
                canvas = random_.choice(scenes).copy()
                x, y = random_.randrange(WIDTH - sprite.pixels.shape[1]), HEIGHT - height - 10
                paste(canvas, sprite, x, y)
                ys, xs = np.nonzero(sprite.alpha[:, :, 0] > 0.5)
                places.append((x + xs.min(), y + ys.min(), np.ptp(xs) + 1, np.ptp(ys) + 1))
                frames.append(canvas)
                sprites.append((annotation["id"], sprite))
        found = find(build, model, frames, ",".join(LABELS), folder)
        clear: dict[int, list[Sprite]] = {}
        for k, (number, sprite) in enumerate(sprites):
            if alone(found[k], label, places[k]):
                clear.setdefault(number, []).append(sprite)
        result[label] = list(clear.values())
        print(f"{label}: {len(result[label])} of {len({number for number, _ in sprites})} objects are found alone", flush=True)
    return result


def alone(rows: list[list[str]], label: str, place: tuple[int, int, int, int]) -> bool:
    """Whether that, and nothing else, was found there."""
    if len(rows) != 1 or rows[0][7] != label:
        return False
    x, y, w, h = (float(word) for word in rows[0][2:6])
    across = min(x + w, place[0] + place[2]) - max(x, place[0])
    down = min(y + h, place[1] + place[3]) - max(y, place[1])
    shared = max(across, 0) * max(down, 0)
    return shared / (w * h + place[2] * place[3] - shared) >= 0.7
