# SPDX-License-Identifier: LGPL-2.1-or-later
"""Counts test cases in meson's JUnit files and prints one closing line; names what failed or was skipped, and why.

A program that dies between its cases has no failed case in meson's JUnit file (1.0 leaves "Bail out!" out of it): meson's own log knows,
so each program that it calls failed, and that has no failed case, counts as one."""

import json
import sys
import xml.etree.ElementTree as ElementTree

GOOD = ("OK", "SKIP", "EXPECTEDFAIL")


def main(paths: list[str]) -> int:
    passed = failed = skipped = 0
    troubled: set[str] = set()
    for path in (p for p in paths if p.endswith(".xml")):
        for suite in ElementTree.parse(path).getroot().iter("testsuite"):
            for case in suite.iter("testcase"):
                name = f"{case.get('classname', '')} {case.get('name', '')}".strip()
                problem = case.find("failure")
                if problem is None:
                    problem = case.find("error")
                skip = case.find("skipped")
                if problem is not None:
                    failed += 1
                    troubled |= {suite.get('name', ''), case.get('name', '')}  # a TAP program is a suite, any other a case
                    print(f"failed: {name} {problem.get('message') or ''}")
                elif skip is not None:
                    skipped += 1
                    print(f"skipped: {name} {skip.get('message') or skip.text or ''}")
                else:
                    passed += 1
    for path in (p for p in paths if p.endswith(".json")):
        with open(path, encoding="utf-8") as log:
            for program in map(json.loads, log):
                name = program["name"]  # "upi:core / program-arena"; its suite in JUnit is "upi.upi:core / program-arena"
                if program["result"] not in GOOD and not any(t.endswith(name) for t in troubled):
                    failed += 1
                    print(f"failed: {name} {program['result']}, exit status {program['returncode']}, beside the cases that it reported")
    if passed + failed == 0:
        print("no test ran")
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed or passed == 0 else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
