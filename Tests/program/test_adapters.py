"""Adapters that fetch: a city polls a server that behaves, and one that does not."""

import http.server
import threading
import time

import pytest
import requests

from test_city_data import ROOT

MAPPING = """
mapping: 1
format: csv
entity: {id: "urn:ngsi-ld:Tank:{tank}", type: Tank}
observedAt: {from: "{time}", pattern: iso8601, timeZone: UTC}
attributes: {level: {column: level, unitCode: MTR, range: [0, 100]}}
"""


def manifest(folder, entries):
    """The demo without its connectors, with adapters of its own."""
    text = (ROOT / "Examples/demo.city.yaml").read_text()
    for key in ("file", "mapping"):
        text = text.replace(f"    {key}: ", f"    {key}: {ROOT}/Examples/")
    path = folder / "adapters.city.yaml"
    path.write_text(text + entries)
    (folder / "tanks.yaml").write_text(MAPPING)
    return path


class Source(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        server = self.server
        server.asked.append((self.path, dict(self.headers)))
        if server.failing:
            self.send_error(503)
            return
        tag = f'"{len(server.rows)}"'
        if self.headers.get("If-None-Match") == tag:
            self.send_response(304)
            self.end_headers()
            return
        body = ("time,tank,level\n" + "".join(server.rows)).encode()
        self.send_response(200)
        self.send_header("ETag", tag)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def source():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Source)
    server.asked, server.failing = [], False
    server.rows = ["2026-01-01T00:00:00Z,1,3.50\n", "2026-01-01T01:00:00Z,1,3.25\n", "2026-01-01T01:00:00Z,2,900\n"]
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()


def eventually(condition, seconds=30):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := condition():
            return found
        time.sleep(0.05)
    return condition()


def test_a_source_is_fetched_on_its_schedule_and_its_state_is_seen(start, source, tmp_path):
    (tmp_path / "key").write_text("s3cret\n")
    path = manifest(tmp_path, f"""
adapters:
- id: tanks
  format: csv
  mapping: tanks.yaml
  pull:
    url: http://127.0.0.1:{source.server_address[1]}/tanks.csv
    every: 1s
    credentials: [{{header: X-Key, secret: {{file: key}}}}]
""")
    city = start(path, "--data", tmp_path / "data")

    def state():
        return requests.get(f"{city.url}/city/v1/adapters/tanks", timeout=10).json()

    assert eventually(lambda: state()["unchanged"] > 0), state()
    told = state()
    assert told["state"] == "partly" and told["stored"] == 2 and told["refused"] == 1 and told["nextRun"]
    assert source.asked[0][1]["X-Key"] == "s3cret" and "s3cret" not in str(told)
    tank = requests.get(f"{city.api}/entities/urn:ngsi-ld:Tank:1", timeout=10).json()
    assert tank["level"] == {"type": "Property", "value": 3.25, "unitCode": "MTR", "observedAt": "2026-01-01T01:00:00Z"}
    lines = requests.get(f"{city.url}/city/v1/refusals?door=adapter%20tanks", timeout=10).json()
    assert len(lines) == 1 and "outside" in lines[0]["detail"] and lines[0]["source"].endswith("/tanks.csv")

    source.rows.append("2026-01-01T02:00:00Z,1,3.00\n")
    assert eventually(lambda: state()["stored"] == 3), state()
    assert state()["known"] == 2

    source.failing = True
    assert eventually(lambda: state()["state"] == "failing"), state()
    assert "503" in state()["reason"]
    health = requests.get(f"{city.url}/health.json", timeout=10).json()["adapters"]["tanks"]
    assert health["state"] == "red" and "503" in health["note"]
    page = requests.get(f"{city.url}/health", headers={"Accept-Language": "ko"}, timeout=10).text
    assert "어댑터" in page and "503" in page
    source.failing = False
    assert eventually(lambda: state()["state"] != "failing"), state()

    # After a new start nothing is written again.
    assert city.stop() == 0
    city = start(path, "--data", tmp_path / "data")
    assert eventually(lambda: state()["known"] >= 3), state()
    assert state()["stored"] == 0
    history = requests.get(f"{city.api}/temporal/entities/urn:ngsi-ld:Tank:1?options=temporalValues", timeout=10).json()
    assert [value for value, _ in history["level"]["values"]] == [3.5, 3.25, 3]
