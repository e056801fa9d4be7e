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
    ("elements", r"#include \"core/(?!upi\.h)", r"(core|tools)/.*", "elements know the core by upi.h alone"),
]


def main() -> int:
    failed = 0
    print(f"1..{len(RULES)}")
    for number, (name, pattern, allowed, why) in enumerate(RULES, 1):
        said = [str(path.relative_to(ROOT)) for path in SOURCES if re.search(pattern, path.read_text(encoding="utf-8"))]
        wrong = [path for path in said if not re.fullmatch(allowed, path)]
        if not said:
            wrong = ["no file: the rule looks for the wrong thing"]
        failed += bool(wrong)
        print(f"{'not ok' if wrong else 'ok'} {number} /house/{name}")
        for path in wrong:
            print(f"# {path}: {why}")
    return failed


if __name__ == "__main__":
    sys.exit(main())
