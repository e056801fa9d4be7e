# SPDX-License-Identifier: LGPL-2.1-or-later
"""What is run on a GPU, the most important first, and how long each may take. Parts of one group run at
once: none of them measures."""

import dataclasses
import pathlib

KINDS = {"f32": "cuda", "tf32": "cuda:tf32", "f16": "cuda:f16", "bf16": "cuda:bf16"}
PROGRAMS = {  # in the kit: where a build has it
    "parity": "tests/parity/parity",
    "golden-parts": "tests/core/network/test-golden",
    "golden-nano": "tests/core/network/test-golden-nano",
    "frames": "tests/cuda/test-cuda-frames",
    "frame-rate": "tests/cuda/frame-rate",
    "device-auto": "tests/core/engine/test-device-auto",
    "engine-results": "tests/core/tasks/test-engine-results",
    "engine-classify": "tests/core/tasks/test-engine-classify",
    "engine-grounded": "tests/core/tasks/test-engine-grounded",
    "engine-sizes": "tests/core/engine/test-engine-sizes",
    "engine-texts": "tests/core/tasks/test-engine-texts",
}
FIRST_PORT = 49152
PROGRAMS_FILE = "programs.tar.xz"
BATCHES = "1,8,32"
# Memory of others is theirs to check: our statuses are errors of ours already, and libraries probe.
MEMCHECK = ["--tool", "memcheck", "--report-api-errors", "no"]
# Shared memory of our own kernels alone (each has UpiCuda in its mangled name): libraries synchronise in ways that the tool
# takes for races.
RACECHECK = ["--tool", "racecheck", "--kernel-name", "kns=UpiCuda"]


@dataclasses.dataclass
class Part:
    """One program of the kit with its arguments."""

    name: str
    limit: int  # seconds
    program: str
    arguments: list[str] = dataclasses.field(default_factory=list)
    environment: dict[str, str] = dataclasses.field(default_factory=dict)
    group: str = ""
    tool: list[str] = dataclasses.field(default_factory=list)  # options of compute-sanitizer
    port: int = 0  # between compute-sanitizer and its program: several run at once
    figures: bool = False


def parts(root: pathlib.Path, nano: pathlib.Path, only: str, seconds: float) -> list[Part]:
    """All of them. `only`: parity cases with that text in their names; `seconds`: how long one frame rate is measured."""
    filtered = ["--filter", only] if only else []
    parity = {kind: ["--backend", device, *filtered] for kind, device in KINDS.items()}
    golden = {"UPI_TEST_GOLDEN": str(root / "tests" / "golden"), "UPI_TEST_NANO": str(nano), "UPI_TEST_BACKENDS": "cuda"}
    device = {"UPI_TEST_DEVICE": "cuda"}

    def rate(kind: str) -> Part:
        return Part(
            f"nano-{kind}",
            40,
            "frame-rate",
            ["--device", KINDS[kind], "--batch", BATCHES, "--seconds", str(seconds), str(nano)],
            figures=True,
        )

    def bench(kind: str) -> Part:
        return Part(f"bench-{kind}", 45, "parity", [*parity[kind], "--bench"], figures=True)

    def check(tool: str, options: list[str], kind: str, number: int) -> Part:
        return Part(
            f"{tool}-{kind}", 110, "parity", parity[kind], group="sanitizer", tool=options, port=FIRST_PORT + 64 * number
        )

    return [
        *(Part(f"parity-{kind}", 90, "parity", parity[kind], group="parity") for kind in KINDS),
        Part("golden-parts", 60, "golden-parts", environment=golden, group="golden"),
        Part("golden-nano", 60, "golden-nano", environment=golden, group="golden"),
        Part("frames", 60, "frames", group="golden"),
        Part("engine-results", 60, "engine-results", environment=device, group="golden"),
        rate("f32"),
        rate("f16"),
        *(check("memcheck", MEMCHECK, kind, number) for number, kind in enumerate(("f32", "f16"))),
        *(check("racecheck", RACECHECK, kind, number) for number, kind in enumerate(("f32", "f16"), 2)),
        bench("f32"),
        bench("f16"),
        Part(
            "base",
            90,
            "frame-rate",
            [
                "--device",
                "cuda:f16,cuda",
                "--batch",
                "1,8",
                "--seconds",
                str(seconds),
                "--random",
                str(root / "models" / "base" / "config.json"),
            ],
            figures=True,
        ),
        *(
            Part(name, 40, name, environment=device, group="engine")
            for name in PROGRAMS
            if name.startswith("engine-") and name != "engine-results"
        ),
        Part("device-auto", 40, "device-auto", group="engine"),
        bench("tf32"),
        bench("bf16"),
        rate("tf32"),
        rate("bf16"),
    ]
