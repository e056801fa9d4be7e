# SPDX-License-Identifier: LGPL-2.1-or-later
"""Expected ids for the C tokenizers, from the published implementation (PyPI `tokenizers`), written once and committed.

    python -m models.reference.tokenizer_pairs tests/core/data [models/nano/vocab.txt]

Trains a small WordPiece and a small byte-level BPE vocabulary on the sentences below (vocabularies of published models are large, and
exactness does not depend on what was learned) and writes `wordpiece/`, `bpe/` with their files and `pairs.json`: text, ids, decoded text.
With a published vocab.txt, its pairs go to `wordpiece-nano.json`.
"""

from __future__ import annotations

import json
import random
import sys
from pathlib import Path

from tokenizers import (
    AddedToken,
    BertWordPieceTokenizer,
    ByteLevelBPETokenizer,
    Tokenizer,
)
from tokenizers.decoders import ByteLevel as ByteLevelDecoder
from tokenizers.models import BPE
from tokenizers.pre_tokenizers import ByteLevel
from tokenizers.processors import RobertaProcessing

SENTENCES = """a man in a red jacket rides a bicycle down a narrow street while two dogs run beside him
three women are standing in front of a small shop, talking and laughing; one holds an umbrella
a large white truck is parked next to a yellow bus under a bridge in the rain
someone's left their shoes, a backpack and a half-eaten sandwich on the wooden bench
an old stone church with a clock tower stands behind the trees at sunset
people are walking across the crossing as cars wait for the light to turn green
the cat isn't sleeping, it's watching birds through the kitchen window
Größe, Äpfel und Öl: die Straße führt über die Brücke zum Café
une élève naïve déjà vue près de l'hôtel où l'on mange des crêpes
el niño pequeño comió una piña mañana por la tarde
Москва и Санкт-Петербург, красный автомобиль стоит у дома
Ένα κόκκινο αυτοκίνητο στον δρόμο
一只猫坐在红色的沙发上 东京的街道上有很多人
赤い自転車に乗っている人 カメラ テレビ
빨간 자동차가 길에 서 있다
12 apples, 345 oranges and 6789 pears cost $10.50 (or 9,80 €)!
""".splitlines()

TEXTS = [
    "", " ", "   ", "\t", "\n", " \n \t ", "a", " a", "a ", "  two  spaces  ", "line one\nline two\r\nline three\ttab",
    "a man rides a bicycle", "A Man Rides A BICYCLE", "person, bicycle, red car", "traffic light", "someone's shoes aren't there, I'll go; we've",
    "it's 'quoted' and \"double\" ... (brackets) [more] {curly} <tag>", "don't do not can't won't y'all'd've", "'s 't 're 've 'm 'll 'd 'S 'LL",
    "hello!world?yes.no,maybe:so;then-so_what/now\\ok@home#tag$5%^&*()+=|~`", "12345 67,890.12 3rd 4x4 1/2 ½ ² ⅷ ٣ Ⅻ",
    "Café naïve Ångström Größe ÀÉÎÕÜ çñß œuvre", "Cafe\u0301 nai\u0308ve A\u030angstro\u0308m", "İstanbul ıspanak ΣΊΣΥΦΟΣ ς σ ẞ ǅ ﬁ ﬂ",
    "Москва Ёлка ЙОД красный", "κόκκινο Ἀθῆναι", "一只猫坐在沙发上", "东京tower和猫cat", "㐀 𠀀 𪜀 豈 丽 \u2f00", "赤い自転車 カメラ ｶﾒﾗ が が ー",
    "빨간 자동차 한글 \u1112\u1161\u11ab", "שלום עולם שָׁלוֹם", "مرحبا بالعالم مُحَمَّد", "नमस्ते दुनिया", "ไทยภาษา", "ሰላም",
    "😀", "a 😀 smile", "👩‍👩‍👧‍👦 family 🏳️‍🌈 flag 🇩🇪 👍🏽", "✂️ ☃ ♥ → ∞ ≠ © ® ™ € £ ¥", "x\u0001y\u0002\u007fz \u0080\u0085\u009f q",
    "zero\u200bwidth\u200djoin\u200e mark\u2060 \ufeffbom soft\u00adhyphen", "nbsp\u00a0thin\u2009em\u2003ideographic\u3000line\u2028para\u2029end ogham\u1680x",
    "\ufffd replacement \ufffd\ufffd", "private \ue000 \U000f0000 use", "noncharacter \uffff \U0010ffff x", "¿Qué? ¡Sí! «guillemets» “quotes” ‘single’ — dash – en … ellipsis ‚low„",
    "、。「」・！？", "e\u0301\u0301\u0301\u0323\u0327 zalgo z\u0310\u0311\u0312", "\u302e\u302f \U0001d165 musical", "[CLS] [SEP] [MASK] [UNK] [PAD] [cls] [MASK",
    "a[MASK]b [SEP][SEP]", "<s> </s> <mask> <unk> <pad> <S> <mask", "word  <mask>word <mask> x<mask>", "don't  stop   now    ", "tabs\t\tand \n newlines\n\n",
    " leading", "ends with space ", "UPPER lower MiXeD CamelCase snake_case kebab-case", "http://example.org/a?b=c&d=e#f user@example.org", "C++ C# .NET a.b.c 1.2.3 v0.1",
    "x" * 99, "x" * 100, "x" * 101, "é" * 100, "é" * 101, "猫" * 120, "!" * 50, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
]


