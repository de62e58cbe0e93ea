"""Drives the console in Debian's Chromium.

The server is, in this order: the one at MADANG_URL; the binary MADANG_BIN, started with
`up Examples/demo.city.yaml --data <temporary> --port 0`, which prints `ready URL`; `.build/*/madang` of this
checkout. Without any the tests are skipped by name.
"""

import json
import os
import subprocess
import tempfile
import time
import urllib.request
from pathlib import Path

import pytest
from playwright.sync_api import sync_playwright

ROOT = Path(__file__).resolve().parents[2]
SHOTS = ROOT / ".build-shots"
CHROMIUM = "/usr/bin/chromium"
# Software WebGL: the map is drawn on machines without a graphics card.
FLAGS = ["--no-sandbox", "--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader",
         "--ignore-gpu-blocklist"]
LOOPBACK = ("http://127.0.0.1", "http://localhost", "http://[::1]", "data:", "blob:", "about:")


def pytest_addoption(parser):
    parser.addoption("--readme-picture", action="store_true", help="write docs/images/city.png")


def find_binary():
    named = os.environ.get("MADANG_BIN")
    candidates = [Path(named)] if named else [ROOT / ".build" / kind / "madang" for kind in ("release", "debug")]
    return next((path for path in candidates if path.exists()), None)


@pytest.fixture(scope="session")
def server():
    """Base address of a running city without the final slash."""
    given = os.environ.get("MADANG_URL")
    if given:
        yield given.rstrip("/")
        return
    binary = find_binary()
    if binary is None:
        pytest.skip("browser tests: no server; set MADANG_BIN or MADANG_URL, or build madang")
    with tempfile.TemporaryDirectory(suffix=".madang") as data:
        command = [str(binary), "up", "Examples/demo.city.yaml", "--data", data, "--port", "0"]
        process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        try:
            line = ""
            while not line.startswith("ready "):
                line = process.stdout.readline()
                assert line, f"{binary} ended before it was ready"
            yield line.split()[1].rstrip("/")
        finally:
            process.terminate()
            process.wait(timeout=30)


class City:
    """The city under test, through its own NGSI-LD API."""

    def __init__(self, base):
        self.base = base

    def json(self, path):
        with urllib.request.urlopen(self.base + path, timeout=30) as answer:
            return json.load(answer)

    def send(self, method, path, body):
        request = urllib.request.Request(
            self.base + path, json.dumps(body).encode(), {"Content-Type": "application/json"}, method=method)
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status

    def wait_until(self, condition, seconds=60):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if condition():
                return
            time.sleep(0.25)
        raise AssertionError("the city did not come to the state that the test waits for")


@pytest.fixture(scope="session")
def city(server):
    city = City(server)
    city.json("/console/overview")
    city.wait_until(lambda: city.json("/console/overview")["phase"] == "ready")
    city.wait_until(lambda: city.json("/console/overview")["total"] > 0)
    return city


@pytest.fixture(scope="session")
def browser():
    if not Path(CHROMIUM).exists():
        pytest.skip("browser tests: no chromium; make setup installs it")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


class Watch:
    """What a page must never do: errors, violations of its policy, requests beyond this machine."""

    def __init__(self, page, allowed_status=()):
        self.faults = []
        page.on("pageerror", lambda error: self.faults.append(f"error: {error}"))
        page.on("console", self.console)
        page.on("requestfailed", self.failed)
        page.on("response", lambda r: self.answered(r, allowed_status))

    def console(self, message):
        # A status of 4xx or 5xx is judged where the response is seen.
        if message.type in ("error", "warning") and "Failed to load resource" not in message.text:
            if "GPU stall" not in message.text and "GL Driver Message" not in message.text:
                self.faults.append(f"{message.type}: {message.text}")

    def failed(self, request):
        # A page that is left cuts its stream and what it was reading.
        if request.failure != "net::ERR_ABORTED":
            self.faults.append(f"request failed: {request.url} {request.failure}")

    def answered(self, response, allowed):
        if response.status >= 400 and response.status not in allowed:
            self.faults.append(f"{response.status}: {response.url}")


@pytest.fixture
def visit(browser, server):
    """`visit(path, language, width, height, …)` opens a page of the city in a context of its own."""
    contexts, watches = [], []

    def open_page(path, language="ko", width=1280, height=800, dark=True, allowed_status=(), wait=True):
        context = browser.new_context(
            viewport={"width": width, "height": height}, locale="ko-KR" if language == "ko" else "en-US",
            color_scheme="dark" if dark else "light", reduced_motion="reduce")
        contexts.append(context)

        def only_here(route):
            if route.request.url.startswith(LOOPBACK):
                route.continue_()
            else:
                watch.faults.append(f"beyond this machine: {route.request.url}")
                route.abort()

        context.route("**/*", only_here)
        page = context.new_page()
        watch = Watch(page, allowed_status)
        watches.append(watch)
        page.goto(server + path)
        if wait:
            settle(page)
        return page

    yield open_page
    for context in contexts:
        context.close()
    faults = [fault for watch in watches for fault in watch.faults]
    assert not faults, faults


def settle(page):
    """Waits until the stream is live, the map has drawn, and the charts are there."""
    page.wait_for_selector("#stream[data-state=live]", timeout=60000)
    if page.query_selector("#map"):
        page.wait_for_selector("#map[data-ready]", timeout=90000)
    if page.query_selector("figure.chart"):
        page.wait_for_selector("#entity[data-history]", timeout=60000)
    page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")


def until(page, expression, seconds=60):
    """Waits for an expression to be true; asked from outside, as the page's policy allows no evaluation inside."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if page.evaluate(expression):
            return
        page.wait_for_timeout(150)
    raise AssertionError(f"never true: {expression}")


@pytest.fixture(scope="session")
def shots():
    SHOTS.mkdir(exist_ok=True)
    return SHOTS
