# SPDX-License-Identifier: LGPL-2.1-or-later
"""What travels of a checkout, how much that is, and what is moved aside meanwhile.

Large files that the kit does not need lie under build-gpu/aside, each at its own path, for as long as the checkout must be
light. That folder is all the memory there is: what lies there belongs back, whoever left it there."""

import os
import pathlib
import signal
import subprocess
import types

KEPT = ("models/nano/model.safetensors",)  # large, and needed on the other machine
LARGE = 1 << 20
STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
NAMED = 10  # largest files that an error names


class KitError(Exception):
    """What a user is told, without a traceback."""


def mebibytes(size: int) -> str:
    return f"{size / (1 << 20):.1f} MiB"


def stopped(number: int, frame: types.FrameType | None) -> None:
    """A signal becomes an exception, so that what was begun is undone."""
    raise KeyboardInterrupt(signal.Signals(number).name)


def tree_files(folder: pathlib.Path) -> list[pathlib.Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file() or path.is_symlink())


class Checkout:
    """A working tree of git."""

    def __init__(self, root: pathlib.Path) -> None:
        self.root = root
        self.folder = root / "build-gpu"
        self.aside = self.folder / "aside"
        self.kit = self.folder / "kit"

    def _list(self, *arguments: str) -> list[str]:
        try:
            answer = subprocess.run(
                ["git", "-C", str(self.root), "ls-files", "-z", *arguments],
                check=True,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
        except (OSError, subprocess.CalledProcessError) as error:
            said = getattr(error, "stderr", None) or error
            raise KitError(f"{self.root}: expected a checkout of git, whose files could be listed: {said}") from error
        return [name for name in answer.stdout.split("\0") if name]

    def travelling(self) -> list[str]:
        """Files that go to the other machine: tracked ones, new ones that are not ignored, and the kit."""
        names = dict.fromkeys(self._list() + self._list("--others", "--exclude-standard"))
        here = [name for name in names if (self.root / name).is_file() or (self.root / name).is_symlink()]
        return here + [str(path.relative_to(self.root)) for path in tree_files(self.kit)]

    def size(self, names: list[str]) -> int:
        return sum((self.root / name).lstat().st_size for name in names)

    def unneeded(self) -> list[str]:
        """Large tracked files that no part of the kit reads."""
        found = []
        for name in self._list():
            path = self.root / name
            if name not in KEPT and path.is_file() and not path.is_symlink() and path.stat().st_size >= LARGE:
                found.append(name)
        return found

    def check(self, limit: int, names: list[str]) -> int:
        """The size of what travels; an error that names the largest of it, if that is too much."""
        total = self.size(names)
        if total > limit:
            largest = sorted(names, key=lambda name: -(self.root / name).lstat().st_size)[:NAMED]
            lines = [f"  {mebibytes((self.root / name).lstat().st_size):>10}  {name}" for name in largest]
            raise KitError(
                f"checkout and kit are {mebibytes(total)}, at most {mebibytes(limit)} can travel. The largest of it:\n"
                + "\n".join(lines)
                + "\nRemove or ignore what is yours among them; fewer --archs make a smaller kit."
            )
        return total

    def restore(self) -> list[str]:
        """Puts back what lies aside; also what a run left there that was killed."""
        back = []
        for path in tree_files(self.aside):
            name = path.relative_to(self.aside)
            target = self.root / name
            if target.exists():  # brought back by other hands, as by git checkout: theirs is the newer one
                if target.read_bytes() != path.read_bytes():
                    raise KitError(f"{target} is there again, and another one than {path}: keep one of them")
                path.unlink()
            else:
                target.parent.mkdir(parents=True, exist_ok=True)
                os.replace(path, target)
            back.append(str(name))
        for folder in sorted(self.aside.rglob("*"), reverse=True):
            folder.rmdir()
        if self.aside.is_dir():
            self.aside.rmdir()
        return back


class Light:
    """The checkout without its large files, for the length of a with block, or longer when it is told to stay."""

    def __init__(self, checkout: Checkout) -> None:
        self.checkout = checkout
        self.stay = False

    def __enter__(self) -> "Light":
        try:
            for name in self.checkout.unneeded():
                target = self.checkout.aside / name
                target.parent.mkdir(parents=True, exist_ok=True)
                os.replace(self.checkout.root / name, target)
        except BaseException:
            self.checkout.restore()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: types.TracebackType | None
    ) -> None:
        if kind is not None or not self.stay:
            for number in STOPPING:  # what puts back is not stopped
                signal.signal(number, signal.SIG_IGN)
            self.checkout.restore()
