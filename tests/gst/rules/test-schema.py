#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Rules files, good ones and broken ones, made by a table: the reader in C and the schema give the same verdict on each.

usage: test-schema.py READ-RULES SCHEMA EXAMPLES"""

import copy
import json
import pathlib
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from typing import Any

import jsonschema

ZONE = {"type": "zone", "polygon": [[0.1, 0.1], [0.9, 0.1], [0.9, 0.9]]}
LINE = {"type": "line", "points": [[0, 0.5], [1, 0.5]]}
COUNT = {"type": "count", "above": 3}
PHRASE = {"type": "phrase", "text": "smoke rises from a building"}
KINDS = {"zone": ZONE, "line": LINE, "count": COUNT, "phrase": PHRASE}
OBJECTS = ("zone", "line", "count")

# key, rules that have it, values that are good, values that are not
TABLE: list[tuple[str, tuple[str, ...], list[Any], list[Any]]] = [
    ("labels", OBJECTS, [["person"], ["person", "red car"], ["größe"]], [[], [""], "person", [1], ["a", "a"], None, ["x" * 1001], ["a\0"]]),
    ("min_score", OBJECTS, [0, 0.5, 1, 1.0, 5e-1], [-0.1, 1.5, "0.5", True, None, [0.5]]),
    ("min_area", OBJECTS, [0.01], [-1e-9, 2]),
    ("min_time", tuple(KINDS), [0, 2.5, 86400], [-1, 86401, "2 s", False]),
    ("cooldown", tuple(KINDS), [60], [-1, 1e400]),
    ("polygon", ("zone",), [[[0, 0], [1, 0], [1, 1], [0, 1]]],
        [[[0, 0], [1, 1]], [[0, 0], [1, 0], [1, 2]], [[0, 0], [1, 0], [0, 0.0]], [[0, 0], [1, 0], [1]], [0, 1, 2], {}, [[0, 0], [1, 0], [1, True]],
         [[i / 200, i * i / 40000] for i in range(101)], [[0, 0], [1, 0], [1, 1, 0]]]),
    ("points", ("line",), [[[0, 0], [1, 1]]], [[[0, 0]], [[0, 0], [1, 1], [1, 0]], [[0.5, 0.5], [0.5, 0.5]], [[0, 0], ["1", 1]]]),
    ("dwell", ("zone",), [0.1, 86400], [0, -1, "long"]),
    ("above", ("zone", "count"), [0, 3, 3.0], [-1, 0.5, 1000001, "3", True]),
    ("below", ("zone", "count"), [1, 7], [0, 1.5]),
    ("mode", ("line",), ["loose", "balanced", "strict"], ["Strict", "", 1]),
    ("direction", ("line",), ["both", "forward", "backward"], ["left", None]),
    ("text", ("phrase",), ["a", "é" * 1000], ["", "é" * 1001, 5, "\0"]),
    ("threshold", ("phrase",), [0, 0.7, 1], [1.01, -0.5, "high"]),
    ("comment", tuple(KINDS), ["", "the gate"], [1, None, "\0"]),
    ("type", tuple(KINDS), [], ["Zone", "", 0, None, "area"]),
    ("colour", (), [], ["red"]),
]

# whole texts: the keys around the rules, and JSON itself
GOOD_TEXTS = [
    '{"version": 1, "lost_time": 0, "comment": "x", "$schema": "rules.schema.json", "rules": {"a b": {"type": "count"}}}',
    ' {"rules":{"\\u00e9\\ud83d\\ude00":{"type":"phrase","text":"\\"\\\\\\/\\b\\f\\n\\r\\t"}}}\r\n\t',
    '{"rules": {"' + "n" * 64 + '": {"type": "count", "above": 1E+2, "min_score": 0.0e-1}}, "version": 1.0}',
]
BROKEN_TEXTS = [
    "", " ", "{", "[]", "null", '"rules"', "{}", '{"rules": {}}', '{"rules": []}', '{"rules": {"a": {}}}', '{"rules": {"a": []}}', '{"rules": {"a": null}}',
    '{"rules": {"": {"type": "count"}}}', '{"rules": {"a\\u0000b": {"type": "count"}}}', '{"rules": {"' + "n" * 65 + '": {"type": "count"}}}',
    '{"rules": {"a": {"type": "count"}}, "version": 2}', '{"rules": {"a": {"type": "count"}}, "version": "1"}',
    '{"rules": {"a": {"type": "count"}}, "version": true}', '{"rules": {"a": {"type": "count"}}, "lost_time": -1}',
    '{"rules": {"a": {"type": "count"}}, "rule": 1}', '{"rules": {"a": {"type": "count"}}, "comment": 1}',
    '{"rules": {"a": {"type": "count"}, "a": {"type": "count"}}}', '{"rules": {"a": {"type": "count", "above": 1, "above": 2}}}',
    '{"rules": {"a": {"type": "count"}}} {}', '{"rules": {"a": {"type": "count"}},}', '{"rules": {"a": {"type": "count",}}}',
    '{"rules": {"a": {"type": "count"}} // x\n}', '{"rules": {"a": {"type": "count"}} /* x */}', "{'rules': {'a': {'type': 'count'}}}",
    '{rules: {"a": {"type": "count"}}}', '{"rules": {"a": {"type": "count", "above": 01}}}', '{"rules": {"a": {"type": "count", "above": +1}}}',
    '{"rules": {"a": {"type": "count", "above": 1.}}}', '{"rules": {"a": {"type": "count", "above": .5}}}',
    '{"rules": {"a": {"type": "count", "above": 0x1}}}', '{"rules": {"a": {"type": "count", "min_score": NaN}}}',
    '{"rules": {"a": {"type": "count", "min_time": Infinity}}}', '{"rules": {"a": {"type": "count", "above": 1e}}}',
    '{"rules": {"a": {"type": "count"}}', '{"rules": {"a" {"type": "count"}}}', '{"rules": {"a": {"type": "count" "above": 1}}}',
    '{"rules": {"a": {"type": "co\nunt"}}}', '{"rules": {"a\\x": {"type": "count"}}}', '{"rules": {"a\\u12": {"type": "count"}}}',
    '{"rules": {"a": {"type": "count"', '{"rules": {"a', "\ufeff" + '{"rules": {"a": {"type": "count"}}}', '{"rules": {"a": {"type": "count"}}, "x": ' + "[" * 200,
    '{"rules": {' + ", ".join(f'"{i}": {{"type": "count"}}' for i in range(101)) + "}}",
]


def files() -> Iterator[tuple[str, bool]]:
    """Texts, and whether they are good."""
    for name, rule in KINDS.items():
        yield json.dumps({"rules": {name: rule}}), True
        for key in rule:
            yield json.dumps({"rules": {name: {k: v for k, v in rule.items() if k != key}}}), key == "above"
    yield json.dumps({"rules": KINDS}, indent=2), True
    for key, kinds, good, broken in TABLE:
        for name, rule in KINDS.items():
            for value, is_good in [(value, True) for value in good] + [(value, False) for value in broken]:
                changed = copy.deepcopy(rule)
                changed[key] = value
                yield json.dumps({"rules": {name: changed}}, ensure_ascii=False).replace("Infinity", "1e400"), is_good and name in kinds
    yield from ((text, True) for text in GOOD_TEXTS)
    yield from ((text, False) for text in BROKEN_TEXTS)


def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({key for key, _ in pairs}) < len(pairs):
        raise ValueError("a key comes twice")
    return dict(pairs)


def refuse(name: str) -> None:
    raise ValueError(name)


def verdict(validator: jsonschema.Draft7Validator, text: str) -> bool:
    try:
        value = json.loads(text, object_pairs_hook=unique, parse_constant=refuse)
    except ValueError:
        return False
    return validator.is_valid(value)


def read(program: str, paths: list[pathlib.Path]) -> list[str]:
    output = subprocess.run([program, *map(str, paths)], stdout=subprocess.PIPE, check=True, timeout=60).stdout
    return output.decode("utf-8").splitlines()


def main(program: str, schema_path: str, examples: list[str]) -> int:
    schema = json.loads(pathlib.Path(schema_path).read_text(encoding="utf-8"))
    jsonschema.Draft7Validator.check_schema(schema)
    validator = jsonschema.Draft7Validator(schema)
    wrong = []
    with tempfile.TemporaryDirectory() as folder:
        texts = list(files())
        paths = [pathlib.Path(folder, f"{i}.json") for i in range(len(texts))]
        for path, (text, _) in zip(paths, texts):
            path.write_text(text, encoding="utf-8", newline="")
        said = read(program, paths)
        assert len(said) == len(texts)
        for path, (text, good), line in zip(paths, texts, said):
            if verdict(validator, text) != good or (line == "good") != good:
                wrong.append(f"{text[:200]!r}: expected {good}, the schema says {verdict(validator, text)}, the reader {line!r}")
            elif not good and not line.startswith(f"{path}:"):
                wrong.append(f"{line!r} names neither file nor line")
    n_good = sum(good for _, good in texts)
    print(f"# {n_good} good ones, {len(texts) - n_good} broken ones")
    for line in wrong:
        print(f"# {line}")
    print(f"{'not ' if wrong or n_good < 40 else ''}ok 1 the reader and the schema agree")
    bad = [path for path in examples if not verdict(validator, pathlib.Path(path).read_text(encoding="utf-8"))]
    bad += [line for line in read(program, [pathlib.Path(path) for path in examples]) if line != "good"]
    print(*(f"# {line}" for line in bad), sep="\n", end="\n" if bad else "")
    print(f"{'not ' if bad or not examples else ''}ok 2 the examples are good")
    print("1..2")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2], sys.argv[3:]))
