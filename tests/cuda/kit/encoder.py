# SPDX-License-Identifier: LGPL-2.1-or-later
"""The text encoder as it travels: more than half of it are rows of words that no test ever writes. Those are zero here, and
the file is packed.

A word is kept if it is one of the captions' vocabulary, or stands somewhere in the texts that the tests use: WordPiece makes
nothing that is not a part of the text."""

import gzip
import json
import pathlib
import shutil
import struct
import unicodedata
from typing import Any

from .checkout import KitError

ROWS = "text.embeddings.word_embeddings.weight"
IDS = "caption.token_ids"
ALWAYS = 1000  # [CLS], [SEP], [UNK], single letters


def header(path: pathlib.Path) -> tuple[dict[str, Any], int]:
    """Tensors of a safetensors file, and where their bytes begin."""
    with path.open("rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        return json.loads(file.read(length)), 8 + length


def tensor(path: pathlib.Path, name: str) -> tuple[list[int], int, int]:
    """Shape, first and last byte of a tensor in its file."""
    tensors, begin = header(path)
    if name not in tensors:
        raise KitError(f"{path} has no {name}: expected a model whose text encoder is BERT's")
    first, last = tensors[name]["data_offsets"]
    return tensors[name]["shape"], begin + first, begin + last


def plain(text: str) -> str:
    """As the tokenizer sees it: small letters without accents."""
    return "".join(c for c in unicodedata.normalize("NFD", text.lower()) if unicodedata.category(c) != "Mn")


def kept_rows(model: pathlib.Path, texts: list[pathlib.Path]) -> set[int]:
    _, first, last = tensor(model / "model.safetensors", IDS)
    data = (model / "model.safetensors").read_bytes()[first:last]
    rows = set(range(ALWAYS)) | set(struct.unpack(f"<{len(data) // 4}i", data))
    corpus = "\n".join(plain(path.read_text(encoding="utf-8")) for path in texts)
    words = (model / "vocab.txt").read_text(encoding="utf-8").split("\n")
    return rows | {row for row, word in enumerate(words) if word and word.removeprefix("##") in corpus}


def write(model: pathlib.Path, texts: list[pathlib.Path], encoder: pathlib.Path, target: pathlib.Path) -> None:
    """Packs the encoder, which may lie elsewhere than its model."""
    (count, _), first, last = tensor(encoder, ROWS)
    width = (last - first) // count
    kept = kept_rows(model, texts)
    data = bytearray(encoder.read_bytes())
    for row in range(count):
        if row not in kept:
            data[first + row * width : first + (row + 1) * width] = bytes(width)
    with gzip.open(target, "wb", compresslevel=1) as file:
        file.write(data)


def assemble(model: pathlib.Path, packed: pathlib.Path, target: pathlib.Path) -> None:
    """A model's folder again: the checkout's files, and the encoder beside them."""
    target.mkdir(parents=True)
    for path in model.iterdir():
        if path.is_file() and path.name != "text_encoder.safetensors":
            (target / path.name).symlink_to(path.resolve())
    with gzip.open(packed, "rb") as source, (target / "text_encoder.safetensors").open("wb") as file:
        shutil.copyfileobj(source, file)
