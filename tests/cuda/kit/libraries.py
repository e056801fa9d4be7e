# SPDX-License-Identifier: LGPL-2.1-or-later
"""Where cuDNN, cuBLAS and the toolkit's programs are on this machine: in PyTorch's wheels, in a toolkit, where the
system keeps them."""

import dataclasses
import os
import pathlib
import re
import shutil
import subprocess
import sys

from .checkout import KitError

TITLES = {"libcudnn": "cuDNN", "libcublasLt": "cuBLAS", "libcublas": "cuBLAS", "libcudart": "the CUDA runtime"}
HELPERS = ("libnvrtc.so",)  # what cuDNN opens by itself, where it is there
VERSION = """
import ctypes, sys
f = getattr(ctypes.CDLL(sys.argv[1]), sys.argv[2])
f.restype = ctypes.c_size_t
print(f())
"""
ASKED = {"libcudnn": "cudnnGetVersion", "libcublasLt": "cublasLtGetVersion"}


@dataclasses.dataclass
class Found:
    """Libraries of one search."""

    folders: list[pathlib.Path] = dataclasses.field(default_factory=list)
    lines: list[str] = dataclasses.field(default_factory=list)


class Toolchain:
    """Folders to look in: those that somebody named, or else the usual ones."""

    def __init__(self, named: list[pathlib.Path]) -> None:
        self.named = named
        if named:
            missing = [str(folder) for folder in named if not folder.is_dir()]
            if missing:
                raise KitError(f"--toolchain {missing[0]}: expected a folder")
            self.places = [p for folder in named for p in [folder, *sorted(d for d in folder.rglob("*") if d.is_dir())]]
        else:
            self.places = [p for p in dict.fromkeys(self._usual()) if p.is_dir()]

    @staticmethod
    def _packages() -> list[pathlib.Path]:
        folders = [pathlib.Path(entry) for entry in sys.path if entry]
        for variable in ("VIRTUAL_ENV", "CONDA_PREFIX"):
            if os.environ.get(variable):
                folders += sorted(pathlib.Path(os.environ[variable]).glob("lib/python3*/site-packages"))
        for pattern in (
            "usr/local/lib/python3*/*-packages",
            "opt/*/lib/python3*/site-packages",
            "opt/*/*/lib/python3*/site-packages",
        ):
            folders += sorted(pathlib.Path("/").glob(pattern))
        return folders

    def _usual(self) -> list[pathlib.Path]:
        places = [pathlib.Path(p) for p in os.environ.get("LD_LIBRARY_PATH", "").split(":") if p]
        for packages in self._packages():
            places += (
                sorted(packages.glob("nvidia/*/lib")) + sorted(packages.glob("nvidia/*/bin")) + [packages / "torch" / "lib"]
            )
        for root in [pathlib.Path("/usr/local/cuda"), *sorted(pathlib.Path("/usr/local").glob("cuda-*"), reverse=True)]:
            places += [
                root / "lib64",
                root / "lib",
                root / "targets" / "x86_64-linux" / "lib",
                root / "bin",
                root / "compute-sanitizer",
            ]
        return places + [
            pathlib.Path("/usr/lib/x86_64-linux-gnu"),
            pathlib.Path("/usr/local/nvidia/lib64"),
            pathlib.Path("/usr/lib64"),
        ]

    def libraries(self, needed: list[str]) -> Found:
        """Folders with what the module needs, by the names it was linked with; an error says where it looked."""
        found = Found()
        problems = []
        for soname in needed:
            stem, _, major = soname.partition(".so.")
            title = TITLES.get(stem, stem)
            place = next((p for p in self.places if (p / soname).exists()), None)
            if place is not None:
                found.folders.append(place)
                found.lines.append(f"{title}: {place / soname}{self._version(stem, place / soname)}")
                continue
            others = sorted(
                {
                    str(path)
                    for p in self.places
                    for path in p.glob(f"{stem}.so.*")
                    if re.fullmatch(r"\d+", path.name.split(".so.")[1])
                }
            )
            if others:
                problems.append(
                    f"{title}: {', '.join(others)} has another major version than {major}, " + "which the kit was built with"
                )
            else:
                problems.append(f"{title}: {soname} was not found")
        if problems:
            looked = "\n".join(f"  {p}" for p in self.places) or "  nowhere: no usual folder exists"
            raise KitError(
                "\n".join(problems)
                + "\nLooked in:\n"
                + looked
                + "\nInstall that version (its Python wheel will do), name its folder with --toolchain, "
                + "or pack the kit against what is here."
            )
        for helper in HELPERS:
            found.folders += [p for p in self.places if p not in found.folders and any(p.glob(f"{helper}.*"))][:1]
        found.folders = list(dict.fromkeys(found.folders))
        return found

    @staticmethod
    def _version(stem: str, path: pathlib.Path) -> str:
        if stem not in ASKED:
            return ""
        try:
            answer = subprocess.run(
                [sys.executable, "-c", VERSION, str(path), ASKED[stem]], capture_output=True, text=True, timeout=30
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            return f" (does not tell its version: {error})"
        said = (answer.stdout if answer.returncode == 0 else answer.stderr).strip().split("\n")[-1]
        return f" (version {said})" if answer.returncode == 0 else f" (does not tell its version: {said})"

    def program(self, name: str) -> pathlib.Path | None:
        """A program of the toolkit."""
        for place in self.places:
            if os.access(place / name, os.X_OK) and (place / name).is_file():
                return place / name
        found = None if self.named else shutil.which(name)
        return pathlib.Path(found) if found else None
