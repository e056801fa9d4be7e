# SPDX-License-Identifier: LGPL-2.1-or-later
"""How long the image side takes in PyTorch: `python3 -m models.reference.speed DIR WIDTH HEIGHT [THREADS]`, best and median milliseconds
of processor time.

`tests/bench` calls it to put the engine's time beside that of the same weights in PyTorch, in the same run.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from pathlib import Path

import torch
from torch import Tensor

from .config import Config
from .model import UniPerceiver

TYPES = {"F32": torch.float32, "F16": torch.float16, "I32": torch.int32}


def read_safetensors(path: Path) -> dict[str, Tensor]:
    """The tensors of a file; without the safetensors package, which Debian does not have."""
    data = bytearray(path.read_bytes())
    size = int.from_bytes(data[:8], "little")
    tensors = {}
    for name, entry in json.loads(data[8 : 8 + size]).items():
        if name == "__metadata__":
            continue
        kind = TYPES[entry["dtype"]]
        begin, end = entry["data_offsets"]
        flat = torch.frombuffer(data, dtype=torch.uint8, count=end - begin, offset=8 + size + begin).clone().view(kind)
        tensors[name] = flat.reshape(entry["shape"])
    return tensors


@torch.no_grad()
def main() -> None:
    directory, width, height = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    torch.set_num_threads(int(sys.argv[4]) if len(sys.argv) > 4 else 1)
    state = read_safetensors(directory / "model.safetensors")
    state.update(read_safetensors(directory / "text_encoder.safetensors"))
    model = UniPerceiver(Config.load(directory), len(state["caption.token_ids"]))
    model.load_state_dict({k: v if k == "caption.token_ids" else v.float() for k, v in state.items()})
    model.eval()
    image = torch.rand(1, 3, height, width) * 2 - 1
    times = []
    for i in range(25):
        start = time.thread_time()
        model.image(model.regions(image))
        if i >= 5:
            times.append(1000 * (time.thread_time() - start))
    print(f"{min(times):.3f} {statistics.median(times):.3f} {torch.__version__}")


if __name__ == "__main__":
    main()
