# SPDX-License-Identifier: LGPL-2.1-or-later
"""count.py counts what meson calls failed even where no case says so: a program that died between its cases."""

import contextlib
import io
import json
import pathlib
import tempfile
import unittest

import count

SUITE = '<testsuites><testsuite name="upi.upi:core / views"><testcase name="1 /a" classname="upi.upi:core / views">{}</testcase></testsuite></testsuites>'


class Count(unittest.TestCase):
    def closing(self, case: str, result: str) -> tuple[int, str]:
        """Exit status and last line for one program whose only case is `case`, and of which meson says `result`."""
        with tempfile.TemporaryDirectory() as folder:
            xml, log = pathlib.Path(folder, "testlog.junit.xml"), pathlib.Path(folder, "testlog.json")
            xml.write_text(SUITE.format(case), encoding="utf-8")
            log.write_text(json.dumps({"name": "upi:core / views", "result": result, "returncode": -5}) + "\n", encoding="utf-8")
            with contextlib.redirect_stdout(io.StringIO()) as said:
                status = count.main([str(xml), str(log)])
        return status, said.getvalue().splitlines()[-1]

    def test_all_well(self) -> None:
        self.assertEqual(self.closing("", "OK"), (0, "1 passed, 0 failed, 0 skipped"))

    def test_a_program_that_died_after_a_good_case(self) -> None:
        self.assertEqual(self.closing("", "ERROR"), (1, "1 passed, 1 failed, 0 skipped"))

    def test_a_case_that_failed_counts_once(self) -> None:
        self.assertEqual(self.closing('<failure message="no"/>', "FAIL"), (1, "0 passed, 1 failed, 0 skipped"))


if __name__ == "__main__":
    unittest.main()
