"""Notifications over MQTT, heard by mosquitto's own client from mosquitto's own broker (clause 7 of the standard)."""

# Clauses: 7.2

import json
import shutil
import socket
import subprocess
import time

import pytest
import requests

BROKER = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin")
CLIENT = shutil.which("mosquitto_sub")
pytestmark = pytest.mark.skipif(not (BROKER and CLIENT), reason="mqtt: no mosquitto; make setup fetches it")

TOPIC = "city/air/notifications"


def free_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


class Broker:
    """A mosquitto of a test's own."""

    def __init__(self, folder, *settings, port=None):
        self.port = port or free_port()
        self.conf = folder / f"mosquitto-{self.port}.conf"
        self.conf.write_text("\n".join([f"listener {self.port} 127.0.0.1", "persistence false", "user root",
                                        *(settings or ["allow_anonymous true"])]) + "\n", encoding="ascii")
        self.start()

    def start(self):
        self.process = subprocess.Popen([BROKER, "-c", self.conf], stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL)
        for _ in range(200):
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                return
            except OSError:
                time.sleep(0.025)
        raise AssertionError("mosquitto does not start")

    def stop(self):
        self.process.terminate()
        self.process.wait(timeout=20)


class Listener:
    """mosquitto_sub: another's client."""

    def __init__(self, port, *options):
        self.process = subprocess.Popen(
            ["stdbuf", "-oL", CLIENT, "-h", "127.0.0.1", "-p", str(port), "-t", TOPIC, "-d", *options,
             "-F", "MESSAGE %q %p"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        while "SUBACK" not in (line := self.process.stdout.readline()):
            assert line, "mosquitto_sub ended"

    def next(self):
        """Quality of service and JSON of the next message."""
        while not (line := self.process.stdout.readline()).startswith("MESSAGE"):
            assert line, "mosquitto_sub ended"
        _, quality, text = line.split(" ", 2)
        return int(quality), json.loads(text)

    def stop(self):
        self.process.terminate()
        self.process.wait(timeout=20)


@pytest.fixture
def brokers(tmp_path):
    """Makes brokers; they are gone after the test."""
    made = []

    def make(*settings, **names):
        made.append(Broker(tmp_path, *settings, **names))
        return made[-1]

    yield make
    for broker in made:
        broker.stop()


def subscribe(city, uri, **endpoint):
    answer = requests.post(f"{city.api}/subscriptions", timeout=10, json={
        "type": "Subscription", "entities": [{"type": "AirQualityObserved"}],
        "notification": {"endpoint": {"uri": uri, **endpoint}}})
    assert answer.status_code == 201, answer.text
    return city.url + answer.headers["Location"]


def observe(city, number, value=1):
    answer = requests.post(f"{city.api}/entityOperations/upsert", timeout=10, json=[{
        "id": f"urn:ngsi-ld:AirQualityObserved:{number}", "type": "AirQualityObserved",
        "pm10": {"type": "Property", "value": value}}])
    assert answer.status_code in (201, 204), answer.text


def outbox(city):
    """The counters of the outbox, and that they add up."""
    report = requests.get(city.url + "/health.json", timeout=10).json()["outbox"]
    assert report["due"] == report["delivered"] + report["failed"] + report["throttled"] + report["pending"]
    return report


def eventually(condition, seconds=20):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := condition():
            return found
        time.sleep(0.05)
    return condition()


@pytest.mark.parametrize("version", ["mqtt3.1.1", "mqtt5.0", None])
@pytest.mark.parametrize("quality", ["0", "1", "2"])
def test_every_version_and_quality(start, brokers, version, quality):
    broker, city = brokers(), start("--empty")
    listener = Listener(broker.port, "-q", "2")
    settings = [{"key": "MQTT-QoS", "value": quality}]
    if version:
        settings.append({"key": "MQTT-Version", "value": version})
    subscribe(city, f"mqtt://127.0.0.1:{broker.port}/{TOPIC}", notifierInfo=settings,
              receiverInfo=[{"key": "Authorization", "value": "Bearer x"}])
    observe(city, 1)
    got, message = listener.next()
    assert got == int(quality)
    assert set(message) == {"metadata", "body"}
    assert message["metadata"]["Content-Type"] == "application/json"
    assert message["metadata"]["Authorization"] == "Bearer x"
    assert message["metadata"]["Link"].endswith(
        'rel="http://www.w3.org/ns/json-ld#context"; type="application/ld+json"')
    body = message["body"]
    assert body["type"] == "Notification" and body["data"][0]["pm10"] == {"type": "Property", "value": 1}
    assert eventually(lambda: outbox(city)["delivered"] == 1)
    listener.stop()


def test_json_ld_and_a_password(start, brokers, tmp_path):
    passwords = tmp_path / "passwords"
    subprocess.run(["mosquitto_passwd", "-c", "-b", passwords, "city hub", "p@ss:word"], check=True)
    passwords.chmod(0o644)
    broker, city = brokers("allow_anonymous false", f"password_file {passwords}"), start("--empty")
    listener = Listener(broker.port, "-u", "city hub", "-P", "p@ss:word")
    good = subscribe(city, f"mqtt://city%20hub:p%40ss%3Aword@127.0.0.1:{broker.port}/{TOPIC}",
                     accept="application/ld+json")
    bad = subscribe(city, f"mqtt://city%20hub:wrong@127.0.0.1:{broker.port}/{TOPIC}")
    nobody = subscribe(city, f"mqtt://127.0.0.1:{broker.port}/{TOPIC}")
    observe(city, 1)
    _, message = listener.next()
    assert message["metadata"] == {"Content-Type": "application/ld+json"}
    assert message["body"]["@context"] and message["body"]["data"][0]["id"].endswith(":1")

    def status(url):
        return requests.get(url, timeout=10).json()["notification"].get("status")

    assert eventually(lambda: [status(url) for url in (good, bad, nobody)] == ["ok", "failed", "failed"])
    listener.stop()


def certificate(folder):
    """An authority, and a certificate of it for loopback."""
    def run(*arguments):
        subprocess.run(["openssl", *map(str, arguments)], cwd=folder, check=True, capture_output=True)

    run("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", 2, "-subj", "/CN=test authority",
        "-keyout", "ca.key", "-out", "ca.crt")
    run("req", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost", "-keyout", "broker.key", "-out", "broker.csr")
    (folder / "names").write_text("subjectAltName=DNS:localhost,IP:127.0.0.1\n", encoding="ascii")
    run("x509", "-req", "-days", 2, "-in", "broker.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial",
        "-extfile", "names", "-out", "broker.crt")
    for file in folder.iterdir():
        file.chmod(0o644)
    return folder / "ca.crt", folder / "broker.crt", folder / "broker.key"


@pytest.mark.parametrize("version", ["mqtt3.1.1", "mqtt5.0"])
def test_tls_with_an_authority_that_is_trusted_and_one_that_is_not(start, brokers, tmp_path, version):
    folder = tmp_path / "tls"
    folder.mkdir()
    authority, own, key = certificate(folder)
    broker = brokers("allow_anonymous true", f"certfile {own}", f"keyfile {key}")
    listener = Listener(broker.port, "--cafile", str(authority))
    settings = [{"key": "MQTT-QoS", "value": "1"}, {"key": "MQTT-Version", "value": version}]
    trusting, wary = start("--empty", "--mqtt-authorities", authority), start("--empty")
    subscribe(trusting, f"mqtts://localhost:{broker.port}/{TOPIC}", notifierInfo=settings)
    observe(trusting, 1)
    assert listener.next()[1]["body"]["data"][0]["id"].endswith(":1")
    url = subscribe(wary, f"mqtts://localhost:{broker.port}/{TOPIC}", notifierInfo=settings)
    observe(wary, 2)
    assert eventually(lambda: requests.get(url, timeout=10).json()["notification"].get("status") == "failed")
    assert outbox(wary)["delivered"] == 0
    listener.stop()


def test_dead_and_silent_brokers_are_given_up_in_time_and_slow_nobody(start, brokers):
    broker, city = brokers(), start("--empty")
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(64)
        for port in (free_port(), silent.getsockname()[1]):
            for quality in ("0", "1"):
                subscribe(city, f"mqtt://127.0.0.1:{port}/{TOPIC}", timeout=500, cooldown=100,
                          notifierInfo=[{"key": "MQTT-QoS", "value": quality}])
        listener = Listener(broker.port)
        subscribe(city, f"mqtt://127.0.0.1:{broker.port}/{TOPIC}")
        begun = time.monotonic()
        for number in range(10):
            observe(city, number)
        for _ in range(10):
            listener.next()
        assert time.monotonic() - begun < 5, "the good one waits for nobody"
        # Seven attempts of half a second for each of the ten, one after another.
        settled = eventually(lambda: outbox(city)["pending"] == 0 and outbox(city), seconds=90)
        assert settled, outbox(city)
        assert settled["delivered"] == 10 and settled["failed"] == 40
    listener.stop()


def test_a_broker_that_comes_back_hears_what_it_missed(start, brokers, tmp_path):
    broker, city = brokers(), start("--empty")
    # The pause leaves time to listen again before the next attempt.
    subscribe(city, f"mqtt://127.0.0.1:{broker.port}/{TOPIC}", cooldown=4000,
              notifierInfo=[{"key": "MQTT-QoS", "value": "1"}])
    listener = Listener(broker.port, "-q", "1")
    observe(city, 1)
    assert listener.next()[1]["body"]["data"][0]["id"].endswith(":1")
    broker.stop()
    listener.stop()
    observe(city, 2)
    time.sleep(1)
    again = brokers(port=broker.port)
    listener = Listener(again.port, "-q", "1")
    observe(city, 3)
    heard = set()
    while len(heard) < 2:
        heard.add(listener.next()[1]["body"]["data"][0]["id"][-1])
    assert heard == {"2", "3"}
    assert eventually(lambda: outbox(city)["pending"] == 0)
    assert outbox(city)["delivered"] == 3 and outbox(city)["failed"] == 0
    listener.stop()


def test_connections_are_shared_and_the_program_stops_at_once(start, brokers):
    broker, city = brokers(), start("--empty")
    for number in range(40):
        subscribe(city, f"mqtt://127.0.0.1:{broker.port}/{TOPIC}/{number}")
    observe(city, 1)
    assert eventually(lambda: outbox(city)["delivered"] == 40)
    report = requests.get(city.url + "/health.json", timeout=10).json()["connections"]
    assert report["brokers"] == {"value": 1, "bound": 64}
    begun = time.monotonic()
    assert city.stop() == 0 and time.monotonic() - begun < 15
