"""How often a caller may ask: limits from the manifest, and floods that slow nobody else."""

import http.client
import json
import os
import ssl
import subprocess
import sys
import textwrap
import time
from urllib.parse import urlsplit

import pytest
import requests
from conftest import ROOT, audited
from test_access import Guarded
from test_adapters import manifest
from test_devices import free_port
from test_identity import Person

LIMITS = """limits:
  requests:
    client: {reads: 5, writes: 1, seconds: 4}
"""


def make(binary, folder, more=""):
    class Limited(Guarded):
        def start(self, port=0):
            if more and more not in self.manifest.read_text(encoding="utf-8"):
                with open(self.manifest, "a", encoding="utf-8") as file:
                    file.write(more)
            super().start(port)

    return Limited(binary, folder)


@pytest.fixture
def limited(binary, tmp_path):
    city = make(binary, tmp_path, LIMITS)
    yield city
    if city.process.poll() is None:
        city.stop()


def test_each_caller_has_limits_of_his_own(limited):
    busy, _ = limited.client("operator")
    calm, _ = limited.client("operator")
    answers = [requests.get(limited.api + "/types", headers=busy, timeout=30) for _ in range(40)]
    refused = [one for one in answers if one.status_code == 429]
    assert {one.status_code for one in answers} == {200, 429} and 10 <= len(refused) <= 20
    assert [one.status_code for one in answers[:20]] == [200] * 20
    last = refused[-1]
    assert last.headers["Content-Type"] == "application/problem+json" and int(last.headers["Retry-After"]) >= 1
    assert last.headers["RateLimit-Policy"] == '"client-reads";q=20;w=4'
    assert last.headers["RateLimit"].startswith('"client-reads";r=0;t=')
    problem = last.json()
    assert (problem["status"], problem["violated-policies"]) == (429, ["client-reads"])
    assert problem["type"].startswith("https://iana.org/assignments/http-problem-types#")
    # Who has little left is told so before.
    assert "RateLimit" not in answers[0].headers and answers[19].headers["RateLimit"].startswith('"client-reads";r=0')
    # Entities are answered on a way of their own, which counts too.
    one = limited.api + "/entities/urn:ngsi-ld:A:1"
    assert {requests.get(one, headers=busy, timeout=30).status_code for _ in range(40)} >= {429}
    # Writes are counted apart; so is everybody else. A query by POST brings nothing.
    entity = {"id": "urn:ngsi-ld:A:1", "type": "A"}
    assert requests.post(limited.api + "/entities", json=entity, headers=busy, timeout=30).status_code == 403
    query = {"type": "Query", "entities": [{"type": "A"}]}
    asked = [requests.post(limited.api + "/entityOperations/query", json=query, headers=busy, timeout=30) for _ in range(40)]
    assert {one.headers.get("RateLimit", '"client-reads"').split(";")[0] for one in asked} == {'"client-reads"'}
    assert 429 in {one.status_code for one in asked}
    assert requests.get(limited.api + "/types", headers=calm, timeout=30).status_code == 200
    assert requests.get(limited.url + "/version", timeout=30).status_code == 200
    health = limited.administrator.get("/health.json").json()["limits"]
    assert health["refused"] >= 12 and 0 < health["buckets"]["value"] < health["buckets"]["bound"]
    # The log is for whoever watches it, however much he reads; wrong statements are few.
    with requests.Session() as session:
        assert {session.get(limited.url + "/log/key", timeout=30).status_code for _ in range(1200)} == {200}
        wrong = [session.post(limited.url + "/log/add", data=b"nonsense", timeout=30).status_code for _ in range(60)]
    assert wrong[0] == 400 and set(wrong) == {400, 429} and 28 <= wrong.count(400) <= 50
    time.sleep(1.1)
    assert requests.get(limited.api + "/types", headers=busy, timeout=30).status_code == 200


def test_an_open_city_counts_only_where_it_is_told_to(start, tmp_path):
    city = start("--empty")
    with requests.Session() as session:
        for _ in range(1500):
            answer = session.get(city.api + "/types", timeout=30)
            assert answer.status_code == 200 and "RateLimit" not in answer.headers
    assert "limits" not in requests.get(city.url + "/health.json", timeout=30).json()
    port = free_port()
    file = manifest(tmp_path, "")
    text = file.read_text(encoding="utf-8")
    assert "\nlimits:\n" in text
    limits = "\nlimits:\n  requests: {source: {reads: 1, writes: 1, seconds: 5}}\n"
    file.write_text(text.replace("\nlimits:\n", limits), encoding="utf-8")
    city = start(file, "--port", port, "--address", f"http://127.0.0.1:{port}")

    def ask(address, path="/ngsi-ld/v1/types"):
        return requests.get(city.url + path, headers={"X-Forwarded-For": "203.0.113.1, " + address}, timeout=30).status_code

    for path in ("/ngsi-ld/v1/types", "/version"):
        # The first 64 bits are one holder's.
        statuses = [ask(f"2001:db8:0:{1 if 'ngsi' in path else 2}::{number}", path) for number in range(12)]
        assert set(statuses) == {200, 429} and statuses[:5] == [200] * 5
    assert ask("2001:db8:0:3::1") == 200 and ask("192.0.2.1") == 200


