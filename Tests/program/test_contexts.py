"""Contexts of users come from servers that nobody vouches for: they hang, drip, loop and swell."""

# Clauses: 5.13.1

import json
import socketserver
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

SECONDS = 30
"""Longest time to an answer: one context has 10 s, a request 15 s for all that it needs."""

CONTEXT = '{"@context": {"Bench": "https://example.org/Bench", "seats": "https://example.org/seats"}}'


class Unruly(socketserver.BaseRequestHandler):
    """A web server with a manner for each path."""

    def handle(self):
        head = b""
        while b"\r\n\r\n" not in head:
            part = self.request.recv(4096)
            if not part:
                return
            head += part
        path = head.split(b" ")[1].decode()
        self.server.asked.append(path)
        manner, _, rest = path.strip("/").partition("/")
        try:
            getattr(self, manner)(rest)
        except OSError:
            pass  # The other side had enough.

    def answer(self, status, body=b"", **headers):
        head = f"HTTP/1.1 {status}\r\nContent-Type: application/ld+json\r\nConnection: close\r\n"
        head += "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        self.request.sendall((head + f"Content-Length: {len(body)}\r\n\r\n").encode() + body)

    def good(self, _):
        self.answer("200 OK", CONTEXT.encode())

    def hangs(self, _):
        self.server.over.wait(60)

    def drips(self, _):
        self.request.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/ld+json\r\nContent-Length: 100\r\n\r\n")
        while not self.server.over.wait(1):
            self.request.sendall(b" ")

    def redirects(self, step):
        # Without an end: each address leads to another.
        self.answer("302 Found", Location=f"{self.server.url}/redirects/{int(step or 0) + 1}")

    def turns(self, _):
        self.answer("301 Moved Permanently", Location=f"{self.server.url}/turns")

    def itself(self, _):
        self.answer("200 OK", json.dumps({"@context": f"{self.server.url}/itself"}).encode())

    def one(self, _):
        self.answer("200 OK", json.dumps({"@context": [f"{self.server.url}/other"]}).encode())

    def other(self, _):
        self.answer("200 OK", json.dumps({"@context": [f"{self.server.url}/one"]}).encode())

    def chain(self, step):
        time.sleep(4)
        self.answer("200 OK", json.dumps({"@context": f"{self.server.url}/chain/{int(step or 0) + 1}"}).encode())

    def large(self, _):
        self.answer("200 OK", b'{"@context": {"a": "' + b"x" * (5 << 20) + b'"}}')

    def endless(self, _):
        self.request.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/ld+json\r\nConnection: close\r\n\r\n")
        while not self.server.over.is_set():
            self.request.sendall(b" " * 65536)

    def deep(self, _):
        self.answer("200 OK", b'{"@context": ' + b"[" * 100_000 + b"]" * 100_000 + b"}")


class Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True


@pytest.fixture
def unruly():
    with Server(("127.0.0.1", 0), Unruly) as server:
        server.url = f"http://127.0.0.1:{server.server_address[1]}"
        server.asked, server.over = [], threading.Event()
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.over.set()
        server.shutdown()


MANNERS = ["hangs", "drips", "redirects", "turns", "itself", "one", "chain", "large", "endless", "deep"]


def test_unruly_contexts_are_refused_in_time_and_slow_nobody(start, unruly):
    city = start("--empty")

    def create(number, context):
        begun = time.monotonic()
        answer = requests.post(
            f"{city.api}/entities", timeout=2 * SECONDS, headers={"Content-Type": "application/ld+json"},
            json={"@context": context, "id": f"urn:ngsi-ld:Bench:{number}", "type": "Bench", "seats": 3})
        return context, answer, time.monotonic() - begun

    worst = 0.0
    waiting = threading.Event()

    def others():
        """What a client without such contexts sees meanwhile: the longest answer."""
        nonlocal worst
        number = 0
        while not waiting.is_set():
            begun = time.monotonic()
            number += 1
            assert create(f"plain{number}", {"seats": "https://example.org/seats"})[1].status_code == 201
            assert requests.get(f"{city.api}/entities/urn:ngsi-ld:Bench:plain{number}",
                                timeout=SECONDS).status_code == 200
            worst = max(worst, time.monotonic() - begun)
            time.sleep(0.05)
        return number

    with ThreadPoolExecutor(64) as pool:
        bystander = pool.submit(others)
        asked = [pool.submit(create, f"{manner}{number}", f"{unruly.url}/{manner}")
                 for manner in MANNERS for number in range(4)]
        answers = [future.result() for future in asked]
        waiting.set()
        served = bystander.result()
    for context, answer, seconds in answers:
        assert 400 <= answer.status_code < 600 and answer.status_code != 500, (context, answer.status_code, answer.text)
        problem = answer.json()
        assert problem["type"].startswith("https://uri.etsi.org/ngsi-ld/errors/") and problem["title"], context
        assert seconds < SECONDS, (context, seconds)
    assert served > 20 and worst < 2, f"others waited {worst:.2f} s"
    assert len([path for path in unruly.asked if path.startswith("/redirects")]) <= 4, "redirects are bounded"
    assert len([path for path in unruly.asked if path == "/hangs"]) == 1, "many who wait ask once"
    # Nothing of it is left: a good context serves, and what failed fails at once, from memory.
    assert create("good", f"{unruly.url}/good")[1].status_code == 201
    before = len(unruly.asked)
    _, answer, seconds = create("again", f"{unruly.url}/hangs")
    assert answer.status_code >= 400 and seconds < 2 and len(unruly.asked) == before
    assert requests.get(f"{city.api}/entities?type=Bench&limit=1", timeout=10,
                        headers={"Link": f'<{unruly.url}/good>; rel="http://www.w3.org/ns/json-ld#context"; '
                                         'type="application/ld+json"'}).status_code == 200
    assert city.memory() < 400
