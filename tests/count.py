"""Counts test cases in meson's JUnit files and prints one closing line; names what failed or was skipped, and why."""

import sys
import xml.etree.ElementTree as ElementTree


def main(paths: list[str]) -> int:
    passed = failed = skipped = 0
    for path in paths:
        for case in ElementTree.parse(path).getroot().iter("testcase"):
            name = f"{case.get('classname', '')} {case.get('name', '')}".strip()
            problem = case.find("failure")
            if problem is None:
                problem = case.find("error")
            skip = case.find("skipped")
            if problem is not None:
                failed += 1
                print(f"failed: {name} {problem.get('message') or ''}")
            elif skip is not None:
                skipped += 1
                print(f"skipped: {name} {skip.get('message') or skip.text or ''}")
            else:
                passed += 1
    if passed + failed == 0:
        print("no test ran")
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed or passed == 0 else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
