"""Takes the browser libraries of the console out of two PyPI wheels: web-assets.py FOLDER.

pip fetches the wheels and checks their hashes (web-assets.txt); every file taken is checked against
web-assets.sha256; the folder is replaced only when all of them are right.
"""

import hashlib
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
BUNDLED = "panel/dist/bundled/"
TABULATOR = BUNDLED + "datatabulator/tabulator-tables@6.4.0/dist/"

# Name in the folder: (wheel, path in the wheel). MapLibre GL 5.24.0 has no version in its path, and the
# copy of its style sheet in panel is cut off at 64 KB: that one file comes from maplibre (5.3.0).
FILES = {
    "maplibre-gl.js": ("panel", BUNDLED + "deckglplot/maplibre-gl/dist/maplibre-gl.js"),
    "maplibre-gl.css": ("maplibre", "maplibre/srcjs/maplibre-gl.css"),
    "deck.gl.min.js": ("panel", BUNDLED + "deckglplot/deck.gl@9.1.14/dist.min.js"),
    "echarts.min.js": ("panel", BUNDLED + "echarts/echarts@6.0.0/dist/echarts.min.js"),
    "tabulator.min.js": ("panel", TABULATOR + "js/tabulator.min.js"),
    "tabulator.min.css": ("panel", TABULATOR + "css/tabulator.min.css"),
}


def fetch(into: Path) -> dict[str, zipfile.ZipFile]:
    """The wheels by project name, through pip."""
    subprocess.run(
        [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "download"]
        + ["--no-deps", "--only-binary", ":all:", "--require-hashes"]
        + ["--requirement", str(HERE / "web-assets.txt"), "--dest", str(into)],
        check=True,
    )
    return {wheel.name.split("-")[0]: zipfile.ZipFile(wheel) for wheel in into.glob("*.whl")}


def expected() -> dict[str, str]:
    """File name to SHA-256, as pinned."""
    lines = (HERE / "web-assets.sha256").read_text().splitlines()
    return {name: digest for digest, name in (line.split() for line in lines)}


def main(folder: Path) -> None:
    pins = expected()
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".build-web-assets-") as scratch:
        wheels = fetch(Path(scratch, "wheels"))
        new = Path(scratch, "new")
        new.mkdir()
        for name, (wheel, path) in FILES.items():
            content = wheels[wheel].read(path)
            digest = hashlib.sha256(content).hexdigest()
            if digest != pins.get(name):
                sys.exit(f"web-assets: {name} has SHA-256 {digest}, expected {pins.get(name)}")
            Path(new, name).write_bytes(content)
        shutil.rmtree(folder, ignore_errors=True)
        new.rename(folder)


if __name__ == "__main__":
    try:
        main(Path(sys.argv[1]).resolve())
    except subprocess.CalledProcessError:
        sys.exit("web-assets: pip could not fetch the wheels named in scripts/web-assets.txt")
