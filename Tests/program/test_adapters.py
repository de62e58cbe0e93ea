"""Adapters that fetch: a city polls a server that behaves, and one that does not."""

import http.server
import json
import shutil
import subprocess
import threading
import time

import pytest
import requests

from test_city_data import ROOT
from test_mqtt import BROKER, CLIENT, Broker, certificate

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
        text = text.replace(f"    {key}: ", f"    {key}: {ROOT}/Examples/").replace("plan: demo", f"plan: {ROOT}/Examples/demo")
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


# Topics of a broker

with_broker = pytest.mark.skipif(not (BROKER and CLIENT), reason="mqtt adapters: no mosquitto; make setup fetches it")

COUNTS = """
mapping: 1
format: json
entity: {id: "urn:ngsi-ld:Count:{n}", type: Count}
observedAt: {from: "{t}", pattern: seconds, timeZone: UTC}
attributes: {n: {column: n}}
"""


@pytest.fixture
def broker(tmp_path):
    made = []

    def make(*settings, **names):
        made.append(Broker(tmp_path, *(settings or ("allow_anonymous true",)), **names))
        return made[-1]

    yield make
    for one in made:
        one.stop()


def publish(broker, topic, payload, *options):
    subprocess.run([shutil.which("mosquitto_pub"), "-p", str(broker.port), "-q", "1", "-t", topic, *options, "-s"],
                   input=payload if isinstance(payload, bytes) else payload.encode(), check=True, timeout=30)


def adapter_state(city, name):
    return requests.get(f"{city.url}/city/v1/adapters/{name}", timeout=10).json()


@with_broker
@pytest.mark.parametrize("version", ["3.1.1", "5.0"])
def test_topics_become_entities_and_what_cannot_is_told(start, broker, tmp_path, version):
    one = broker("allow_anonymous true")
    publish(one, "city/north/sensor/kept/temp", "4", "-r")
    city = start(manifest(tmp_path, f"""
adapters:
- id: field
  format: value
  mqtt:
    broker: mqtt://127.0.0.1:{one.port}
    version: "{version}"
    mostBytes: 1000
    topics:
    - {{topic: "city/{{district}}/sensor/{{device}}/temp", entity: "urn:t:{{district}}:{{device}}", type: Device,
        attribute: temperature, unitCode: CEL}}
    - {{topic: "meters/#", entity: "urn:t:meter", type: Meter, attribute: reading}}
- id: packs
  format: senml
  mqtt: {{broker: "mqtt://127.0.0.1:{one.port}", qos: 2, topics: [{{topic: "senml/+"}}]}}
"""))
    assert eventually(lambda: adapter_state(city, "field")["stored"] == 1 and adapter_state(city, "packs")["state"] == "ok")
    kept = requests.get(f"{city.api}/entities/urn:t:north:kept", timeout=10).json()
    assert kept["temperature"] == {"type": "Property", "value": 4, "unitCode": "CEL"}
    publish(one, "city/north/sensor/7/temp", "21.5")
    publish(one, "senml/x", json.dumps([{"n": "tank:level", "v": 2}]))
    # Hostile: empty and endless levels, no text, no number, too much.
    long = "x" * 60_000
    for topic, payload in [("city//sensor/7/temp", "1"), (f"city/{long}/sensor/7/temp", "1"),
                           ("city/north/sensor/7/temp", b"\xff\xfe"), ("city/north/sensor/7/temp", "NaN"),
                           ("city/<script>/sensor/'\"; DROP/temp", "1"), ("meters/a", b"1" * 1001), ("senml/x", "{")]:
        publish(one, topic, payload)
    assert eventually(lambda: adapter_state(city, "field")["received"] == 8), adapter_state(city, "field")
    field = adapter_state(city, "field")
    assert field["kind"] == "mqtt" and field["refused"] >= 4 and field["stored"] + field["refused"] == 8, field
    assert requests.get(f"{city.api}/entities/urn:t:north:7", timeout=10).json()["temperature"]["value"] == 21.5
    assert eventually(lambda: adapter_state(city, "packs")["refused"] == 1)
    assert requests.get(f"{city.api}/entities/urn:ngsi-ld:Device:tank", timeout=10).json()["level"]["value"] == 2
    doors = [line["door"] for line in requests.get(f"{city.url}/city/v1/refusals?limit=100", timeout=10).json()]
    assert doors.count("adapter field") >= 4 and "adapter packs" in doors


