# SPDX-License-Identifier: LGPL-2.1-or-later
"""`on-gpu run`: on the machine with the GPU. Parts by importance, each with its limit, all within one; one
report, whatever happens."""

import concurrent.futures
import ctypes
import datetime
import itertools
import json
import lzma
import os
import pathlib
import platform
import subprocess
import tarfile
import tempfile
import time

from . import encoder
from .cases import Cases, Outcome, run_figures, stop
from .checkout import KitError
from .libraries import Found, Toolchain
from .parts import PROGRAMS_FILE, Part, parts
from .report import Report

SANITIZER = "compute-sanitizer"
LEAST = 2.0  # seconds that are worth a start


class Run:
    """One run over a kit."""

    def __init__(
        self, root: pathlib.Path, kit: pathlib.Path, programs: pathlib.Path, toolchain: list[pathlib.Path], limit: float
    ) -> None:
        self.root, self.kit, self.programs, self.named = root, kit, programs, toolchain
        self.limit = limit
        self.end = time.monotonic() + limit
        self.environment: dict[str, str] = {}
        self.sanitizer: pathlib.Path | None = None

    def manifest(self) -> dict[str, object]:
        path = self.kit / "manifest.json"
        try:
            manifest: dict[str, object] = json.loads(path.read_text(encoding="utf-8"))
            return manifest
        except (OSError, ValueError) as error:
            raise KitError(f"{path}: expected what `on-gpu pack` writes: {error}") from error

    @staticmethod
    def machine() -> list[str]:
        lines = [
            datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
            f"{platform.platform()}, Python {platform.python_version()}, {os.cpu_count()} processors",
        ]
        try:
            answer = subprocess.run(
                [
                    "nvidia-smi",
                    "--query-gpu=name,driver_version,memory.total,clocks.max.sm,clocks.max.mem",
                    "--format=csv,noheader",
                ],
                capture_output=True,
                text=True,
                timeout=30,
            )
            said = (answer.stdout or answer.stderr).strip()
            lines += [f"GPU: {line}" for line in said.split("\n")] if answer.returncode == 0 else [f"nvidia-smi: {said}"]
        except (OSError, subprocess.TimeoutExpired) as error:
            lines.append(f"nvidia-smi: {error}")
        return lines

    def unpack(self) -> None:
        path = self.kit / PROGRAMS_FILE
        try:
            with tarfile.open(path) as file:
                if hasattr(tarfile, "data_filter"):
                    file.extraction_filter = tarfile.data_filter
                file.extractall(self.programs)
        except (OSError, tarfile.TarError, lzma.LZMAError) as error:
            raise KitError(f"{path}: expected the programs that `on-gpu pack` put there: {error}") from error

    def prepare(self, report: Report) -> None:
        """Programs, libraries, tools and the environment of all parts; KitError says what none can do without."""
        manifest = self.manifest()
        report.machine = [*self.machine(), f"kit: {manifest['description']}"]
        toolchain = Toolchain(self.named)
        self.sanitizer = toolchain.program(SANITIZER)
        report.machine.append(f"{SANITIZER}: {self.sanitizer or 'not found'}")
        needed = manifest["needed"]
        assert isinstance(needed, list)
        found: Found = toolchain.libraries(needed)
        report.machine += found.lines
        self.unpack()
        compiler: list[pathlib.Path] = []
        try:
            ctypes.CDLL("libstdc++.so.6")
        except OSError:
            compiler = [self.programs / "lib-compiler"]
        folders = [
            self.programs / "lib",
            *compiler,
            *found.folders,
            *filter(None, os.environ.get("LD_LIBRARY_PATH", "").split(":")),
        ]
        self.environment = {
            **os.environ,
            "LD_LIBRARY_PATH": ":".join(map(str, folders)),
            "UPI_BACKEND_PATH": str(self.programs / "module"),
            "G_SLICE": "always-malloc",
        }
        try:
            answer = subprocess.run(
                [str(self.programs / "bin" / "parity"), "--help"],
                env=self.environment,
                capture_output=True,
                text=True,
                timeout=60,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise KitError(f"the kit's programs do not start here: {error}") from error
        if answer.returncode != 0:
            raise KitError(f"the kit's programs do not start here: {(answer.stderr or answer.stdout).strip()}")

    def part(self, part: Part) -> Outcome:
        left = self.end - time.monotonic()
        if left < LEAST:
            return Outcome(missing=f"the {self.limit:.0f} s of the whole run were over")
        deadline = time.monotonic() + min(part.limit, left)
        command = [str(self.programs / "bin" / part.program), *part.arguments]
        environment = {**self.environment, **part.environment}
        wrapper: list[str] = []
        if part.tool:
            if self.sanitizer is None:
                return Outcome(missing=f"{SANITIZER} was not found")
            wrapper = [str(self.sanitizer), *part.tool, "--port", str(part.port)]
        try:
            return (
                run_figures(command, environment, deadline)
                if part.figures
                else Cases(command, wrapper, environment, deadline).run()
            )
        except OSError as error:
            return Outcome(missing=str(error)) if wrapper else Outcome(failures=[(part.program, [str(error)])])

    def all(self, report: Report) -> None:
        for _, group in itertools.groupby(report.planned, lambda part: part.group or part.name):
            together = list(group)
            with concurrent.futures.ThreadPoolExecutor(len(together)) as pool:
                try:
                    for part, outcome in zip(together, pool.map(self.part, together), strict=True):
                        report.done[part.name] = outcome
                        report.write()
                        print(
                            f"{part.name}: {outcome.word}, {outcome.passed} passed, {len(outcome.failures)} failed, "
                            + f"{outcome.seconds:.1f} s"
                            + (f" ({outcome.missing})" if outcome.missing else ""),
                            flush=True,
                        )
                except KeyboardInterrupt:
                    stop()
                    raise


def choose(planned: list[Part], wanted: list[str]) -> list[Part]:
    if not wanted:
        return planned
    unknown = [name for name in wanted if name not in [part.name for part in planned]]
    if unknown:
        raise KitError(f"there is no part {', '.join(unknown)}; they are: {', '.join(part.name for part in planned)}")
    return [part for part in planned if part.name in wanted]


def run(
    root: pathlib.Path,
    kit: pathlib.Path,
    path: pathlib.Path,
    toolchain: list[pathlib.Path],
    limit: float,
    wanted: list[str],
    only: str,
    seconds: float,
    limits: dict[str, int],
) -> int:
    """Exit status: 0, 1 if something failed, 2 if nothing could run, 130 if it was stopped."""
    with tempfile.TemporaryDirectory(prefix="upi-on-gpu-") as folder:
        nano = pathlib.Path(folder) / "nano"
        planned = choose(parts(root, nano, only, seconds), wanted)
        for part in planned:
            part.limit = limits.get(part.name, part.limit)
        report = Report(path, planned)
        status = 0
        this = Run(root, kit, pathlib.Path(folder) / "kit", toolchain, limit)
        try:
            this.prepare(report)
            encoder.assemble(root / "models" / "nano", kit / "text_encoder.gz", nano)
            this.all(report)
        except KitError as error:
            report.notes.append(str(error))
            print(error)
            status = 2
        except OSError as error:
            report.notes.append(f"the run ended: {error}")
            status = 2
        except KeyboardInterrupt:
            report.notes.append("the run was stopped before its end")
            status = 130
        report.write()
    print(f"{report.closing()}\n{path}")
    return status or (1 if report.failed else 0)
