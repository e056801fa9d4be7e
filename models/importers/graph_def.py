# SPDX-License-Identifier: LGPL-2.1-or-later
"""Reads the constants of a frozen TensorFlow graph (GraphDef) from its wire format, without TensorFlow.

Fields used (tensorflow/core/framework: graph.proto, node_def.proto, attr_value.proto, tensor.proto, tensor_shape.proto):
GraphDef.node = 1; NodeDef.name = 1, .op = 2, .attr = 5 (map: key = 1, value = 2); AttrValue.tensor = 8; TensorProto.dtype = 1,
.tensor_shape = 2, .tensor_content = 4, .float_val = 5; TensorShapeProto.dim = 2; Dim.size = 1.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np

FLOAT = 1  # DT_FLOAT


def varint(data: memoryview, at: int) -> tuple[int, int]:
    """→ value, position behind it."""
    value = shift = 0
    while True:
        if at >= len(data) or shift > 63:
            raise ValueError("the file is cut off or no GraphDef")
        byte = data[at]
        value |= (byte & 127) << shift
        at += 1
        shift += 7
        if byte < 128:
            return value, at


def fields(data: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """Field numbers with their values: integers, or the bytes of a fixed or length-delimited field."""
    at = 0
    while at < len(data):
        key, at = varint(data, at)
        kind = key & 7
        if kind == 0:
            value, at = varint(data, at)
            yield key >> 3, value
            continue
        if kind == 2:
            size, at = varint(data, at)
        elif kind in (1, 5):
            size = 8 if kind == 1 else 4
        else:
            raise ValueError(f"wire type {kind} at byte {at}: no GraphDef")
        if at + size > len(data):
            raise ValueError("the file is cut off or no GraphDef")
        yield key >> 3, data[at : at + size]
        at += size


def tensor(data: memoryview) -> np.ndarray | None:
    """A TensorProto of float32; None for another type."""
    kind, shape, values = 0, [], b""
    for number, value in fields(data):
        if number == 1:
            kind = int(value)
        elif number == 2:
            for dim in (v for n, v in fields(value) if n == 2):
                shape.append(next((int(v) for n, v in fields(dim) if n == 1), 0))
        elif number in (4, 5):  # packed floats and raw content read alike
            values += bytes(value)
    if kind != FLOAT:
        return None
    out = np.frombuffer(values, "<f4")
    count = math.prod(shape)
    if len(out) == 1 and count != 1:
        out = np.repeat(out, count)  # a constant of equal values is stored once
    if len(out) != count:
        raise ValueError(f"a tensor of shape {shape} has {len(out)} values")
    return out.reshape(shape)


def constants(path: Path) -> dict[str, np.ndarray]:
    """Name → value of every float32 constant of a frozen graph; an error names the file."""
    out: dict[str, np.ndarray] = {}
    try:
        for number, node in fields(memoryview(path.read_bytes())):
            if number != 1 or isinstance(node, int):
                continue
            parts = [(n, v) for n, v in fields(node)]
            if (2, b"Const") not in [(n, bytes(v)) for n, v in parts if n == 2]:
                continue
            name = next((bytes(v).decode() for n, v in parts if n == 1), "")
            for _, attribute in ((n, v) for n, v in parts if n == 5):
                pair = dict(fields(attribute))
                if bytes(pair.get(1, b"")) == b"value":
                    value = next((tensor(v) for n, v in fields(pair[2]) if n == 8), None)
                    if value is not None:
                        out[name] = value
    except (ValueError, KeyError, TypeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path}: {error}") from error
    if not out:
        raise ValueError(f"{path}: no float32 constant found, expected a frozen TensorFlow graph")
    return out
