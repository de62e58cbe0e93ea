"""Checks the documentation offline: every relative link and picture exists, every #heading is there."""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LINK = re.compile(r"!?\[[^\]]*\]\(\s*<?([^)\s>]+)>?(?:\s+\"[^\"]*\")?\s*\)")
CODE = re.compile(r"```.*?```|`[^`\n]*`", re.DOTALL)


def slug(heading: str) -> str:
    """A heading as the fragment that leads to it: lower case, no punctuation, hyphens for spaces."""
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).strip().lower()
    return re.sub(r"[^\w\- ]", "", text).replace(" ", "-")


def fragments(page: Path) -> set[str]:
    """Every fragment of a page; a repeated heading gets -1, -2 and so on."""
    found: dict[str, int] = {}
    names = set()
    text = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
    for heading in re.findall(r"^#{1,6}\s+(.+?)\s*#*$", text, flags=re.MULTILINE):
        name = slug(heading)
        names.add(f"{name}-{found[name]}" if name in found else name)
        found[name] = found.get(name, 0) + 1
    return names


def problems(page: Path) -> list[str]:
    """One sentence for each link of the page that leads nowhere."""
    text = CODE.sub(lambda code: "\n" * code[0].count("\n"), page.read_text())
    wrong = []
    for match in LINK.finditer(text):
        target = match[1]
        if re.match(r"[a-z][a-z0-9+.-]*:", target):
            continue
        path, _, fragment = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        line = text.count("\n", 0, match.start()) + 1
        where = f"{page.relative_to(ROOT)}:{line}"
        if not file.exists():
            wrong.append(f"{where}: {path} does not exist")
        elif fragment and file.suffix == ".md" and fragment not in fragments(file):
            wrong.append(f"{where}: {path or page.name} has no heading #{fragment}")
    return wrong


def main() -> int:
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.md"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    pages = [page for page in map(ROOT.joinpath, listed.splitlines()) if page.exists()]
    wrong = [problem for page in pages for problem in problems(page)]
    print("\n".join(wrong + [f"docs: {len(pages)} pages, {len(wrong)} links that lead nowhere"]))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