def long_texts() -> list[str]:
    rng = random.Random(7)
    words = " ".join(SENTENCES).split()
    prose = ""
    while len(prose) < 10000:
        prose += rng.choice(words) + rng.choice([" ", " ", " ", "  ", ", ", ". ", "\n"])
    ranges = [(0x20, 0x7E), (0xA0, 0x24F), (0x370, 0x3FF), (0x400, 0x45F), (0x4E00, 0x4FFF), (0xAC00, 0xAFFF), (0x1F600, 0x1F64F)]
    soup = "".join(chr(rng.randint(*rng.choice(ranges))) for _ in range(10000))
    return [prose[:10000], "ab" * 5000, soup.replace("\u0378", "")]


def pairs(encode, decode) -> list[dict]:
    out = []
    for text in TEXTS + long_texts():
        ids = encode(text)
        out.append({"text": text, "ids": ids, "decoded": decode(ids)})
    return out


def clean_up(text: str) -> str:
    """Hugging Face's clean_up_tokenization, which BERT's decoding ends with."""
    for a, b in [(" .", "."), (" ?", "?"), (" !", "!"), (" ,", ","), (" ' ", "'"), (" n't", "n't"), (" 'm", "'m"), (" 's", "'s"),
                 (" 've", "'ve"), (" 're", "'re")]:
        text = text.replace(a, b)
    return text


def write(path: Path, rows: list[dict]) -> None:
    path.write_text("[\n" + ",\n".join(json.dumps(row, separators=(",", ":")) for row in rows) + "\n]\n")


def wordpiece_pairs(vocabulary: Path) -> list[dict]:
    tokenizer = BertWordPieceTokenizer(str(vocabulary), lowercase=True)
    tokenizer.add_special_tokens(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"])
    return pairs(lambda text: tokenizer.encode(text).ids, lambda ids: clean_up(tokenizer.decode(ids, skip_special_tokens=True)))


def main() -> None:
    out = Path(sys.argv[1])
    for kind in ("wordpiece", "bpe"):
        (out / kind).mkdir(parents=True, exist_ok=True)

    trained = BertWordPieceTokenizer(lowercase=True)
    trained.train_from_iterator(SENTENCES, vocab_size=900, min_frequency=1, show_progress=False)
    trained.save_model(str(out / "wordpiece"))
    write(out / "wordpiece" / "pairs.json", wordpiece_pairs(out / "wordpiece" / "vocab.txt"))

    bpe = ByteLevelBPETokenizer(add_prefix_space=False)
    specials = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    bpe.train_from_iterator(SENTENCES, vocab_size=700, min_frequency=1, special_tokens=specials, show_progress=False)
    bpe.save_model(str(out / "bpe"))
    roberta = Tokenizer(BPE.from_file(str(out / "bpe" / "vocab.json"), str(out / "bpe" / "merges.txt")))
    roberta.pre_tokenizer = ByteLevel(add_prefix_space=False)
    roberta.decoder = ByteLevelDecoder()
    roberta.add_special_tokens(["<s>", "<pad>", "</s>", "<unk>", AddedToken("<mask>", lstrip=True, special=True, normalized=False)])
    roberta.post_processor = RobertaProcessing(("</s>", roberta.token_to_id("</s>")), ("<s>", roberta.token_to_id("<s>")), False, False)
    write(out / "bpe" / "pairs.json",
          pairs(lambda text: roberta.encode(text).ids, lambda ids: roberta.decode(ids, skip_special_tokens=True)))

    if len(sys.argv) > 2:
        write(out / "wordpiece-nano.json", wordpiece_pairs(Path(sys.argv[2])))


if __name__ == "__main__":
    main()
