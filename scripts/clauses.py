#!/usr/bin/env python3
"""Holds docs/ngsi-ld.md, the ledger of the standard's clauses, against the tests.

A test, or a suite for all its tests, says above itself which clauses it proves:

    // Clauses: 5.6.1, 5.7.5-5.7.10          (Swift; `# Clauses: …` in Python, above a test or at the head of a file)
    // Clauses: none: why it proves none of them

A row of the ledger covers its clause and all clauses below it that have no row of their own; a heading only itself. Its tests are written by
`scripts/clauses.py --write` from what the tests say; without `--write` this fails where the two differ, and where

- a number of the ledger's own list has no row, or a row's number is not in the list;
- a clause that is done has no test, one that is not begun has some, or one that is not done gives no reason;
- a test names a clause that no row has, or a test of the NGSI-LD suites names none.
"""

import argparse
import re
import sys
from pathlib import Path

STATES = {"done", "partly", "not yet", "not applicable", "heading"}
SUITES = ["HubHTTPTests", "HubTests", "MQTTTests", "NGSITests", "QueryTests"]
MARK = re.compile(r"\s*(?://|#) Clauses: (.*)")
ROW = re.compile(r"\| ([0-9A-Z][0-9.]*) \| ([^|]*) \| ([^|]*) \| ([^|]*) \|$")
NUMBER = re.compile(r"[0-9A-Z](?:\.[0-9]+)*")


def numbers(text):
    """The clauses that a mark or the ledger's list names; `5.7.5-5.7.10` is all between."""
    found = []
    for item in re.split(r"[,\s]+", text.strip()):
        first, _, last = item.partition("-")
        if not NUMBER.fullmatch(first) or (last and not NUMBER.fullmatch(last)):
            raise ValueError(f"'{item}' is no clause")
        if not last:
            found.append(first)
            continue
        stem, low = first.rsplit(".", 1)
        end, high = last.rsplit(".", 1)
        if stem != end or int(low) >= int(high):
            raise ValueError(f"'{item}' is no range of clauses")
        found += [f"{stem}.{number}" for number in range(int(low), int(high) + 1)]
    return found


def order(clause):
    """Sorts 4.10 behind 4.9, and annexes behind clauses."""
    return [(0, int(part), "") if part.isdigit() else (1, 0, part) for part in clause.split(".")]


class Tests:
    """What the tests say of themselves."""

    def __init__(self, root):
        self.clauses = {}
        """Clause to the names of its tests."""
        self.problems = []
        for folder in SUITES:
            for file in sorted((root / "Tests" / folder).glob("*.swift")):
                self.read_swift(file)
        for file in sorted((root / "Tests" / "program").glob("test_*.py")):
            self.read_python(file)

    def add(self, name, mark):
        if mark.startswith("none"):
            if len(mark) < len("none: why"):
                self.problems.append(f"{name} names no clause and does not say why")
            return
        try:
            for clause in numbers(mark):
                self.clauses.setdefault(clause, []).append(name)
        except ValueError as error:
            self.problems.append(f"{name}: {error}")

    def read_swift(self, file):
        suite, of_suite, mark, is_test = None, None, None, False
        for line in file.read_text(encoding="utf-8").splitlines():
            if found := MARK.match(line):
                mark = found[1]
            elif re.match(r"(?:@Suite.*)?\s*(?:final )?(?:struct|class) (\w+)", line) and (
                    "@Suite" in line or re.match(r"struct \w+Tests\b", line)):
                suite = re.search(r"(?:struct|class) (\w+)", line)[1]
                of_suite, mark = mark, None
                if of_suite:
                    self.add(suite, of_suite)
            else:
                is_test = is_test or bool(re.match(r"\s*@Test\b", line))
                found = re.search(r"\bfunc (\w+)", line)
                if is_test and found:
                    is_test = False
                    if mark:
                        self.add(f"{suite}/{found[1]}", mark)
                    elif not of_suite:
                        self.problems.append(f"{suite}/{found[1]} names no clause")
                    mark = None

    def read_python(self, file):
        mark = None
        for line in file.read_text(encoding="utf-8").splitlines():
            if found := MARK.match(line):
                mark = found[1]
            elif mark and line.startswith(("import ", "from ")):
                # At the head of the file it is said of all its tests.
                self.add(file.name, mark)
                mark = None
            elif mark and (found := re.match(r"def (test_\w+)", line)):
                self.add(f"{file.name}/{found[1]}", mark)
                mark = None


def listed(text):
    """The ledger's list of all clauses."""
    found = re.search(r"<!-- clauses -->(.*?)<!-- /clauses -->", text, re.S)
    return numbers(found[1]) if found else []


def check(text, tests):
    """The ledger with its tests, and what is wrong."""
    problems = list(tests.problems)
    rows, lines = {}, []
    known = listed(text)
    if len(known) != len(set(known)):
        problems.append("the ledger's list names a clause twice")
    for line in text.splitlines():
        found = ROW.match(line)
        if not found:
            lines.append(line)
            continue
        clause, name, state, _ = (part.strip() for part in found.groups())
        if clause in rows:
            problems.append(f"{clause} has two rows")
        rows[clause] = state
        names = sorted(set(tests.clauses.get(clause, [])))
        cell = ", ".join(f"`{name}`" for name in names)
        lines.append(f"| {clause} | {name} | {state} | {cell or '—'} |")
        kind, _, reason = state.partition(":")
        if kind not in STATES:
            problems.append(f"{clause} is '{kind}', which is no state")
        elif kind == "done" and not names:
            problems.append(f"{clause} is done, and no test proves it")
        elif kind in ("not yet", "not applicable", "heading") and names:
            problems.append(f"{clause} is '{kind}', and {names[0]} proves it")
        if kind in ("partly", "not applicable") and not reason.strip():
            problems.append(f"{clause} is '{kind}' and does not say what, or why")
    for clause in sorted(set(rows) - set(known), key=order):
        problems.append(f"{clause} has a row, and is not in the list of clauses")
    for clause in known:
        parts = clause.split(".")
        above = (".".join(parts[:length]) for length in range(len(parts) - 1, 0, -1))
        if clause not in rows and not any(rows.get(one, "heading") != "heading" for one in above):
            problems.append(f"{clause} has no row")
    for clause in sorted(set(tests.clauses) - set(rows), key=order):
        problems.append(f"{tests.clauses[clause][0]} names {clause}, which has no row")
    return "\n".join(lines) + "\n", problems


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--root", type=Path, default=Path(__file__).resolve().parents[1])
    parser.add_argument("--write", action="store_true", help="write the tests into the ledger")
    options = parser.parse_args()
    ledger = options.root / "docs" / "ngsi-ld.md"
    text = ledger.read_text(encoding="utf-8")
    told, problems = check(text, Tests(options.root))
    if told != text:
        if options.write:
            ledger.write_text(told, encoding="utf-8")
        else:
            problems.append("its tests are not those of the tree; run scripts/clauses.py --write")
    for problem in problems:
        print(f"docs/ngsi-ld.md: {problem}", file=sys.stderr)
    if not problems:
        states = [found[3].partition(":")[0] for found in map(ROW.match, told.splitlines()) if found]
        print(f"clauses: {len(listed(told))}, in {len(states)} rows; "
              + ", ".join(f"{states.count(state)} {state}" for state in sorted(STATES)))
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
