#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Holds lines of upijson against their schemas, which have to describe every member: check-lines.py FOLDER < LINES."""

import json
import pathlib
import sys
from typing import Any

import jsonschema


def close(schema: Any) -> None:
    """A member that the schema does not describe is allowed in lines to come, not in ours."""
    if isinstance(schema, dict):
        if "properties" in schema:
            schema["additionalProperties"] = False
        for value in schema.values():
            close(value)
    elif isinstance(schema, list):
        for value in schema:
            close(value)


def main() -> int:
    validators = {}
    for kind in ("frame", "event"):
        schema = json.loads((pathlib.Path(sys.argv[1]) / f"upi-{kind}-1.schema.json").read_text(encoding="utf-8"))
        close(schema)
        jsonschema.Draft202012Validator.check_schema(schema)
        validators[kind] = jsonschema.Draft202012Validator(schema)
    wrong = 0
    for number, text in enumerate(sys.stdin.buffer.read().decode("utf-8").split("\n")[:-1], 1):
        line = json.loads(text)
        for error in validators["event" if "event" in line else "frame"].iter_errors(line):
            print(f"line {number}: {error.json_path}: {error.message}", file=sys.stderr)
            wrong += 1
    return min(wrong, 1)


if __name__ == "__main__":
    sys.exit(main())
