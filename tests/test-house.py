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

# Which rooms of core/ one may know: arrows go one way. Files beside the rooms (json-border.h, memory.h, processor.h, upi.h) are everybody's.
KNOWS = {
    "vectors": set(),
    "program": set(),
    "text": set(),
    "backends": {"program"},
    "backends/frames": {"backends", "program"},
    "backends/ref": {"backends", "program"},
    "backends/cpu": {"backends", "backends/frames", "program", "vectors"},
    "backends/cuda": {"backends", "program"},
    "model": {"program", "text"},
    "network": {"model", "program"},
    "engine": {"backends", "backends/frames", "model", "program", "text"},
    "tasks": {"backends", "backends/frames", "engine", "model", "text", "vectors"},
}
# Opening a model asks each part of the network for its tensors, and nothing else knows the parts.
MEETS = {"core/model/model-private.h": "network"}

LICENCE = "SPDX-License-Identifier: LGPL-2.1-or-later"
FOREIGN = ("tests/abi/0.1/", "tests/fuzz/seeds/", "tests/golden/")  # stored as they were, or no sources


def is_source(path: pathlib.Path) -> bool:
    if path.suffix == "":
        with path.open("rb") as file:
            return file.read(2) == b"#!"
    return path.suffix in (".c", ".h", ".cc", ".cu", ".def", ".py", ".sh") or path.name in ("meson.build", "meson_options.txt")


def without_licence() -> list[str]:
    """Sources and scripts whose first lines do not name the licence."""
    paths = [path for path in ROOT.iterdir() if path.is_file()]
    for folder in (".ci", "core", "gst", "models", "pipelines", "tests", "tools"):
        paths += (path for path in (ROOT / folder).rglob("*") if path.is_file() and not path.is_symlink())
    names = sorted(str(path.relative_to(ROOT)) for path in paths if "__pycache__" not in path.parts and is_source(path))
    names = [name for name in names if not name.startswith(FOREIGN)]
    if len(names) < 300:
        return ["few sources: the rule looks in the wrong place"]
    return [name for name in names if LICENCE not in "".join((ROOT / name).read_text(encoding="utf-8").splitlines(True)[:3])]


def room_of(name: str) -> str:
    """The room that a file of core/ is in; "": beside the rooms."""
    parts = name.split("/")[1:-1]
    return next(("/".join(parts[:n]) for n in (2, 1) if "/".join(parts[:n]) in KNOWS), "/".join(parts))


def against_arrows() -> list[str]:
    """What a file of core/ includes and may not know."""
    wrong, seen = [], 0
    for path in SOURCES:
        name = str(path.relative_to(ROOT))
        room = room_of(name)
        if not name.startswith("core/"):
            continue
        if room and room not in KNOWS:
            wrong.append(f"{name}: a room that KNOWS does not name")
            continue
        for included in re.findall(r"#include \"(core/[^\"]+)\"", path.read_text(encoding="utf-8")):
            other = room_of(included)
            seen += 1
            if other and other != room and other not in KNOWS.get(room, set()) and MEETS.get(name) != other:
                wrong.append(f"{name} includes {included}")
    return wrong if seen > 300 else ["few includes: the rule looks for the wrong thing"]


def without_comment() -> list[str]:
    """Functions that a library exports and no GTK-Doc comment of its header describes."""
    functions: list[str] = []
    described: set[str] = set()
    for path in SOURCES:
        if path.suffix == ".h" and not path.name.endswith("-testing.h"):  # hooks for tests are in no library
            text = path.read_text(encoding="utf-8")
            functions += re.findall(r"^(?:GST_)?UPI_API [^;(]*?(\w+) \(", text, re.MULTILINE)
            described |= set(re.findall(r"/\*\*\n \* (\w+):", text))
    if len(functions) < 70:
        return ["few functions: the rule looks for the wrong thing"]
    return [name for name in functions if name not in described]


def fields_of(body: str) -> list[str]:
    """Names that a struct declares, but for those in reserve."""
    names = []
    for declaration in re.sub(r"/\*.*?\*/", "", body, flags=re.DOTALL).split(";"):
        function = re.search(r"\(\*(\w+)\)", declaration)
        for part in [function[1]] if function else declaration.split(","):
            words = re.findall(r"\w+", re.sub(r"\[.*?\]|:\s*\d+", "", part))
            names += words[-1:]
    return [name for name in names if not name.startswith("reserved")]