@with_broker
def test_tls_and_a_password_by_reference(start, broker, tmp_path, monkeypatch):
    folder = tmp_path / "tls"
    folder.mkdir()
    authority, own, key = certificate(folder)
    passwords = tmp_path / "passwords"
    subprocess.run(["mosquitto_passwd", "-c", "-b", passwords, "hub", "p@ss"], check=True)
    passwords.chmod(0o644)
    one = broker("allow_anonymous false", f"password_file {passwords}", f"certfile {own}", f"keyfile {key}")
    (tmp_path / "user").write_text("hub\n")
    monkeypatch.setenv("FIELD_PASSWORD", "wrong")
    entries = f"""
adapters:
- id: field
  format: value
  mqtt:
    broker: mqtts://localhost:{one.port}
    authorities: {authority}
    user: {{file: user}}
    password: {{env: FIELD_PASSWORD}}
    topics: [{{topic: "t/{{x}}", entity: "urn:t:{{x}}", type: T, attribute: v}}]
"""
    path = manifest(tmp_path, entries)
    city = start(path)
    assert eventually(lambda: adapter_state(city, "field")["state"] == "failing"), adapter_state(city, "field")
    assert "refused" in adapter_state(city, "field")["reason"] and "wrong" not in str(adapter_state(city, "field"))
    city.stop()
    monkeypatch.setenv("FIELD_PASSWORD", "p@ss")
    city = start(path)
    assert eventually(lambda: adapter_state(city, "field")["state"] == "ok"), adapter_state(city, "field")
    publish(one, "t/1", "5", "--cafile", str(authority), "-h", "localhost", "-u", "hub", "-P", "p@ss")
    assert eventually(lambda: adapter_state(city, "field")["stored"] == 1), adapter_state(city, "field")


@with_broker
def test_kill_minus_nine_in_mid_stream_loses_nothing_and_a_broker_comes_back(start, broker, tmp_path):
    settings = ("allow_anonymous true", "persistence true", f"persistence_location {tmp_path}/", "autosave_interval 1",
                "autosave_on_changes true", "max_queued_messages 0")
    one = broker(*settings)
    (tmp_path / "counts.yaml").write_text(COUNTS)
    path = manifest(tmp_path, f"""
adapters:
- id: counts
  format: json
  mapping: counts.yaml
  mqtt: {{broker: "mqtt://127.0.0.1:{one.port}", qos: 1, topics: [{{topic: "counts/+"}}]}}
""")
    city = start(path, "--data", tmp_path / "data")
    assert eventually(lambda: adapter_state(city, "counts")["state"] == "ok"), adapter_state(city, "counts")
    total, kills = 4000, 6
    sender = subprocess.Popen([shutil.which("mosquitto_pub"), "-p", str(one.port), "-q", "1", "-t", "counts/x", "-l"],
                              stdin=subprocess.PIPE, text=True)

    def send():
        for number in range(total):
            sender.stdin.write(json.dumps({"n": number, "t": 1_700_000_000 + number}) + "\n")
            if number % 20 == 0:
                sender.stdin.flush()
                time.sleep(0.02)
        sender.stdin.close()

    thread = threading.Thread(target=send)
    thread.start()
    for _ in range(kills):
        time.sleep(0.5)
        city.kill()
        city = start(path, "--data", tmp_path / "data")
    thread.join()
    assert sender.wait(timeout=60) == 0

    def count():
        answer = requests.get(f"{city.api}/entities?type=Count&count=true&limit=0", timeout=30)
        return int(answer.headers["NGSILD-Results-Count"])

    assert eventually(lambda: count() == total, 120), (count(), adapter_state(city, "counts"))
    # Each once in the history, though some came again.
    for number in range(0, total, 97):
        history = requests.get(f"{city.api}/temporal/entities/urn:ngsi-ld:Count:{number}?options=temporalValues", timeout=10)
        assert len(history.json()["n"]["values"]) == 1, history.text

    # The broker goes and comes back with what it had kept.
    one.stop()
    assert eventually(lambda: adapter_state(city, "counts")["state"] == "failing")
    one.start()
    assert eventually(lambda: adapter_state(city, "counts")["state"] == "ok", 60)
    publish(one, "counts/x", json.dumps({"n": total, "t": 1}))
    assert eventually(lambda: count() == total + 1)
    print(f"kill -9: {kills} times among {total} messages, all stored once")
