"""Looks for secrets in what git tracks, in what it would track, and in every line that a commit ever added.

    find-secrets.py [FOLDER]

The finding is done by detect-secrets and by the patterns below. What it finds and is none (test vectors) stands in
known-secrets.txt beside this file, with the reason. What was found clean is not looked at again (.build-lint/clean).
Exit code 1 when something was found.
"""

import hashlib
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from detect_secrets.__version__ import VERSION
from detect_secrets.core.plugins.util import get_mapping_from_secret_type_to_class
from detect_secrets.core.scan import scan_file
from detect_secrets.plugins.base import RegexBasedDetector
from detect_secrets.settings import transient_settings

HERE = Path(__file__).resolve().parent
KNOWN = HERE / "known-secrets.txt"
LEFT_OUT = {"IPPublicDetector"}  # an address is no secret
# Where a word like "password" before a text says nothing: tests make their own, and texts for people speak of them.
WORDS = re.compile(r"^Tests/|/strings/[^/]+\.json$")


class OtherKeyDetector(RegexBasedDetector):
    """Keys that detect-secrets does not know: of signed notes (C2SP), and PEM under a password."""

    secret_type = "Other Key"
    denylist = [
        re.compile(r"PRIVATE\+KEY\+[^+\s]+\+[0-9a-f]{8}\+[A-Za-z0-9+/=]{40,}"),
        re.compile(r"BEGIN ENCRYPTED[ ]PRIVATE KEY"),
    ]


def settings():
    """Every detector and the filters that detect-secrets starts with, but none that lets a comment excuse a line."""
    own = {"name": "OtherKeyDetector", "path": f"file://{Path(__file__).resolve()}"}
    names = sorted(kind.__name__ for kind in get_mapping_from_secret_type_to_class().values())
    get_mapping_from_secret_type_to_class.cache_clear()  # it is to see ours, too
    heuristics = ["is_indirect_reference", "is_likely_id_string", "is_not_alphanumeric_string", "is_potential_uuid",
                  "is_prefixed_with_dollar_sign", "is_sequential_string", "is_templated_secret"]
    return {
        "plugins_used": [own] + [{"name": name} for name in names if name not in LEFT_OUT | {own["name"]}],
        "filters_used": [{"path": "detect_secrets.filters.heuristic." + name} for name in heuristics],
    }


def known():
    """What is none, as (path, hash)."""
    lines = KNOWN.read_text(encoding="utf-8").splitlines()
    return {tuple(line.split(None, 2)[:2]) for line in lines if line[:1] not in ("", "#")}


def git(root, *arguments):
    return subprocess.run(["git", *arguments], cwd=root, capture_output=True, check=True).stdout


def tracked(root):
    """What git tracks or would track, as (path, content)."""
    for path in git(root, "ls-files", "-z", "--cached", "--others", "--exclude-standard").decode().split("\0"):
        file = root / path
        if path and file.is_file() and not file.is_symlink():
            yield path, file.read_bytes()


def added(root, seen):
    """The lines that each commit added which is not among the seen ones, as (commit, path, line)."""
    if subprocess.run(["git", "rev-parse", "-q", "--verify", "HEAD"], cwd=root, capture_output=True, check=False).returncode:
        return
    log = git(root, "-c", "core.quotePath=false", "log", "--diff-merges=first-parent", "-p", "-U0", "--no-renames",
              "--no-color", "--no-ext-diff", "--src-prefix=a/", "--dst-prefix=b/", "--format=%x00%H", "HEAD")
    commit = path = None
    head = False  # between a file's `diff` and its first `@@`, where +++ is no added line
    for line in log.decode(errors="replace").split("\n"):
        if line.startswith("\0"):
            commit = line[1:]
        elif line.startswith("diff "):
            head = True
        elif line.startswith("@@"):
            head = False
        elif head and line.startswith("+++ "):
            path = line[6:].rstrip("\t")
        elif not head and line.startswith("+") and commit not in seen:
            yield commit, path, line[1:]


class Search:
    """Finds secrets in contents, by detect-secrets as it is set up."""

    def __init__(self, scratch):
        self.none = known()
        self.scratch = Path(scratch)
        self.count = 0

    def look(self, path, content):
        """Kind, hash and line number of each secret that is not known to be none."""
        if b"\0" in content[:8000]:
            return []
        self.count += 1
        file = self.scratch / Path(path).name
        file.write_bytes(content)
        found = [(one.type, one.secret_hash, one.line_number) for one in scan_file(str(file))]
        file.unlink()
        if WORDS.search(path):
            found = [one for one in found if one[0] != "Secret Keyword"]
        return [one for one in found if (path, one[1]) not in self.none]


def search(root, clean, scratch):
    """One line for each finding; what is clean is added to the names of the clean."""
    search, findings, here = Search(scratch), [], {}
    for path, content in tracked(root):
        here[path] = set(content.decode(errors="replace").split("\n"))
        name = f"{hashlib.sha256(content).hexdigest()} {path}"
        if name in clean:
            continue
        found = search.look(path, content)
        findings += [f"{path}:{line}: {kind} ({digest})" for kind, digest, line in found]
        if not found:
            clean.add(name)
    lines, commits = {}, set()
    for commit, path, line in added(root, clean):
        commits.add(commit)
        if line not in here.get(path, ()):
            lines.setdefault(path, {}).setdefault(line, commit)
    before = len(findings)
    for path, once in lines.items():
        for kind, digest, number in search.look(path, "\n".join(once).encode()):
            findings.append(f"{path} in commit {list(once.values())[number - 1][:12]}: {kind} ({digest})")
    if len(findings) == before:
        clean |= commits
    return findings


def main():
    root = Path(sys.argv[1] if len(sys.argv) > 1 else HERE.parent).resolve()
    rules = hashlib.sha256(Path(__file__).read_bytes() + KNOWN.read_bytes() + VERSION.encode()).hexdigest()
    memory = root / ".build-lint" / "clean"
    lines = memory.read_text(encoding="utf-8").splitlines() if memory.exists() else []
    clean = set(lines[1:]) if lines[:1] == [rules] else set()
    with transient_settings(settings()), tempfile.TemporaryDirectory() as scratch:
        findings = search(root, clean, scratch)
    memory.parent.mkdir(exist_ok=True)
    memory.write_text("\n".join([rules, *sorted(clean)]) + "\n", encoding="utf-8")
    for finding in findings:
        print("secrets:", finding)
    if findings:
        print("secrets: take it out and make it worthless; what is none goes into scripts/known-secrets.txt with its reason")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
