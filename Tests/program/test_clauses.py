"""The ledger of the standard's clauses agrees with the tests; and what would be wrong with it is found."""

import shutil
import subprocess
import sys

import pytest
from conftest import ROOT


@pytest.fixture
def tree(tmp_path):
    """The ledger and the tests, to be spoilt."""
    (tmp_path / "docs").mkdir()
    shutil.copy(ROOT / "docs" / "ngsi-ld.md", tmp_path / "docs")
    for folder in ["HubHTTPTests", "HubTests", "MQTTTests", "NGSITests", "QueryTests", "program"]:
        shutil.copytree(ROOT / "Tests" / folder, tmp_path / "Tests" / folder,
                        ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


def check(root):
    done = subprocess.run([sys.executable, ROOT / "scripts" / "clauses.py", "--root", root], text=True,
                          capture_output=True, check=False)
    return done.returncode, done.stderr


def change(file, old, new):
    text = file.read_text(encoding="utf-8")
    assert old in text, f"{old!r} is not in {file.name}"
    file.write_text(text.replace(old, new, 1), encoding="utf-8")


def test_the_ledger_agrees_with_the_tests(tree):
    assert check(tree) == (0, "")


def row(tree, clause):
    lines = (tree / "docs" / "ngsi-ld.md").read_text(encoding="utf-8").splitlines()
    return next(line for line in lines if line.startswith(f"| {clause} | "))


ENTITY_TESTS = "Tests/HubHTTPTests/EntityTests.swift"
FIRST_TEST = "func createdEntityIsReadBackAsItCame"


@pytest.mark.parametrize("spoil, complaint", [
    (lambda tree: change(tree / "docs/ngsi-ld.md", row(tree, "5.13.2") + "\n", ""), "5.13.2 has no row"),
    (lambda tree: change(tree / "docs/ngsi-ld.md", "| 5.12 |", "| 5.99 |"), "5.99 has a row, and is not in the list"),
    (lambda tree: change(tree / "Tests/HubHTTPTests/EarlierVersionTests.swift", "Clauses: 6.3.21", "Clauses: 6.3.20"),
     "is done, and no test proves it"),
    (lambda tree: change(tree / "docs/ngsi-ld.md", row(tree, "4.4"), row(tree, "4.4").replace("done", "not yet")),
     "4.4 is 'not yet', and"),
    (lambda tree: change(tree / "docs/ngsi-ld.md", row(tree, "4.4"), row(tree, "4.4").replace("done", "partly")),
     "4.4 is 'partly' and does not say what"),
    (lambda tree: change(tree / "docs/ngsi-ld.md", row(tree, "4.4"), row(tree, "4.4").replace("done", "fine")),
     "no state"),
    (lambda tree: change(tree / ENTITY_TESTS, FIRST_TEST, "func renamed"), "its tests are not those of the tree"),
    (lambda tree: change(tree / ENTITY_TESTS, "Clauses: 5.6.1,", "Clauses: 5.6.99,"), "names 5.6.99, which has no row"),
    (lambda tree: change(tree / ENTITY_TESTS, "Clauses: 5.6.1,", "Clauses: some,"), "'some' is no clause"),
    (lambda tree: change(tree / ENTITY_TESTS, "  // Clauses: 5.6.1", "  // Of old: 5.6.1"),
     "EntityTests/createdEntityIsReadBackAsItCame names no clause"),
    (lambda tree: change(tree / "Tests/HubTests/PlacesTests.swift", "Clauses: none: sending within bounds is our own",
                         "Clauses: none"), "does not say why"),
])
def test_what_is_wrong_is_found(tree, spoil, complaint):
    spoil(tree)
    code, said = check(tree)
    assert code == 1 and complaint in said
