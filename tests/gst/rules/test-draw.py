#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""upi-rules-draw writes a picture of a clip's frame, or says what hinders it: test-draw.py PROGRAM RULES CLIP"""

import pathlib
import struct
import subprocess
import sys
import tempfile


def run(*command: object) -> tuple[int, str]:
    done = subprocess.run([str(word) for word in command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=120)
    return done.returncode, done.stderr.decode("utf-8", "replace")


def main(program: str, rules: str, clip: str) -> int:
    checks = {}
    with tempfile.TemporaryDirectory() as folder:
        picture, broken = pathlib.Path(folder, "out.png"), pathlib.Path(folder, "broken.json")
        broken.write_text('{"rules": {\n"a": 1}}', encoding="utf-8")
        status, _ = run(program, rules, clip, picture)
        head = picture.read_bytes()[:24] if picture.exists() else b""
        checks["a picture of the clip's size"] = status == 0 and head[:8] == b"\x89PNG\r\n\x1a\n" and struct.unpack(">II", head[16:]) == (768, 576)
        first = picture.read_bytes() if picture.exists() else b""
        status, _ = run(program, "--at=2", rules, clip, picture)
        checks["of another frame"] = status == 0 and picture.read_bytes() != first
        for name, words, arguments in (
            ("broken rules", f"{broken}:2: rules.a: found 1", (broken, clip, picture)),
            ("no clip", "/nowhere/clip.webm: no frame of it can be decoded", (rules, "/nowhere/clip.webm", picture)),
            ("a clip that is none", "no frame of it can be decoded", (rules, rules, picture)),
            ("no place for the picture", "/nowhere/out.png: the picture cannot be written", (rules, clip, "/nowhere/out.png")),
        ):
            status, said = run(program, *arguments)
            checks[name] = status == 1 and words in said
        status, said = run(program, rules)
        checks["one file alone"] = status == 2 and "expected RULES, CLIP" in said
    for number, (name, good) in enumerate(checks.items(), 1):
        print(f"{'' if good else 'not '}ok {number} {name}")
    print(f"1..{len(checks)}")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:4]))