def without_field() -> list[str]:
    """Fields of public structs of gst/ that the struct's GTK-Doc comment does not describe, in a line of their own."""
    path = ROOT / "gst/meta/gstupimeta.h"
    structs = r"(/\*\*(?:(?!\*/).)*\*/\s*)?(?:typedef )?struct (\w*) ?\{(.*?)\n\}( \w+)?;"
    wrong, seen = [], 0
    for comment, tag, body, name in re.findall(structs, path.read_text(encoding="utf-8"), re.DOTALL):
        seen += 1
        wrong += (f"{name.strip() or tag}.{field}" for field in fields_of(body) if not re.search(rf"\n \* @{field}:", comment))
    return wrong if seen > 5 else ["few structs: the rule looks for the wrong thing"]


def without_property() -> list[str]:
    """Properties and signals of elements that no GTK-Doc comment of their file describes."""
    wrong, seen = [], 0
    for path in SOURCES:
        text = path.read_text(encoding="utf-8")
        properties = r"(?:param_spec_\w+ \(|install_\w+ \(\s*object_class, PROP_\w+,)\s*\"([a-z0-9-]+)\""
        found = [(name, ":") for name in re.findall(properties, text)]
        found += ((name, "::") for name in re.findall(r"g_signal_new\w* \(\s*\"([a-z0-9-]+)\"", text))
        seen += len(found)
        missing = (name for name, mark in found if not re.search(rf"\n +\* GstUpi\w+{mark}{name}:\n", text))
        wrong += (f"{path.relative_to(ROOT)}: {name}" for name in missing)
    return wrong if seen > 60 else ["few properties: the rule looks for the wrong thing"]


def with_banner() -> list[str]:
    """Files whose sections have banners of dashes."""
    paths = [path for folder in ("core", "gst", "tests", "tools") for path in (ROOT / folder).rglob("*")]
    names = [str(path.relative_to(ROOT)) for path in paths if path.suffix in (".c", ".cc", ".cu", ".h")]
    return [name for name in names if not name.startswith(FOREIGN) and re.search(r"/\* ?-{3}", (ROOT / name).read_text(encoding="utf-8"))]


def too_wide() -> list[str]:
    """Lines of C that are wider than .clang-format lets them be: it leaves what it cannot break."""
    wrong = []
    for folder in ("core", "gst", "models", "tests", "tools"):
        for path in sorted((ROOT / folder).rglob("*")):
            name = str(path.relative_to(ROOT))
            if path.suffix not in (".c", ".cc", ".cu", ".cuh", ".h") or name.startswith(FOREIGN):
                continue
            for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
                if len(line) > 120:
                    wrong.append(f"{name}:{number}")
    return wrong


LONGEST = 500
# What may be longer, and why.
LONG = {
    "core/upi.h": "the one header of the library, with the documentation of all that is public",
    "gst/meta/gstupimeta.h": "the same of the metadata",
}


def too_long() -> list[str]:
    """Sources of more lines than a reader holds at once."""
    wrong = []
    for folder in ("core", "gst", "models", "pipelines", "tests", "tools"):
        for path in sorted((ROOT / folder).rglob("*")):
            name = str(path.relative_to(ROOT))
            if path.suffix not in (".c", ".cc", ".cu", ".h", ".py") or name.startswith(FOREIGN) or name in LONG:
                continue
            lines = len(path.read_text(encoding="utf-8").splitlines())
            if lines > LONGEST:
                wrong.append(f"{name} has {lines}")
    return wrong


# Folders of gst/ that elements of other folders may know; files beside the folders are everybody's.
SHARED = {"labels", "meta"}
LENDS = {
    ("gst/json/zones.c", "gst/rules/shapes.h"),  # lines tell where the rules' shapes lie
    ("gst/json/tags.c", "gst/rules/json.h"),  # what a user writes as JSON is read as strictly
}


