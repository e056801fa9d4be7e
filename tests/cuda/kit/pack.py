# SPDX-License-Identifier: LGPL-2.1-or-later
"""`on-gpu pack`: builds here, and puts into build-gpu/kit what a bare machine needs beside the checkout: programs, the module,
GLib, the text encoder. Every way out of it but being told to stay leaves the checkout as it was."""

import dataclasses
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tarfile

from . import encoder
from .checkout import Checkout, KitError, Light, mebibytes
from .parts import PROGRAMS, PROGRAMS_FILE

NVIDIA = re.compile(r"libcu|libnv")
# older ones than the machine's would not do
SYSTEM = re.compile(r"(ld-linux|linux-vdso|libc\.so|libm\.so|libdl\.so|librt\.so|libpthread\.so)")
COMPILER = re.compile(r"(libstdc\+\+|libgcc_s)")  # only where a machine has none
TEXTS = (
    "tests/golden/nano.json",
    "tests/golden/nano-detections.json",
    "models/nano/config.json",
    "tests/core/network/test-golden-nano.c",
)
CHECKED = ["-p", "/golden-nano/cpu/texts"]


@dataclasses.dataclass
class Options:
    """How to pack."""

    limit: int  # bytes that may travel
    archs: str
    build: pathlib.Path | None = None  # that somebody else keeps; None: build-gpu/build, configured and built here
    module: pathlib.Path | None = None
    jobs: int = 0
    stay: bool = False
    check: bool = True
    command: list[str] = dataclasses.field(default_factory=list)


def call(command: list[str], why: str) -> None:
    try:
        status = subprocess.run(command, stdin=subprocess.DEVNULL).returncode
    except OSError as error:
        raise KitError(f"{why}: {error}") from error
    if status != 0:
        raise KitError(f"{why}: {' '.join(command[:4])} ended with status {status}")


def build(root: pathlib.Path, folder: pathlib.Path, options: Options) -> None:
    if not (folder / "build.ninja").is_file():
        call(
            [
                "meson",
                "setup",
                str(folder),
                str(root),
                "-Dcuda=enabled",
                "-Dcuda-tests=false",
                "-Dgst=disabled",
                "-Donednn=disabled",
                "-Dbuildtype=release",
            ],
            "the build could not be configured",
        )
    call(["meson", "configure", str(folder), f"-Dcuda-archs={options.archs}"], "the architectures could not be set")
    jobs = ["-j", str(options.jobs)] if options.jobs else []
    call(["ninja", "-C", str(folder), *jobs, "core/libupi-cuda.so", *PROGRAMS.values()], "the build failed")


def dynamic(path: pathlib.Path) -> list[str]:
    """Names of the libraries that a file was linked with."""
    answer = subprocess.run(["readelf", "-d", str(path)], check=True, stdout=subprocess.PIPE, text=True)
    return re.findall(r"\(NEEDED\).*\[(.*)\]", answer.stdout)


def loaded(path: pathlib.Path) -> list[pathlib.Path]:
    """All that the loader brings along with it."""
    answer = subprocess.run(["ldd", str(path)], check=True, stdout=subprocess.PIPE, text=True)
    return [pathlib.Path(found) for found in re.findall(r"=> (/\S+)", answer.stdout)]


