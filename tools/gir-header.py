#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""A public header as g-ir-scanner reads it: gir-header.py HEADER [NAMES].

The comments here say what a thing is beside its name; the scanner wants that behind the parameters. NAMES: a regular expression
of the functions that languages other than C get; without: all. Structs, enumerations and callbacks stay."""

import pathlib
import re
import sys


def reorder(match: re.Match[str]) -> str:
    """`name: sentence`, @parameters, Returns → name:, parameters, sentence, Returns."""
    lines = [re.sub(r"^ \* ?", "", line) for line in match.group(0).splitlines()[1:-1]]
    name, _, sentence = lines[0].partition(":")
    parts: dict[str, list[str]] = {"says": [sentence.strip()], "parameters": [], "returns": []}
    part = "says"
    for line in lines[1:]:
        if line.startswith("@"):
            part = "parameters"
            names, _, rest = line.partition(":")
            # several in one line: @x, @y, @width: box
            parts[part] += [f"{one.strip()}:{rest}" for one in names.split(",")]
            continue
        if re.match(r"Returns?:", line):
            part = "returns"
        elif not line.strip():
            part = "says"
        parts[part].append(line)
    text = [f"{name}:", *parts["parameters"], "", *parts["says"], *([""] if parts["returns"] else []), *parts["returns"]]
    return "/**\n" + "".join(f" * {line}".rstrip() + "\n" for line in text) + " */"


def main() -> None:
    header = pathlib.Path(sys.argv[1])
    text = header.read_text(encoding="utf-8")

    def keep_include(match: re.Match[str]) -> str:  # those beside it are scanned with it
        folder = match.group(1)
        return match.group(0) if folder and not str(header.resolve().parent).endswith(f"/{folder}") else ""

    text = re.sub(r'^#include "(?:([\w/-]+)/)?[\w.-]+".*\n', keep_include, text, flags=re.MULTILINE)
    if len(sys.argv) > 2:
        wanted = re.compile(sys.argv[2])

        def keep_function(match: re.Match[str]) -> str:  # or drop it, with its comment
            return match.group(0) if wanted.fullmatch(match.group(1)) else ""

        function = r"(?:/\*\*(?:(?!\*/).)*\*/\n)?^(?:GST_)?UPI_API [^;]*?\b(\w+) \([^;]*;\n"
        text = re.sub(function, keep_function, text, flags=re.MULTILINE | re.DOTALL)
    sys.stdout.write(re.sub(r"/\*\*\n \* \w+:.*?\*/", reorder, text, flags=re.DOTALL))


if __name__ == "__main__":
    main()