def between_elements() -> list[str]:
    """What a file of one element's folder includes of another's."""
    wrong, seen = [], 0
    for path in (ROOT / "gst").rglob("*.[ch]"):
        name = str(path.relative_to(ROOT))
        for included, folder in re.findall(r"#include \"(gst/(\w+)/[^\"]+)\"", path.read_text(encoding="utf-8")):
            seen += 1
            if folder not in SHARED and not name.startswith(f"gst/{folder}/") and (name, included) not in LENDS:
                wrong.append(f"{name} includes {included}")
    return wrong if seen > 50 else ["few includes: the rule looks for the wrong thing"]


def members(body: str) -> list[str]:
    """Fields of a struct, or values of an enum, as its body declares them."""
    body = re.sub(r"/\*.*?\*/", "", body, flags=re.DOTALL)
    if ";" not in body:
        return re.findall(r"(\w+)(?: = [^,]*)?(?:,|\s*$)", body.strip())
    fields = [re.sub(r"\[[^\]]*\]", "", field) for field in body.split(";") if field.strip()]
    return [name for field in fields for name in re.findall(r"(\w+)\)?\s*(?:,|$)", field.strip())]


def without_members() -> list[str]:
    """Fields of public structs and values of public enums that no GTK-Doc comment describes; what is private or reserved needs none."""
    wrong, seen = [], 0
    for path in SOURCES:
        text = path.read_text(encoding="utf-8")
        if path.suffix != ".h" or path.name.endswith("-testing.h") or not re.search(r"^(?:GST_)?UPI_API ", text, re.MULTILINE):
            continue
        comments = {name: comment for comment, name in re.findall(r"(/\*\*\n \* (\w+):.*?\*/)", text, re.DOTALL)}
        types = re.findall(r"^typedef (?:struct|enum)(?: \w+)? ?\{(.*?)\n?\} (\w+);", text, re.MULTILINE | re.DOTALL)
        types += [(body, name) for name, body in re.findall(r"^struct _(\w+) \{(.*?)\n\};", text, re.MULTILINE | re.DOTALL)]
        for body, name in types:
            described = set(re.findall(r"@(\w+)(?=[^:\n]*:)", comments.get(name, "")))
            public = re.sub(r"/\*< private >\*/.*", "", body, flags=re.DOTALL)
            private = set(re.findall(r"(\w+);\s*/\* private", body)) | {"reserved", "_gst_reserved", "parent_class", "parent", "meta"}
            seen += 1
            for member in members(public):
                if member not in described | private:
                    wrong.append(f"{path.relative_to(ROOT)}: {name}.{member}")
    return wrong if seen > 15 else ["few types: the rule looks for the wrong thing"]


# name, what breaks it, why
LISTS = [
    ("wide", too_wide, "lines have 120 columns at most"),
    ("long", too_long, f"a source has {LONGEST} lines at most"),
    ("arrows", against_arrows, "arrows between the rooms of core/ go one way"),
    ("licence", without_licence, f"a source or script begins with {LICENCE}"),
    ("comments", without_comment, "a public function has a GTK-Doc comment in its header"),
    ("members", without_members, "the GTK-Doc comment of a public type describes each field and value"),
    ("fields", without_field, "a field of a public struct has a line in its GTK-Doc comment"),
    ("properties", without_property, "a property or signal has a GTK-Doc comment, GstUpiELEMENT:NAME:, where it is installed"),
    ("banners", with_banner, "sections that need a banner are files"),
    ("elements-apart", between_elements, "elements share what is in gst/ itself, meta/ and labels/"),
]


def broken(pattern: str, allowed: str) -> list[str]:
    """Files that say what only others may."""
    said = [str(path.relative_to(ROOT)) for path in SOURCES if re.search(pattern, path.read_text(encoding="utf-8"))]
    return [path for path in said if not re.fullmatch(allowed, path)] if said else ["no file: the rule looks for the wrong thing"]


def main() -> int:
    results = [(name, broken(pattern, allowed), why) for name, pattern, allowed, why in RULES]
    results += [(name, find(), why) for name, find, why in LISTS]
    print(f"1..{len(results)}")
    for number, (name, wrong, why) in enumerate(results, 1):
        print(f"{'not ok' if wrong else 'ok'} {number} /house/{name}")
        for what in wrong:
            print(f"# {what}: {why}")
    return sum(bool(wrong) for _, wrong, _ in results)


if __name__ == "__main__":
    sys.exit(main())
