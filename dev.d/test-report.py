#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Counts what meson's tests held: test-report.py testlog.json MESON-STATUS.

A test that speaks TAP counts with each of its cases, any other as one. The logs of those that failed are
printed, and the last line is "N passed, N failed, N skipped". The exit code is 1 when something failed."""

import json
import re
import sys

CASE = re.compile(r"^(not )?ok\b[ \t]*\d*[ \t]*(?:-[ \t]*)?([^#\n]*)(?:#[ \t]*(\w+)(.*))?$")


def cases(stdout):
    """Outermost TAP cases as (outcome, name, reason)."""
    for line in stdout.splitlines():
        match = CASE.match(line)
        if not match:
            continue
        bad, name, directive, reason = match.groups()
        directive = (directive or "").lower()
        if directive.startswith("skip"):
            yield "skipped", name.strip(), (reason or "").strip()
        elif bad and directive != "todo":
            yield "failed", name.strip(), ""
        else:
            yield "passed", name.strip(), ""


def main():
    path, status = sys.argv[1], int(sys.argv[2])
    count = {"passed": 0, "failed": 0, "skipped": 0}
    reasons = {}
    try:
        with open(path, encoding="utf-8", errors="replace") as log:
            tests = [json.loads(line) for line in log if line.strip()]
    except FileNotFoundError:
        tests = []

    for test in tests:
        outcome = {"OK": "passed", "EXPECTEDFAIL": "passed", "SKIP": "skipped"}.get(test["result"], "failed")
        found = list(cases(test.get("stdout") or ""))
        if not found:
            found = [(outcome, test["name"], "")]
        elif outcome == "failed" and not any(f[0] == "failed" for f in found):
            # It died, hung or leaked after its last good case.
            found.append(("failed", f"{test['name']}: {test['result'].lower()}", ""))
        for kind, name, reason in found:
            count[kind] += 1
            if kind == "skipped":
                reasons.setdefault(reason or "no reason given", []).append(f"{test['name']} {name}".strip())
        if outcome == "failed":
            print(f"\n==== {test['name']}: {test['result']}, {test['duration']:.1f} s")
            for stream in ("stdout", "stderr"):
                text = (test.get(stream) or "").rstrip()
                if text:
                    lines = text.splitlines()
                    print(f"---- {stream}" + (f" (last 200 of {len(lines)} lines)" if len(lines) > 200 else ""))
                    print("\n".join(lines[-200:]))

    for reason, names in reasons.items():
        print(f"skipped ({reason}): {', '.join(names[:4])}{' and %d more' % (len(names) - 4) if len(names) > 4 else ''}")
    if not tests:
        print("no test ran")
    print(f"{count['passed']} passed, {count['failed']} failed, {count['skipped']} skipped")
    return 1 if count["failed"] or status != 0 or not tests else 0


if __name__ == "__main__":
    sys.exit(main())
