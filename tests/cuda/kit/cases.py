# SPDX-License-Identifier: LGPL-2.1-or-later
"""Running one program to its end or its limit, and reading what a test program (TAP, GLib's) says of its cases.

A case that takes its program down does not take the rest with it: the program is started anew without the cases that are
known."""

import dataclasses
import os
import pathlib
import re
import selectors
import signal
import subprocess
import threading
import time
from collections.abc import Callable

RESULT = re.compile(r"^(ok|not ok) \d+ (.*)$")
KEPT_LINES = 12  # of what a case says
TOOL = "========="  # how compute-sanitizer begins its lines
TOOL_FOUND = re.compile(
    r"^=+ +(Invalid|Error: |Warning: Race|Race reported|Program hit|Misaligned|Out-of-range|Barrier error|Internal error)"
)
TOOL_REFUSES = re.compile(
    r"Device not supported|not supported on this|LibraryNotLoaded|Unable to find|No attachable process|Failed to initialize|"
    r"Target application terminated before first instrumented API call|Error: Target",
    re.IGNORECASE,
)
MOST_RESTARTS = 200


@dataclasses.dataclass
class Outcome:
    """What became of a part."""

    passed: int = 0
    skipped: int = 0
    failures: list[tuple[str, list[str]]] = dataclasses.field(default_factory=list)  # case, what it said
    missing: str = ""  # why it did not run: a tool that is not here, or refuses
    over: bool = False  # the limit ended it
    lines: list[str] = dataclasses.field(default_factory=list)  # figures
    seconds: float = 0

    @property
    def word(self) -> str:
        if self.failures:
            return "FAILED"
        return "not run" if self.missing else "over its limit" if self.over else "passed"


stopping = threading.Event()  # the whole run ends: no program goes on, none is started anew
running: set["Program"] = set()


def stop() -> None:
    stopping.set()
    for program in list(running):
        program.kill()


