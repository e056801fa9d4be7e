# SPDX-License-Identifier: LGPL-2.1-or-later
"""Swin in the engine, in ONNX Runtime and in OpenVINO: the same weights, in turns; milliseconds, and ratios.

    python -m models.reference.speed_swin build/tools/upi-dump [--size WxH ...] [--kind swin_t] [--threads N] [--rounds N]

Needs PyTorch, safetensors, onnx, onnxruntime and openvino (PyPI; for development alone). The engine's time is that of the part `backbone` of
`upi-dump --time`. Best of all rounds. With one thread each it is processor time, so that what else the machine does counts little; with
more it is the time that passes: on a quiet machine.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from .config import Config
from .model import UniPerceiver
from .swin import PUBLISHED

FIRST = Path(__file__).parents[1] / "tests" / "first.json"
RUNS = 3  # of a turn


def small_network(kind: str) -> UniPerceiver:
    """The backbone, and as little behind it as there can be."""
    sizes = PUBLISHED[kind]
    raw = json.loads(FIRST.read_text(encoding="utf-8"))
    raw.update({"format_version": 2, "d": 32, "heads": 4, "points": 1, "region_ffn": 32})
    raw["backbone"] = {
        "kind": "swin", "width": sizes.width, "depths": list(sizes.depths), "heads": list(sizes.heads), "window": sizes.window
    }  # fmt: skip
    raw["query"]["count"] = 5
    raw["mask"].update({"channels": 16, "groups": 4})
    raw["decoder"].update({"width": 32, "layers": 1, "heads": 2, "ffn": 48})
    raw["text"].update({"width": 24, "layers": 1, "heads": 2, "ffn": 32, "vocabulary": 50, "positions": 48})
    torch.manual_seed(0)
    model = UniPerceiver(Config.from_json(raw), 20).eval()
    model.caption.token_ids.copy_(torch.arange(10, 30))
    return model


def write(model: UniPerceiver, directory: Path) -> None:
    from safetensors.torch import save_file

    state = {k: v.contiguous() for k, v in model.state_dict().items()}
    save_file({k: v for k, v in state.items() if not k.startswith("text.")}, directory / "model.safetensors")
    save_file({k: v for k, v in state.items() if k.startswith("text.")}, directory / "text_encoder.safetensors")
    (directory / "config.json").write_text(json.dumps(model.config.raw), encoding="utf-8")
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *(f"w{i}" for i in range(46))]
    (directory / "vocab.txt").write_text("\n".join(words) + "\n", encoding="utf-8")


def engine(dump: Path, directory: Path, width: int, height: int, threads: int) -> float:
    text = subprocess.run(
        [dump, directory, "--time", "--device", "cpu", "--size", f"{width}x{height}", "--runs", str(RUNS), "--threads", str(threads)],
        check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip
    found = re.search(r"operations .*GMAC\s+(\d+) µs.*  backbone", text.split("── parts")[1])
    assert found, text
    return int(found[1]) / 1000


def timed(run: Callable[[], object], clock: Callable[[], float]) -> float:
    best = float("inf")
    for _ in range(RUNS):
        start = clock()
        run()
        best = min(best, 1000 * (clock() - start))
    return best


def others(model: UniPerceiver, x: torch.Tensor, folder: Path, threads: int) -> dict[str, Callable[[], object]]:
    import onnxruntime
    import openvino

    path = str(folder / f"{x.shape[3]}x{x.shape[2]}.onnx")
    with torch.no_grad():
        expected = model.backbone(x)[3].numpy()
        torch.onnx.export(model.backbone, (x,), path, opset_version=17, dynamo=False)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    feed = {session.get_inputs()[0].name: x.numpy()}
    compiled = openvino.Core().compile_model(
        path, "CPU", {"INFERENCE_NUM_THREADS": threads, "PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32"}
    )
    request, pixels = compiled.create_infer_request(), x.numpy()
    request.infer([pixels])
    for found in (session.run(None, feed)[3], request.get_output_tensor(3).data):
        assert np.abs(found - expected).max() < 1e-3 * max(1.0, float(np.abs(expected).max()))
    return {"onnxruntime": lambda: session.run(None, feed), "openvino": lambda: request.infer([pixels])}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dump", type=Path, help="upi-dump of the build to measure")
    parser.add_argument("--size", action="append", help="WxH; may be given several times")
    parser.add_argument("--kind", choices=list(PUBLISHED), default="swin_t")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=5)
    o = parser.parse_args()
    torch.set_num_threads(1)
    clock = time.process_time if o.threads == 1 else time.perf_counter
    model = small_network(o.kind)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write(model, folder)
        for size in o.size or ["224x224", "640x384"]:
            width, height = map(int, size.split("x"))
            rivals = others(model, torch.randn(1, 3, height, width), folder, o.threads)
            best = dict.fromkeys(("engine", *rivals), float("inf"))
            for _ in range(o.rounds):
                best["engine"] = min(best["engine"], engine(o.dump, folder, width, height, o.threads))
                for rival, run in rivals.items():
                    best[rival] = min(best[rival], timed(run, clock))
            ratios = ", ".join(f"{best['engine'] / best[r]:.2f} of {r}'s time ({best[r]:.1f} ms)" for r in rivals)
            print(f"{o.kind} {size}, {o.threads} threads: engine {best['engine']:.1f} ms, {ratios}")


if __name__ == "__main__":
    main()
