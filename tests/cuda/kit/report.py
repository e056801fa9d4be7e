# SPDX-License-Identifier: LGPL-2.1-or-later
"""The one file that a run leaves. It is written anew after every part, so that a run that is cut off leaves what it had
found."""

import os
import pathlib

from .cases import Outcome
from .parts import Part


class Report:
    """What ran, what failed, what was measured."""

    def __init__(self, path: pathlib.Path, planned: list[Part]) -> None:
        self.path = path
        self.planned = planned
        self.machine: list[str] = []
        self.notes: list[str] = []  # of the run: an error before the first part, an interruption
        self.done: dict[str, Outcome] = {}

    @property
    def failed(self) -> list[str]:
        return [part.name for part in self.planned if part.name in self.done and self.done[part.name].failures]

    def closing(self) -> str:
        outcomes = list(self.done.values())
        passed, skipped = sum(o.passed for o in outcomes), sum(o.skipped for o in outcomes)
        failures = sum(len(o.failures) for o in outcomes)
        not_run = sum(bool(o.missing) and not o.failures for o in outcomes) + len(self.planned) - len(self.done)
        return f"{passed} passed, {failures} failed, {skipped} skipped; {not_run} of {len(self.planned)} parts did not run"

    def _table(self) -> list[str]:
        lines = ["| part | | passed | failed | skipped | seconds |", "|---|---|---|---|---|---|"]
        for part in self.planned:
            outcome = self.done.get(part.name)
            if outcome is None:
                lines.append(f"| {part.name} | not run | | | | |")
            else:
                lines.append(
                    f"| {part.name} | {outcome.word} | {outcome.passed} | {len(outcome.failures)} | {outcome.skipped} "
                    + f"| {outcome.seconds:.1f} |"
                )
        return lines

    def text(self) -> str:
        lines = ["# upi on a GPU", "", self.closing(), "", *(f"- {line}" for line in self.machine), ""]
        if self.notes:
            lines += [*("\n".join(f"    {row}" for row in note.split("\n")) for note in self.notes), ""]
        lines += [*self._table(), ""]
        failed = self.failed
        if failed:
            lines += ["## Failures", ""]
        for name in failed:
            lines += [f"### {name}", ""]
            for case, said in self.done[name].failures:
                lines += [f"- {case}", *(f"      {line}" for line in said)]
            lines.append("")
        missing = [
            (part.name, self.done[part.name].missing)
            for part in self.planned
            if part.name in self.done and self.done[part.name].missing
        ]
        if missing:
            lines += ["## Not run", "", *(f"- {name}: {why}" for name, why in missing), ""]
        figures = [part for part in self.planned if part.figures and part.name in self.done and self.done[part.name].lines]
        if figures:
            lines += ["## Figures", ""]
        for part in figures:
            lines += [f"{part.name}", "", *(f"    {line}" for line in self.done[part.name].lines), ""]
        return "\n".join(lines)

    def write(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = self.path.with_name(self.path.name + ".part")
        unfinished.write_text(self.text(), encoding="utf-8")
        os.replace(unfinished, self.path)
