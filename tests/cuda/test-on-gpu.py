#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The GPU kit without a GPU: test-on-gpu.py BUILD. Packed from a small checkout and run on the test device once; all else with
programs of a few lines, and toolchains of empty files."""

import gzip
import json
import os
import pathlib
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
import traceback

HERE = pathlib.Path(__file__).resolve().parent
sys.dont_write_bytecode = True
sys.path.insert(0, str(HERE))

from kit import encoder  # noqa: E402
from kit.cases import Cases  # noqa: E402
from kit.checkout import LARGE, Checkout  # noqa: E402
from kit.pack import TEXTS, archive  # noqa: E402
from kit.parts import PROGRAMS, PROGRAMS_FILE  # noqa: E402

ROOT = HERE.parents[1]
BUILD = pathlib.Path(sys.argv[1]).resolve()
TOOL = """#!/bin/sh
while [ "${1#-}" != "$1" ]; do shift 2; done
"""
GOOD = """#!/bin/sh
case $* in *--help*) exit ;; *-l*) echo /a; exit ;; esac
echo "ok 1 /a"
"""


def script(path: pathlib.Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    path.chmod(0o755)


def safetensors(path: pathlib.Path, name: str, dtype: str, shape: list[int], data: bytes) -> None:
    head = json.dumps({name: {"dtype": dtype, "shape": shape, "data_offsets": [0, len(data)]}}).encode()
    path.write_bytes(struct.pack("<Q", len(head)) + head + data)


def checkout(root: pathlib.Path) -> Checkout:
    """A repository with a model, its golden texts, and a large file that nobody needs."""
    nano = root / "models" / "nano"
    nano.mkdir(parents=True)
    (nano / "config.json").write_text('{"labels": ["Fox"]}', encoding="utf-8")
    (nano / "vocab.txt").write_text(
        "\n".join([f"[unused{i}]" for i in range(1000)] + ["fox", "##ox", "zebra"]), encoding="utf-8"
    )
    safetensors(nano / "model.safetensors", encoder.IDS, "I32", [1], struct.pack("<i", 1003))
    width = LARGE // 1000
    safetensors(nano / "text_encoder.safetensors", encoder.ROWS, "F16", [1004, width], b"\1" * (1004 * 2 * width))
    for name in TEXTS:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        if not (root / name).exists():
            (root / name).write_text("{}", encoding="utf-8")
    (root / "clip").write_bytes(os.urandom(LARGE))
    (root / ".gitignore").write_text("/build-*/\n", encoding="utf-8")
    git = ["git", "-C", str(root), "-c", "user.name=t", "-c", "user.email=t@localhost"]
    for command in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "one"]):
        subprocess.run([*git, *command], check=True)
    return Checkout(root)


def on_gpu(root: pathlib.Path, *arguments: str) -> tuple[int, str]:
    answer = subprocess.run(
        [sys.executable, str(HERE / "on-gpu"), "--checkout", str(root), *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    return answer.returncode, answer.stdout


def git_status(root: pathlib.Path) -> str:
    return subprocess.run(
        ["git", "-C", str(root), "status", "--porcelain"], check=True, stdout=subprocess.PIPE, text=True
    ).stdout


def expect(condition: bool, what: object) -> None:
    if not condition:
        raise AssertionError(what)


def hand_made(folder: pathlib.Path, programs: dict[str, str], needed: list[str]) -> pathlib.Path:
    """A checkout with a kit of scripts; programs that are not named pass."""
    root = folder / "there"
    (root / "models" / "nano").mkdir(parents=True)
    for name in PROGRAMS:
        script(folder / "staging" / "bin" / name, programs.get(name, GOOD))
    kit = root / "build-gpu" / "kit"
    archive(folder / "staging", kit / PROGRAMS_FILE)
    (kit / "manifest.json").write_text(json.dumps({"description": "by hand", "needed": needed}), encoding="utf-8")
    (kit / "text_encoder.gz").write_bytes(gzip.compress(b""))
    (folder / "tools" / "bin").mkdir(parents=True)
    return root


def report(root: pathlib.Path) -> str:
    return (root / "build-gpu" / "report.md").read_text(encoding="utf-8")


def run(folder: pathlib.Path, root: pathlib.Path, *arguments: str) -> tuple[int, str]:
    """Exit status and report."""
    status, said = on_gpu(root, "run", "--toolchain", str(folder / "tools"), *arguments)
    expect((root / "build-gpu" / "report.md").is_file(), said)
    return status, report(root)


def packed_and_run(folder: pathlib.Path) -> None:
    root = folder / "here"
    there = checkout(root)
    status, said = on_gpu(
        root,
        "pack",
        "--build",
        str(BUILD),
        "--module",
        str(BUILD / "tests" / "cuda" / "libupi-cuda.so"),
        "--no-check",
        "--",
        "sh",
        "-c",
        "ls clip models/nano; cat build-gpu/travels",
    )
    expect(status == 0, said)
    expect("clip\n" not in said and "text_encoder.safetensors" not in said and "build-gpu/kit/programs.tar.xz" in said, said)
    expect(git_status(root) == "", git_status(root))
    expect(there.aside.exists() is False, "something is still aside")
    (folder / "tools").mkdir()
    script(folder / "tools" / "bin" / "compute-sanitizer", TOOL + 'exec "$@"\n')
    status, text = run(folder, root, "--only", "parity-f16,memcheck-f32,bench-f32", "--filter", "l2_norm")
    expect(status == 0 and "0 failed" in text and "| memcheck-f32 | passed |" in text and "test device" in text, text)


def failures_are_named(folder: pathlib.Path) -> None:
    """One that says so, one that takes its program down, one skipped; what comes after them runs all the same."""
    bad = """#!/bin/sh
