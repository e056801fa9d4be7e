# SPDX-License-Identifier: LGPL-2.1-or-later
"""Reads the parameters of a PaddlePaddle inference model (NAME.pdmodel, NAME.pdiparams), without PaddlePaddle.

NAME.pdmodel is a ProgramDesc (paddle/fluid/framework/framework.proto; fields used: ProgramDesc.blocks = 1, BlockDesc.vars = 3, VarDesc.name = 1, .type = 2,
.persistable = 3, VarType.type = 1). NAME.pdiparams holds its persistable variables in the order of their names, each as a version (uint32), the
number of levels of detail (uint64, 0 here), a version (uint32), the length of a TensorDesc (int32; .data_type = 1, .dims = 2), that, and raw values.
"""

from __future__ import annotations

import math
import struct
from pathlib import Path

import numpy as np

from .graph_def import fields, varint

DENSE_TENSOR, FP32 = 7, 5  # VarType.Type


def names(program: Path) -> list[str]:
    """The persistable tensors of a program, in the order in which their values are stored."""
    out: list[str] = []
    for number, block in fields(memoryview(program.read_bytes())):
        if number != 1 or isinstance(block, int):
            continue
        for variable in (v for n, v in fields(block) if n == 3 and not isinstance(v, int)):
            of = dict(fields(variable))
            kind = dict(fields(of[2])) if 2 in of and not isinstance(of[2], int) else {}
            if of.get(3) and kind.get(1) == DENSE_TENSOR:
                out.append(bytes(of[1]).decode())
    return sorted(out)


def description(data: memoryview) -> tuple[int, list[int]]:
    """A TensorDesc → type, shape; dims may be packed or not."""
    kind, shape = 0, []
    for number, value in fields(data):
        if number == 1 and isinstance(value, int):
            kind = value
        elif number == 2 and isinstance(value, int):
            shape.append(value)
        elif number == 2:
            at = 0
            while at < len(value):
                size, at = varint(value, at)
                shape.append(size)
    return kind, shape


def parameters(program: Path) -> dict[str, np.ndarray]:
    """Name → value of every float32 parameter; values lie beside the program, in a file of its name with .pdiparams."""
    path = program.with_suffix(".pdiparams")
    try:
        order = names(program)
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{program}: {error}") from error
    data, at = memoryview(path.read_bytes()), 0
    out: dict[str, np.ndarray] = {}
    try:
        for name in order:
            levels, size = struct.unpack_from("<Q", data, at + 4)[0], struct.unpack_from("<i", data, at + 16)[0]
            if levels:
                raise ValueError(f"{name} has {levels} levels of detail, expected a plain tensor")
            kind, shape = description(data[at + 20 : at + 20 + size])
            at += 20 + size
            if kind != FP32:
                raise ValueError(f"{name} is of type {kind}, expected float32 ({FP32})")
            count = math.prod(shape)
            if at + 4 * count > len(data):
                raise ValueError(f"the file is cut off in {name}")
            out[name] = np.frombuffer(data[at : at + 4 * count], "<f4").reshape(shape)
            at += 4 * count
        if at != len(data):
            raise ValueError(f"{len(data) - at} bytes behind the last parameter: it is of another program")
    except (ValueError, KeyError, TypeError, struct.error) as error:
        raise ValueError(f"{path}: {error}") from error
    if not out:
        raise ValueError(f"{program}: no parameters, expected a PaddlePaddle inference model")
    return out