class Behind(Guarded):
    """A closed city that writes down who opens its pages, started with what is given."""

    def __init__(self, binary, folder, *options):
        self.port = free_port()
        self.options = [str(one).format(self.port) for one in options]
        super().__init__(binary, folder)
        rules = 'permit(principal, action == Action::"watch", resource);'
        put = self.administrator.session.put(self.url + "/city/v1/rules", timeout=30,
                                             json={"rules": '@evidence("access") ' + rules})
        assert put.status_code < 300, put.text

    def start(self, port=0):
        if "requests:" not in self.manifest.read_text(encoding="utf-8"):
            with open(self.manifest, "a", encoding="utf-8") as file:
                file.write("limits:\n  requests: {source: {reads: 1, writes: 1, seconds: 20}}\n")
        with open(self.data.parent / "errors", "w", encoding="utf-8") as errors:
            self.process = subprocess.Popen([self.binary, "up", self.manifest, "--data", self.data, "--port", str(self.port),
                                             *self.options], cwd=ROOT, stdout=subprocess.PIPE, stderr=errors, text=True)
        self.url = self.process.stdout.readline().split()[1]
        self.said = (self.data.parent / "errors").read_text(encoding="utf-8")

    def page(self, headers, *forwarded, path="/", tls=None):
        """Status of a page; each of `forwarded` is a header line of its own."""
        if tls:
            trust = ssl.create_default_context(cafile=self.data / "devices" / "chain.pem")
            line = http.client.HTTPSConnection("localhost", tls, timeout=30, context=trust)
        else:
            line = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        line.putrequest("GET", path)
        for name, value in [*headers.items(), *(("X-Forwarded-For", one) for one in forwarded)]:
            line.putheader(name, value)
        line.endheaders()
        status = line.getresponse().status
        line.close()
        return status

    def sources(self):
        """Where the pages were opened from, as the log has it."""
        report = subprocess.run([self.binary, "audit", "--month", time.strftime("%Y-%m", time.gmtime()), "--data", self.data],
                                capture_output=True, text=True, timeout=60)
        assert report.returncode == 0, report.stderr
        return [row["source"] for row in audited(report.stdout) if row["action"] == "watch"]


def test_pages_know_the_client_behind_the_proxy_and_nobody_forges_him(binary, tmp_path):
    """A proxy adds whom it asks for to what the client said; what the client said counts for nothing."""
    tls = free_port()
    city = Behind(binary, tmp_path, "--address", "http://127.0.0.1:{}", "--tls-port", tls)
    try:
        reader, _ = city.client("operator")
        # One who says each time that he is another: first in the same line, then in a line before the proxy's.
        said = [("203.0.113.%d, 198.51.100.7" % number,) for number in range(20)]
        said += [("203.0.113.%d" % number, "198.51.100.7") for number in range(20)]
        statuses = [city.page(reader, *one) for one in said]
        assert 20 <= statuses.count(200) <= 30 and set(statuses) == {200, 429}, statuses
        assert city.sources() == ["198.51.100.7"] * statuses.count(200)
        # Others behind the same proxy are let in.
        assert city.page(reader, "198.51.100.7, 198.51.100.8") == 200
        assert city.sources()[-1] == "198.51.100.8"
        # Who comes to the port for TLS speaks for himself.
        assert city.page(reader, "198.51.100.9", tls=tls) == 200
        assert city.sources()[-1] == "127.0.0.1"
        direct = [city.page(reader, f"198.51.100.{number}", path="/health.json", tls=tls) for number in range(30)]
        assert set(direct) == {200, 429}, direct
    finally:
        city.stop()


def test_without_a_proxy_nobody_says_where_he_comes_from(binary, tmp_path):
    city = Behind(binary, tmp_path)
    try:
        reader, _ = city.client("operator")
        statuses = [city.page(reader, f"203.0.113.{number}") for number in range(30)]
        assert statuses[0] == 200 and set(statuses) == {200, 429}, statuses
        assert set(city.sources()) == {"127.0.0.1"}
    finally:
        city.stop()


