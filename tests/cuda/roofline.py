# SPDX-License-Identifier: LGPL-2.1-or-later
"""The table of core/backends/cuda/README.md: what each kernel moves and computes, and the bound that three cards set.

upi-dump MODEL [--size WxH] [--batch N] [--random] | roofline.py [BATCH]
"""

import re
import sys
from collections import defaultdict

# GB/s, TFLOP/s of float32, of 16 bits with tensor cores (dense): NVIDIA's data sheets (L4; A100 SXM 80 GB; H100 SXM)
CARDS = {"L4": (300, 30.3, 121), "A100": (2039, 19.5, 312), "H100": (3350, 67, 989)}
NODE_US = 1.5  # a kernel node of a graph, from the end of one to the start of the next: an assumption, to be measured


def elements(shape: str) -> int:
    count = 1
    for dim in re.findall(r"\d+", shape):
        count *= int(dim)
    return count


def kernel(name: str, inputs: list[str], rest: str) -> str:
    if name == "conv2d":
        weight = [int(d) for d in re.findall(r"\d+", inputs[1])]
        if weight[1] == 1 and re.search(r" g\d+", rest):
            return "depthwise"
        return "cuBLASLt" if weight[2:] == [1, 1] and " s2" not in rest else "cuDNN, own conv"
    return "cuBLASLt" if name in ("linear", "matmul") else name


def main(batch: int) -> None:
    moved: dict[str, int] = defaultdict(int)  # elements
    macs: dict[str, float] = defaultdict(float)
    count: dict[str, int] = defaultdict(int)
    operations: list[tuple[str, int, float]] = []
    for line in sys.stdin:
        match = re.match(r"\s*\d+ (\w+)\s+(\[[\d,]+\]).*?([\d.]+) GMAC\s+← (.*)", line)
        if not match:
            continue
        name, out, gmac, rest = match.groups()
        inputs = re.findall(r"\[[\d,]+\]", rest)
        n = elements(out) * (2 if "+residual" in rest else 1) + sum(elements(i) for i in inputs)
        if name in ("gather", "embed"):  # the rows that are chosen, not the table
            n = 2 * elements(out)
        key = kernel(name, inputs, rest)
        moved[key] += n
        macs[key] += float(gmac)
        count[key] += 1
        operations.append((key, n, float(gmac)))
    print("| kernel | launches | MB (f32) | GFLOP | FLOP/byte (f32) |\n|---|---|---|---|---|")
    for key in sorted(moved, key=lambda k: -moved[k]):
        megabytes, flop = moved[key] * 4e-6, 2 * macs[key]
        print(f"| {key} | {count[key]} | {megabytes:.2f} | {flop:.3f} | {flop * 1e3 / max(megabytes, 1e-9):.1f} |")
    print(f"| all | {len(operations)} | {sum(moved.values()) * 4e-6:.1f} | {2 * sum(macs.values()):.2f} | |\n")
    print("| card | numbers | memory bound | compute bound | per launch | ms a run | frames/s |\n|---|---|---|---|---|---|---|")
    for card, (bandwidth, single, tensor) in CARDS.items():
        for label, size, peak in (("f32", 4, single), ("f16", 2, tensor)):
            memory = compute = total = 0.0
            for key, n, gmac in operations:
                products = key.startswith("cu") or key == "attention"
                rate = peak if products and key != "attention" else single  # own kernels compute in float32
                by_memory, by_compute = n * size / bandwidth * 1e-3, 2 * gmac / rate * 1e3  # µs
                memory += by_memory
                compute += by_compute
                total += max(by_memory, by_compute, NODE_US)
            print(
                f"| {card} | {label} | {memory * 1e-3:.2f} ms | {compute * 1e-3:.2f} ms | {len(operations) * NODE_US * 1e-3:.2f} ms "
                f"| {total * 1e-3:.2f} | {batch * 1e6 / total:.0f} |"
            )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1)
