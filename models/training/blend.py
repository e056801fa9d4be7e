# SPDX-License-Identifier: LGPL-2.1-or-later
"""A general decoder between two checkpoints of one region part: before and after a stage that went too far (2203.05482).

    python -m models.training.blend --before regions/last.pt --after refine/last.pt --share 0.25 --out blend.pt
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor

from .export import average_state
from .stages import of_decoder


def blend(before: dict[str, Tensor], after: dict[str, Tensor], share: float) -> dict[str, Tensor]:
    """@share of `after`'s decoder, the rest `before`'s; all else is `after`'s."""
    wrong = [k for k, v in after.items() if k not in before or before[k].shape != v.shape]
    if wrong:
        raise ValueError(f"{wrong[0]} is not in both checkpoints in one shape, and {len(wrong) - 1} others: they are not of one network")
    return {k: torch.lerp(before[k], v, share) if of_decoder(k) and v.is_floating_point() else v for k, v in after.items()}


def started_from(trained: Path, heads: Path | None) -> dict[str, Tensor]:
    """A checkpoint's average weights; or a model directory's with the `heads` that only training needs."""
    state = average_state(trained)
    return {**state, **{f"heads.{k}": v.float() for k, v in load_file(heads).items()}} if heads else state


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--before", type=Path, required=True, help="checkpoint, or model directory, that the stage started from")
    parser.add_argument("--heads", type=Path, help="of a model directory: what only training needs (as of train.py)")
    parser.add_argument("--after", type=Path, required=True, help="checkpoint that it ended with")
    parser.add_argument("--share", type=float, required=True, help="of `after`, 0 to 1")
    parser.add_argument("--out", type=Path, required=True, help="checkpoint for export.py")
    o = parser.parse_args()
    if not 0 <= o.share <= 1:
        parser.error(f"--share {o.share}: expected 0 (all before) to 1 (all after)")
    try:
        state = blend(started_from(o.before, o.heads), average_state(o.after), o.share)
    except ValueError as error:
        parser.error(f"{o.before}, {o.after}: {error}")
    torch.save({"trainee": state, "average": {}}, o.out)


if __name__ == "__main__":
    main()