def copy(path: pathlib.Path, target: pathlib.Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(path, target)
    target.chmod(0o755)
    call(["strip", "--strip-unneeded", str(target)], f"{target} could not be stripped")


def collect(staging: pathlib.Path, built: pathlib.Path, module: pathlib.Path) -> None:
    programs = {name: built / place for name, place in PROGRAMS.items()}
    missing = [str(path) for path in [*programs.values(), module] if not path.is_file()]
    if missing:
        raise KitError(f"{', '.join(missing)}: not built")
    for name, path in programs.items():
        copy(path, staging / "bin" / name)
    copy(module, staging / "module" / "libupi-cuda.so")
    for path in {library for program in [*programs.values(), module] for library in loaded(program)}:
        if not SYSTEM.match(path.name) and not NVIDIA.match(path.name):
            copy(path, staging / ("lib-compiler" if COMPILER.match(path.name) else "lib") / path.name)


def archive(staging: pathlib.Path, target: pathlib.Path) -> None:
    """Programs that are linked with the same core hold the same bytes: together they are a fifth."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(target, "w:xz", preset=1) as file:
        for path in sorted(staging.iterdir()):
            file.add(path, path.name)


def describe(checkout: Checkout, module: pathlib.Path, options: Options) -> dict[str, object]:
    answer = subprocess.run(
        ["git", "-C", str(checkout.root), "log", "-1", "--format=%h of %cs"], capture_output=True, text=True
    )
    where = answer.stdout.strip() if answer.returncode == 0 else "no commit"
    changed = subprocess.run(
        ["git", "-C", str(checkout.root), "status", "--porcelain", "-uno"], capture_output=True, text=True
    ).stdout
    return {
        "description": f"commit {where}{', changed' if changed else ''}, kernels for {options.archs}",
        "needed": [name for name in dynamic(module) if NVIDIA.match(name)],
    }


def check_encoder(checkout: Checkout, program: pathlib.Path) -> None:
    """What travels of the text encoder gives the golden sentences."""
    nano = checkout.folder / "nano"
    shutil.rmtree(nano, ignore_errors=True)
    try:
        encoder.assemble(checkout.root / "models" / "nano", checkout.kit / "text_encoder.gz", nano)
        environment = {
            **os.environ,
            "UPI_TEST_NANO": str(nano),
            "UPI_TEST_GOLDEN": str(checkout.root / "tests" / "golden"),
            "UPI_TEST_BACKENDS": "cpu",
        }
        answer = subprocess.run(
            [str(program), *CHECKED], env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
    finally:
        shutil.rmtree(nano, ignore_errors=True)
    if answer.returncode != 0 or "\nok " not in answer.stdout:
        raise KitError(f"the text encoder as it was packed does not give the golden sentences:\n{answer.stdout[-2000:]}")


def make(checkout: Checkout, options: Options) -> None:
    """The kit itself."""
    staging = checkout.folder / "staging"
    built = options.build or checkout.folder / "build"
    module = options.module or built / "core" / "libupi-cuda.so"
    if options.build is None:
        build(checkout.root, built, options)
    for folder in (checkout.kit, staging):
        shutil.rmtree(folder, ignore_errors=True)
    collect(staging, built, module)
    archive(staging, checkout.kit / PROGRAMS_FILE)
    model = checkout.root / "models" / "nano"
    aside = checkout.aside / "models" / "nano" / "text_encoder.safetensors"
    source = aside if aside.is_file() else model / "text_encoder.safetensors"
    encoder.write(model, [checkout.root / text for text in TEXTS], source, checkout.kit / "text_encoder.gz")
    (checkout.kit / "manifest.json").write_text(json.dumps(describe(checkout, module, options), indent=1), encoding="utf-8")
    if options.check:
        check_encoder(checkout, staging / "bin" / "golden-nano")
    shutil.rmtree(staging)


def hold(checkout: Checkout, light: Light, options: Options) -> int:
    """The checkout is light: now it can go."""
    if options.command:
        status = subprocess.run(options.command, cwd=checkout.root).returncode
        print(f"{options.command[0]} ended with status {status}")
        return status
    if options.stay:
        light.stay = True
        print("The checkout stays light, git sees files as deleted: `tests/cuda/on-gpu restore` puts them back.")
    elif sys.stdin.isatty():
        input("The checkout is light while this waits. Send it, then press Enter: ")
    return 0


def pack(checkout: Checkout, options: Options) -> int:
    back = checkout.restore()
    if back:
        print(f"put back what an earlier run had left aside: {', '.join(back)}")
    shutil.rmtree(checkout.kit, ignore_errors=True)
    list_file = checkout.folder / "travels"
    list_file.unlink(missing_ok=True)
    unneeded = set(checkout.unneeded())
    checkout.check(options.limit, [name for name in checkout.travelling() if name not in unneeded])  # before anything is built
    checkout.folder.mkdir(exist_ok=True)
    with Light(checkout) as light:
        make(checkout, options)
        names = checkout.travelling()
        total = checkout.check(options.limit, names)
        list_file.write_text("\n".join(names) + "\n", encoding="utf-8")
        kit = checkout.size([name for name in names if name.startswith("build-gpu/")])
        print(
            f"{mebibytes(total)} travel: checkout and build-gpu/kit ({mebibytes(kit)})"
            f", listed in {list_file}\nOn the GPU's machine: tests/cuda/on-gpu run",
            flush=True,
        )
        return hold(checkout, light, options)