FLOOD = textwrap.dedent("""
    import selectors, socket, sys, time
    host, port, kind, csrf, cookie, seconds, pace = sys.argv[1:8]
    if kind == "login":
        form = f"csrf={csrf}&username=kim&password=wrong"
        request = (f"POST /oauth/login HTTP/1.1\\r\\nHost: {host}\\r\\nCookie: {cookie}\\r\\nContent-Length: {len(form)}\\r\\n"
                   f"Content-Type: application/x-www-form-urlencoded\\r\\n\\r\\n{form}")
    else:
        # A token that was made here, with another signature: the most costly to refuse.
        request = (f"GET /ngsi-ld/v1/types HTTP/1.1\\r\\nHost: {host}\\r\\nAuthorization: Bearer {csrf}\\r\\n\\r\\n")
    request = request.encode()
    lines = selectors.DefaultSelector()
    for _ in range(64):
        lines.register(socket.create_connection((host, int(port))), selectors.EVENT_READ, bytearray())
    idle = [one.fileobj for one in lines.get_map().values()]
    seen, asked, start = {}, 0, time.monotonic()
    while (passed := time.monotonic() - start) < float(seconds):
        while idle and asked < passed * float(pace):
            idle.pop().sendall(request)
            asked += 1
        for found, _ in lines.select(0.001):
            found.data.extend(found.fileobj.recv(65536))
            head, mark, body = bytes(found.data).partition(b"\\r\\n\\r\\n")
            if not mark: continue
            length = next(int(one.split(b":")[1]) for one in head.split(b"\\r\\n") if one.lower().startswith(b"content-length"))
            if len(body) < length: continue
            found.data.clear()
            status = int(head.split()[1])
            seen[status] = seen.get(status, 0) + 1
            idle.append(found.fileobj)
    print(asked, *(f"{status}:{count}" for status, count in sorted(seen.items())))
""")


def percentile(values, share):
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def test_a_flood_of_wrong_passwords_and_tokens_slows_nobody_else(binary, tmp_path):
    """Wrong passwords and forged tokens from many lines at once, while somebody reads an entity again and again.

    His p99 stays within 5 times its quiet value, or 50 ms where that is more: the flood's own programs need a core of
    the machine, too. `MADANG_FLOOD` says for how many seconds, `MADANG_FLOOD_PACE` how many of each a second: a thousand
    for a release build, what a debug build can refuse at all otherwise.
    """
    city = make(binary, tmp_path)
    try:
        clerk, _ = city.client("clerk")
        entity = {"id": "urn:ngsi-ld:Meter:1", "type": "Meter", "kwh": {"type": "Property", "value": 1}}
        assert requests.post(city.api + "/entities", json=entity, headers=clerk, timeout=30).status_code == 201
        reader, _ = city.client("operator")
        host, port = urlsplit(city.url).netloc.split(":")
        page = requests.get(city.url + "/oauth/login", timeout=30)
        cookie = "; ".join(f"{name}={value}" for name, value in page.cookies.items())
        forged = reader["Authorization"].split()[1][:-8] + "AAAAAAAA"
        seconds = float(os.environ.get("MADANG_FLOOD", "4"))
        pace = os.environ.get("MADANG_FLOOD_PACE", "150")

        def measure(while_running):
            line = http.client.HTTPConnection(host, int(port), timeout=30)
            times = []
            while while_running(len(times)):
                start = time.perf_counter()
                line.request("GET", "/ngsi-ld/v1/entities/urn:ngsi-ld:Meter:1", headers=reader)
                answer = line.getresponse()
                body = answer.read()
                times.append(time.perf_counter() - start)
                assert answer.status == 200, body
                time.sleep(0.003)
            return times

        end = time.monotonic() + seconds
        quiet = measure(lambda count: time.monotonic() < end)
        floods = [subprocess.Popen([sys.executable, "-c", FLOOD, host, port, kind, secret, cookie, str(seconds + 1), pace],
                                   stdout=subprocess.PIPE, text=True)
                  for kind, secret in (("login", Person.field(page, "csrf")), ("token", forged))]
        time.sleep(0.5)
        busy = measure(lambda count: all(one.poll() is None for one in floods))
        said = [one.communicate(timeout=60)[0].split() for one in floods]
        figures = {"quiet": percentile(quiet, 0.99), "busy": percentile(busy, 0.99), "median": percentile(busy, 0.5)}
        print(json.dumps({name: round(value * 1000, 2) for name, value in figures.items()}), said)
        for asked, *statuses in said:
            counts = dict(map(int, one.split(":")) for one in statuses)
            # Refused before anything costly is done: by the limits, or since enough of this address wait already.
            assert set(counts) <= {401, 429, 503} and counts[429] + counts.get(503, 0) > 0.8 * int(asked), statuses
            assert int(asked) > float(pace) / 2 * seconds, "the flood was none"
        assert figures["busy"] <= max(5 * figures["quiet"], 0.05), figures
    finally:
        city.stop()
