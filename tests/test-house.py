#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Rules of the house that a compiler does not know: which files may say what."""

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
SOURCES = [path for folder in ("core", "gst", "tools") for path in sorted((ROOT / folder).rglob("*")) if path.suffix in (".c", ".h", ".cu")]

# what is said, where it may be, why
RULES = [
    ("processor", r"__builtin_cpu|__get_cpuid|<cpuid\.h>|getauxval", r"core/processor\.c", "what the processor can do is asked in one file"),
    ("hooks", r"#include .*engine-testing\.h", r"core/engine/engine-testing\.c", "hooks for tests are in no library"),
    ("core", r"#include [<\"]gst/", r"(gst|tools)/.*", "the core knows no GStreamer"),
    ("program", r"#include \"core/backends/", r"(core/(backends|engine|tasks)|tools)/.*", "program/ and network/ know no backend"),
    ("network", r"#include \"core/network/", r"core/(network/.*|model/model-private\.h)", "opening a model alone knows the parts"),
    ("model", r"#include \"core/model/", r"(core/(model|network|engine|tasks)|tools)/.*", "backends know operations, never a model"),
    ("engine", r"#include \"core/engine/", r"core/(engine|tasks)/.*", "what an engine is made of does not know it"),
    ("tasks", r"#include \"core/tasks/", r"core/tasks/.*", "an engine runs tasks that it does not know"),
    ("elements", r"#include \"core/(?!upi\.h)", r"(core|tools)/.*", "elements know the core by upi.h alone"),
]

LICENCE = "SPDX-License-Identifier: LGPL-2.1-or-later"
FOREIGN = ("tests/abi/0.1/", "tests/fuzz/seeds/", "tests/golden/")  # stored as they were, or no sources


def is_source(path: pathlib.Path) -> bool:
    if path.suffix == "":
        with path.open("rb") as file:
            return file.read(2) == b"#!"
    return path.suffix in (".c", ".h", ".cc", ".cu", ".def", ".py", ".sh") or path.name in ("meson.build", "meson_options.txt")


def without_licence() -> list[str]:
    """Sources and scripts whose first lines do not name the licence."""
    paths = [path for path in ROOT.iterdir() if path.is_file()]
    for folder in (".ci", "core", "gst", "models", "pipelines", "tests", "tools"):
        paths += (path for path in (ROOT / folder).rglob("*") if path.is_file() and not path.is_symlink())
    names = sorted(str(path.relative_to(ROOT)) for path in paths if "__pycache__" not in path.parts and is_source(path))
    names = [name for name in names if not name.startswith(FOREIGN)]
    if len(names) < 300:
        return ["few sources: the rule looks in the wrong place"]
    return [name for name in names if LICENCE not in "".join((ROOT / name).read_text(encoding="utf-8").splitlines(True)[:3])]


def without_comment() -> list[str]:
    """Functions that a library exports and no GTK-Doc comment of its header describes."""
    functions: list[str] = []
    described: set[str] = set()
    for path in SOURCES:
        if path.suffix == ".h" and not path.name.endswith("-testing.h"):  # hooks for tests are in no library
            text = path.read_text(encoding="utf-8")
            functions += re.findall(r"^(?:GST_)?UPI_API [^;(]*?(\w+) \(", text, re.MULTILINE)
            described |= set(re.findall(r"/\*\*\n \* (\w+):", text))
    if len(functions) < 70:
        return ["few functions: the rule looks for the wrong thing"]
    return [name for name in functions if name not in described]


# name, what breaks it, why
LISTS = [
    ("licence", without_licence, f"a source or script begins with {LICENCE}"),
    ("comments", without_comment, "a public function has a GTK-Doc comment in its header"),
]


def broken(pattern: str, allowed: str) -> list[str]:
    """Files that say what only others may."""
    said = [str(path.relative_to(ROOT)) for path in SOURCES if re.search(pattern, path.read_text(encoding="utf-8"))]
    return [path for path in said if not re.fullmatch(allowed, path)] if said else ["no file: the rule looks for the wrong thing"]


def main() -> int:
    results = [(name, broken(pattern, allowed), why) for name, pattern, allowed, why in RULES]
    results += [(name, find(), why) for name, find, why in LISTS]
    print(f"1..{len(results)}")
    for number, (name, wrong, why) in enumerate(results, 1):
        print(f"{'not ok' if wrong else 'ok'} {number} /house/{name}")
        for what in wrong:
            print(f"# {what}: {why}")
    return sum(bool(wrong) for _, wrong, _ in results)


if __name__ == "__main__":
    sys.exit(main())