class Program:
    """A command whose lines are handed out as they come; its whole group of processes ends with it."""

    def __init__(self, command: list[str], environment: dict[str, str], deadline: float) -> None:
        self.deadline = deadline
        self.over = False
        self.process = subprocess.Popen(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        running.add(self)

    def run(self, take: Callable[[str], None]) -> int:
        """Exit status; negative: the signal."""
        rest = b""
        assert self.process.stdout is not None
        try:
            with selectors.DefaultSelector() as selector:
                selector.register(self.process.stdout, selectors.EVENT_READ)
                while True:
                    left = self.deadline - time.monotonic()
                    if left <= 0 or not selector.select(left):
                        self.over = True
                        break
                    data = os.read(self.process.stdout.fileno(), 1 << 16)
                    if not data:
                        break
                    *lines, rest = (rest + data).split(b"\n")
                    for line in lines:
                        take(line.decode(errors="replace"))
        finally:
            self.end()
        if rest:
            take(rest.decode(errors="replace"))
        return self.process.returncode

    def kill(self) -> None:
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            pass

    def end(self) -> None:
        """Nothing of it stays: a program at its limit is killed; one that closed its output has a moment to end by itself."""
        try:
            if not self.over:
                self.process.wait(max(0.0, self.deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            self.over = True
        finally:
            running.discard(self)
            self.kill()
            if self.process.stdout is not None:
                self.process.stdout.close()
            self.process.wait()


def ended_how(status: int) -> str:
    if status < 0:
        return f"ended by {signal.Signals(-status).name}" if -status in set(signal.Signals) else f"ended by signal {-status}"
    return f"ended with status {status}"


class Cases:
    """The cases of one test program, over as many starts as it takes."""

    def __init__(self, command: list[str], wrapper: list[str], environment: dict[str, str], deadline: float) -> None:
        self.command, self.wrapper, self.environment, self.deadline = command, wrapper, environment, deadline
        self.outcome = Outcome()
        self.listed: list[str] = []
        self.seen: dict[str, str] = {}
        self.said: list[str] = []
        self.all_said: list[str] = []
        self.refusal = ""
        self.last = ""

    def run(self) -> Outcome:
        started = time.monotonic()
        if self._list():
            for _ in range(MOST_RESTARTS):
                if stopping.is_set() or not self._start():
                    break
        self.outcome.seconds = time.monotonic() - started
        return self.outcome

    def _fail(self, case: str, said: list[str]) -> None:
        self.outcome.failures.append((case, said[-KEPT_LINES:]))

    def _list(self) -> bool:
        lines: list[str] = []
        program = Program([*self.command, "-l"], self.environment, self.deadline)
        status = program.run(lines.append)
        self.listed = [line for line in lines if line.startswith("/")]
        if program.over:
            self.outcome.over = True
            self._fail("its list of cases", [*lines, "did not come within the limit"])
        elif status != 0 or not self.listed:
            reason = next((line.partition("# SKIP ")[2] for line in lines if "# SKIP " in line), "")
            self._fail("no case ran", [reason] if reason else [*lines, ended_how(status)])
        return bool(self.listed) and not self.outcome.failures

    def _start(self) -> bool:
        """One start, without the cases that are known. Returns whether another one would find more."""
        known = len(self.seen)
        skip = [argument for path in self.seen for argument in ("-s", path)]
        self.said, self.all_said = [], []
        program = Program([*self.wrapper, *self.command, *skip], self.environment, self.deadline)
        status = program.run(self._take)
        left = [path for path in self.listed if path not in self.seen]
        if program.over:
            self.outcome.over = True
            running = f" in {left[0]}" if left else ""
            self._fail("its limit", [*self.said, f"{len(self.seen)} of {len(self.listed)} cases had run; stopped{running}"])
            return False
        if self.wrapper and self.refusal and not self.outcome.passed:
            self.outcome.failures.clear()
            self.outcome.missing = self.refusal
            return False
        found = [line for line in self.said if TOOL_FOUND.match(line)]
        if found:
            self._fail("after its last case", self.said[self.said.index(found[0]) :][:KEPT_LINES])
        if left:
            if self.last != "not ok" or len(self.seen) == known:  # nobody has reported the case that it died in
                self.seen[left[0]] = "not ok"
                self._fail(left[0], [*(self.said or self.all_said), ended_how(status)])
            return True
        if status != 0 and not self.outcome.failures:
            self._fail("its end", [*self.all_said, ended_how(status)])
        return False

    def _path(self, text: str) -> tuple[str, str]:
        """The case that a line is of, and the rest of the line."""
        path, _, rest = text.partition(" # SKIP")
        if path in self.listed:
            return path, rest.strip()
        best = max((p for p in self.listed if text.startswith(p)), key=len, default=text)
        return best, text[len(best) :].strip(" -")

    def _take(self, line: str) -> None:
        self.all_said = [*self.all_said[-KEPT_LINES:], line]
        if line.startswith(TOOL) and TOOL_REFUSES.search(line):
            self.refusal = self.refusal or line.strip("= ")
        result = RESULT.match(line)
        if not result:
            if line and not line.startswith(("# Start of", "# End of", "TAP version", "1..", "# random seed")):
                self.said.append(line)
            return
        path, rest = self._path(result[2])
        said, self.said = self.said, []
        if path in self.seen:
            return
        skipped = " # SKIP" in line
        self.seen[path] = self.last = result[1]
        found = [line for line in said if TOOL_FOUND.match(line)]
        if found:
            first = said.index(found[0])
            self._fail(path, said[first : first + KEPT_LINES])
        elif result[1] == "not ok":
            self._fail(path, [*said, rest] if rest else said)
        elif skipped:  # on this machine nothing may be
            self.outcome.skipped += 1
            self._fail(path, [f"skipped: {rest}"])
        else:
            self.outcome.passed += 1


def run_figures(command: list[str], environment: dict[str, str], deadline: float) -> Outcome:
    """A program that prints figures; none are a failure."""
    outcome = Outcome()
    started = time.monotonic()
    program = Program(command, environment, deadline)
    status = program.run(outcome.lines.append)
    outcome.seconds = time.monotonic() - started
    name = pathlib.Path(command[0]).name
    skip = next((line.partition("# SKIP ")[2] for line in outcome.lines if "# SKIP " in line), "")
    if program.over:
        outcome.over = True
        outcome.failures.append((name, ["stopped at its limit", *outcome.lines[-2:]]))
    elif skip or status != 0 or not outcome.lines:
        outcome.failures.append((name, [skip] if skip else [*outcome.lines[-KEPT_LINES:], ended_how(status)]))
    else:
        outcome.passed = 1
    return outcome
