#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Installed libraries export what their headers declare, all of it and nothing more; the plugin what GStreamer looks for.

usage: test-symbols.py nm LIBUPI core/upi.h … LIBGSTUPIMETA gst/meta/gstupimeta.h … PLUGIN
"""

import re
import subprocess
import sys


def exported(nm: str, library: str) -> set[str]:
    """Names of the symbols that a library defines for others; those of the tool chain (a sanitizer's, the linker's) begin with underscores."""
    lines = subprocess.run([nm, "-D", "--defined-only", library], check=True, capture_output=True, text=True).stdout.splitlines()
    return {line.split()[-1].split("@")[0] for line in lines if line and not line.split()[-1].startswith("_")}


def declared(headers: list[str]) -> set[str]:
    """Names of the functions that headers export."""
    text = ""
    for header in headers:
        with open(header, encoding="utf-8") as file:
            text += re.sub(r"/\*.*?\*/", "", file.read(), flags=re.S)
    return set(re.findall(r"^(?:GST_)?UPI_API\s[^;(]*?\b(\w+) \(", text, flags=re.M))


def main() -> int:
    nm, *arguments = sys.argv[1:]
    libupi, libmeta, plugin = (path for path in arguments if not path.endswith(".h"))
    second = arguments.index(libmeta)
    cases = [
        ("libupi", exported(nm, libupi), declared(arguments[1:second])),
        ("libgstupimeta", exported(nm, libmeta), declared(arguments[second + 1 : -1])),
        ("plugin", exported(nm, plugin), {"gst_plugin_upi_get_desc", "gst_plugin_upi_register"}),
    ]
    print(f"1..{len(cases)}")
    failed = 0
    for number, (name, found, expected) in enumerate(cases, 1):
        wrong = [f"{symbol} is exported and in no header" for symbol in sorted(found - expected)]
        wrong += [f"{symbol} is declared and not exported" for symbol in sorted(expected - found)]
        if len(expected) < 2:
            wrong.append("no declaration was found")
        failed += bool(wrong)
        print(f"{'not ok' if wrong else 'ok'} {number} /abi/symbols/{name}: {len(expected)}")
        for text in wrong:
            print(f"# {text}")
    return failed


if __name__ == "__main__":
    sys.exit(main())
