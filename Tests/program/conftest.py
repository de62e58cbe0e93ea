"""Drives the program as its users do: over HTTP and signals, against a folder on disk."""

import csv
import io
import os
import signal
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def audited(text):
    """Rows of a report of `madang audit`, as they were before fields that look like formulas were led by an apostrophe."""
    return [{name: value[1:] if value[:1] == "'" and value[1:2] in tuple("=+-@") else value for name, value in row.items()}
            for row in csv.DictReader(io.StringIO(text))]


def find_binary():
    named = os.environ.get("MADANG") or os.environ.get("MADANG_BIN")
    candidates = [Path(named)] if named else [ROOT / ".build" / kind / "madang" for kind in ("release", "debug")]
    return next((path for path in candidates if path.exists()), None)


@pytest.fixture(scope="session")
def binary():
    found = find_binary()
    if found is None:
        pytest.skip("program tests: no program; set MADANG, or build madang")
    return str(found)


@pytest.fixture(scope="session")
def data():
    """The folder with real data."""
    folder = Path(os.environ.get("MADANG_DATA") or ROOT.parent / "shared" / "data")
    if not folder.is_dir():
        pytest.skip(f"program tests: no real data at {folder}")
    return folder


class City:
    """A running program."""

    def __init__(self, binary, *arguments):
        port = [] if "--port" in arguments else ["--port", "0"]
        self.process = subprocess.Popen([binary, "up", *map(str, arguments), *port], cwd=ROOT,
                                        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        line = self.process.stdout.readline()
        assert line.startswith("ready "), f"the program said {line!r} instead of being ready"
        self.url = line.split()[1].rstrip("/")
        self.api = self.url + "/ngsi-ld/v1"

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(timeout=30)

    def stop(self):
        self.process.terminate()
        return self.process.wait(timeout=60)

    def memory(self):
        """Resident megabytes."""
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as status:
            return next(int(line.split()[1]) for line in status if line.startswith("VmRSS")) / 1024


@pytest.fixture
def start(binary):
    """Starts a program; it is gone after the test."""
    running = []

    def make(*arguments):
        city = City(binary, *arguments)
        running.append(city)
        return city

    yield make
    for city in running:
        if city.process.poll() is None:
            city.kill()