case $* in *--help*) exit ;; *-l*) printf '/a\\n/b c\\n/d\\n/e\\n/f\\n'; exit ;; esac
case $* in
  *"-s /d"*) echo "ok 4 /e"; echo "ok 5 /f # SKIP no device" ;;
  *"-s /b c"*) echo "died here"; kill -SEGV $$ ;;
  *) echo "ok 1 /a"; echo "# too far"; echo "not ok 2 /b c - ERROR: off by 3"; echo "Bail out!"; exit 1 ;;
esac
"""
    root = hand_made(folder, {"parity": bad}, [])
    status, text = run(folder, root, "--only", "parity-f32,golden-parts,frames,bench-bf16")
    expect(status == 1, text)
    for line in (
        "| parity-f32 | FAILED | 2 | 3 | 1 |",
        "- /b c",
        "# too far",
        "off by 3",
        "- /d",
        "died here",
        "ended by SIGSEGV",
        "skipped: no device",
        "| golden-parts | passed | 1 |",
        "| frames | passed |",
        "| bench-bf16 | FAILED |",
    ):
        expect(line in text, (line, text))


def limits(folder: pathlib.Path) -> None:
    """A part that never ends is ended, with what it started; the next ones run."""
    pid = folder / "pid"
    endless = f"""#!/bin/sh
case $* in *--help*) exit ;; *-l*) printf '/a\\n/b\\n'; exit ;; esac
echo "ok 1 /a"
sleep 100000 &
echo $! >{pid}
wait
"""
    root = hand_made(folder, {"golden-parts": endless}, [])
    status, text = run(folder, root, "--only", "golden-parts,device-auto", "--part-limit", "golden-parts=5")
    expect(status == 1 and "| golden-parts | FAILED | 1 |" in text and "1 of 2 cases had run; stopped in /b" in text, text)
    expect("| device-auto | passed |" in text, text)
    state = pathlib.Path(f"/proc/{pid.read_text().strip()}/stat")
    expect(not state.exists() or state.read_text().split()[2] == "Z", "a child of the part is still there")
    status, text = run(folder, root, "--only", "device-auto", "--limit", "1")
    expect(status == 0 and "device-auto: the 1 s of the whole run were over" in text, text)


def sanitizer(folder: pathlib.Path) -> None:
    root = hand_made(folder, {}, [])
    only = ("--only", "memcheck-f32,racecheck-f16,parity-f32")
    status, text = run(folder, root, *only)
    expect(
        status == 0 and "- memcheck-f32: compute-sanitizer was not found" in text and "| parity-f32 | passed |" in text, text
    )
    tool = folder / "tools" / "bin" / "compute-sanitizer"
    script(
        tool,
        TOOL + "echo '========= COMPUTE-SANITIZER'\n"
        "echo '========= Error: Device not supported. Please refer to the manual'\nexit 1\n",
    )
    status, text = run(folder, root, *only)
    expect(status == 0 and "- racecheck-f16: Error: Device not supported" in text and "| parity-f32 | passed |" in text, text)
    script(
        tool,
        TOOL + "echo '========= Invalid __global__ write of size 4 bytes'\necho '=========     at apply_kernel'\nexec \"$@\"\n",
    )
    status, text = run(folder, root, *only)
    expect(
        status == 1
        and "### memcheck-f32\n\n- /a\n" in text
        and "at apply_kernel" in text
        and "| parity-f32 | passed |" in text,
        text,
    )
    script(tool, "no program\n")
    status, text = run(folder, root, *only)
    expect(status == 0 and "- memcheck-f32: " in text and "| parity-f32 | passed |" in text, text)


def libraries(folder: pathlib.Path) -> None:
    root = hand_made(folder, {}, ["libcublasLt.so.13", "libcudnn.so.9"])
    wheel = folder / "tools" / "site-packages" / "nvidia" / "cudnn" / "lib"
    status, text = run(folder, root, "--only", "parity-f32")
    expect(
        status == 2 and "cuDNN: libcudnn.so.9 was not found" in text and "cuBLAS: libcublasLt.so.13 was not found" in text, text
    )
    expect(str(folder / "tools" / "bin") in text and "| parity-f32 | not run |" in text, text)
    wheel.mkdir(parents=True)
    (wheel / "libcudnn.so.8").touch()
    (wheel / "libcublasLt.so.13").touch()
    status, text = run(folder, root, "--only", "parity-f32")
    expect(status == 2 and f"{wheel}/libcudnn.so.8 has another major version than 9" in text and "cuBLAS:" not in text, text)
    (wheel / "libcudnn.so.9").touch()
    status, text = run(folder, root, "--only", "parity-f32")
    expect(status == 0 and f"cuDNN: {wheel}/libcudnn.so.9 (does not tell its version: " in text, text)
    (root / "build-gpu" / "kit" / PROGRAMS_FILE).write_bytes(b"no archive")
    status, text = run(folder, root, "--only", "parity-f32")
    expect(status == 2 and "expected the programs that `on-gpu pack` put there" in text, text)


def stopped_run(folder: pathlib.Path) -> None:
    """What was found before stays in the report."""
    stop = f"#!/bin/sh\ncase $* in *-l*) echo /a; exit ;; esac\nkill -TERM $(cat {folder}/pid)\nexec sleep 100000\n"
    root = hand_made(folder, {"device-auto": stop}, [])
    run_it = f'echo $$ >{folder}/pid; exec "$0" "$@"'
    answer = subprocess.run(
        [
            "sh",
            "-c",
            run_it,
            sys.executable,
            str(HERE / "on-gpu"),
            "--checkout",
            str(root),
            "run",
            "--toolchain",
            str(folder / "tools"),
            "--only",
            "parity-f32,device-auto",
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    text = report(root)
    expect(
        answer.returncode == 130 and "was stopped before its end" in text and "| parity-f32 | passed |" in text,
        answer.stdout + text,
    )


def checkout_comes_back(folder: pathlib.Path) -> None:
    """Interrupted, killed, failed, too large: the checkout is as it was, or restore makes it so."""
    root = folder / "here"
    here = checkout(root)
    ready = folder / "build"
    true = pathlib.Path("/bin/true").read_bytes()
    for place in [*PROGRAMS.values(), "core/libupi-cuda.so"]:
        (ready / place).parent.mkdir(parents=True, exist_ok=True)
        (ready / place).write_bytes(true)
        (ready / place).chmod(0o755)
    pack = ("pack", "--no-check", "--build", str(ready))
    gone = " D clip\n D models/nano/text_encoder.safetensors\n"
    for number in ("TERM", "INT", "HUP"):
        status, said = on_gpu(root, *pack, "--", "sh", "-c", f"git status --porcelain; kill -{number} $PPID; exec sleep 100000")
        expect(status == 130 and gone in said and f"stopped by SIG{number}" in said and git_status(root) == "", said)
    status, said = on_gpu(root, *pack, "--", "sh", "-c", "kill -KILL $PPID")
    expect(status == -signal.SIGKILL and git_status(root) == gone, said)
    status, said = on_gpu(root, "restore")
    expect(status == 0 and "clip" in said and git_status(root) == "", said)
    status, said = on_gpu(root, *pack, "--stay")
    expect(status == 0 and git_status(root) == gone, said)
    status, said = on_gpu(root, *pack)  # begins with what is aside
    expect(status == 0 and "put back what an earlier run had left aside: clip" in said and git_status(root) == "", said)
    status, said = on_gpu(root, *pack, "--limit", "0")
    expect(
        status == 2 and "at most 0.0 MiB can travel" in said and "models/nano/vocab.txt" in said and not here.kit.exists(), said
    )
    with (root / "new").open("wb") as file:
        file.truncate(65 << 20)
    status, said = on_gpu(root, *pack)
    expect(status == 2 and "65.0 MiB  new" in said and git_status(root) == "?? new\n", said)
    (root / "new").unlink()
    (ready / PROGRAMS["parity"]).unlink()
    status, said = on_gpu(root, *pack)
    expect(status == 2 and "parity: not built" in said and git_status(root) == "", said)


def kept_words(folder: pathlib.Path) -> None:
    """Words that nobody writes are zero, the rest is what it was; the real encoder still gives the golden sentences."""
    root = folder / "here"
    checkout(root)
    nano = root / "models" / "nano"
    rows = encoder.kept_rows(nano, [root / name for name in TEXTS])
    expect(rows == set(range(1000)) | {1000, 1001, 1003}, sorted(rows)[-4:])
    encoder.write(nano, [root / name for name in TEXTS], nano / "text_encoder.safetensors", folder / "packed")
    encoder.assemble(nano, folder / "packed", folder / "assembled")
    path = folder / "assembled" / "text_encoder.safetensors"
    (_, width), first, _ = encoder.tensor(path, encoder.ROWS)
    row = path.read_bytes()[first + 1001 * 2 * width :]
    expect(
        set(row[: 2 * width]) == {1} and set(row[2 * width : 4 * width]) == {0} and set(row[4 * width :]) == {1}, "other rows"
    )
    nano = ROOT / "models" / "nano"
    if not (nano / "text_encoder.safetensors").is_file():
        return
    encoder.write(nano, [ROOT / name for name in TEXTS], nano / "text_encoder.safetensors", folder / "packed")
    encoder.assemble(nano, folder / "packed", folder / "nano")
    environment = {
        **os.environ,
        "UPI_TEST_NANO": str(folder / "nano"),
        "UPI_TEST_GOLDEN": str(ROOT / "tests" / "golden"),
        "UPI_TEST_BACKENDS": "cpu",
    }
    answer = subprocess.run(
        [str(BUILD / PROGRAMS["golden-nano"]), "-p", "/golden-nano/cpu/texts"],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    expect(answer.returncode == 0 and "\nok " in answer.stdout, answer.stdout)


def programs_of_glib(folder: pathlib.Path) -> None:
    """What GLib's own test programs print is understood: no case is lost, none counted twice."""
    program = BUILD / PROGRAMS["engine-sizes"]
    outcome = Cases([str(program)], [], dict(os.environ), time.monotonic() + 600).run()
    listed = subprocess.run([str(program), "-l"], stdout=subprocess.PIPE, text=True).stdout
    expect(outcome.passed == sum(line.startswith("/") for line in listed.split("\n")) and not outcome.failures, outcome)


def main() -> int:
    if shutil.which("git") is None:
        print("1..0 # SKIP the kit packs a checkout, and git is not installed")
        return 0
    failed = 0
    tests = [
        packed_and_run,
        failures_are_named,
        limits,
        sanitizer,
        libraries,
        stopped_run,
        checkout_comes_back,
        kept_words,
        programs_of_glib,
    ]
    print(f"1..{len(tests)}", flush=True)
    for number, test in enumerate(tests, 1):
        try:
            with tempfile.TemporaryDirectory(prefix="upi-test-on-gpu-") as folder:
                test(pathlib.Path(folder).resolve())
            print(f"ok {number} /on-gpu/{test.__name__.replace('_', '-')}", flush=True)
        except Exception:
            failed += 1
            for line in traceback.format_exc().split("\n"):
                print(f"# {line}".replace("\\n", "\n# "))
            print(f"not ok {number} /on-gpu/{test.__name__.replace('_', '-')}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
