"""Subscriptions over context sources, each hub a program of its own, killed at any moment (docs/federation.md)."""

import http.server
import json
import random
import threading
import time

import requests


class Receiver(http.server.ThreadingHTTPServer):
    """Takes notifications and keeps what they tell."""

    daemon_threads = True

    def __init__(self):
        self.told = []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                message = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                for entity in message["data"]:
                    outer.told.append((message["subscriptionId"], entity["id"], entity["level"]["value"]))
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *arguments):
                pass

        super().__init__(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server_port}/n"


def until(condition, seconds=90):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            if condition():
                return True
        except requests.RequestException:
            pass
        time.sleep(0.1)
    return condition()


def held(city):
    return requests.get(f"{city.api}/subscriptions?limit=1000", timeout=30).json()


def register(city, name, source):
    answer = requests.post(f"{city.api}/csourceRegistrations", timeout=30, json={
        "id": f"urn:ngsi-ld:ContextSourceRegistration:{name}", "type": "ContextSourceRegistration",
        "endpoint": source.url, "information": [{"entities": [{"type": "Lamp"}]}]})
    assert answer.status_code == 201, answer.text


def write(city, name, level):
    entity = {"id": f"urn:ngsi-ld:Lamp:{name}", "type": "Lamp", "level": {"type": "Property", "value": level}}
    answer = requests.post(f"{city.api}/entityOperations/upsert", json=[entity], timeout=30)
    assert answer.status_code in (201, 204), answer.text


def outbox(city):
    figures = requests.get(f"{city.url}/health.json", timeout=30).json()["outbox"]
    return {name: figure if isinstance(figure, int) else figure["value"] for name, figure in figures.items()}


def test_a_subscriber_hears_of_districts_that_are_killed_and_started_again(start, tmp_path):
    receiver = Receiver()
    names = ("metropolis", "north", "south")
    cities = {name: start("--empty", "--data", tmp_path / name) for name in names}
    ports = {name: city.url.rsplit(":", 1)[1] for name, city in cities.items()}

    def kill_and_start(name):
        cities[name].kill()
        cities[name] = start("--empty", "--data", tmp_path / name, "--port", ports[name])

    for name in ("north", "south"):
        register(cities["metropolis"], name, cities[name])
    ids = [f"urn:ngsi-ld:Subscription:{number}" for number in range(8)]
    rolling = random.Random(7)
    for number, id in enumerate(ids):
        answer = requests.post(f"{cities['metropolis'].api}/subscriptions", timeout=30, json={
            "id": id, "type": "Subscription", "entities": [{"type": "Lamp"}],
            "notification": {"endpoint": {"uri": receiver.url}}})
        assert answer.status_code == 201, answer.text
        if number % 2:
            # In the midst of being passed on.
            time.sleep(rolling.random() * 0.05)
            kill_and_start(("metropolis", "north", "metropolis", "south")[number // 2])
    for gone in ids[:3]:
        assert requests.delete(f"{cities['metropolis'].api}/subscriptions/{gone}", timeout=30).status_code == 204
    kill_and_start("metropolis")
    stay = ids[3:]
    # Neither an orphan nor a double is left, at either of them.
    for name in ("north", "south"):
        assert until(lambda: len(held(cities[name])) == len(stay)), (name, len(held(cities[name])))
    for id in stay:
        assert until(lambda: [source["status"] for source in requests.get(
            f"{cities['metropolis'].api}/subscriptions/{id}", timeout=30).json()["sources"]] == ["ok", "ok"])
    write(cities["north"], "n", 1)
    write(cities["south"], "s", 2)
    write(cities["metropolis"], "m", 3)
    wanted = {(id, f"urn:ngsi-ld:Lamp:{name}", level) for id in stay for name, level in (("n", 1), ("s", 2), ("m", 3))}
    assert until(lambda: set(receiver.told) >= wanted)
    assert set(receiver.told) == wanted and len(receiver.told) == len(wanted)

    # What a district notifies while the metropolis is down comes when it is back: nothing is lost.
    cities["metropolis"].kill()
    write(cities["north"], "n", 10)
    cities["metropolis"] = start("--empty", "--data", tmp_path / "metropolis", "--port", ports["metropolis"])
    late = {(id, "urn:ngsi-ld:Lamp:n", 10) for id in stay}
    assert until(lambda: set(receiver.told) >= late)
    for name in names:
        assert until(lambda: outbox(cities[name])["pending"] == 0)
        figures = outbox(cities[name])
        assert figures["due"] == figures["delivered"] + figures["failed"] + figures["throttled"], (name, figures)
    for id in stay:
        assert requests.delete(f"{cities['metropolis'].api}/subscriptions/{id}", timeout=30).status_code == 204
    for name in ("north", "south"):
        assert until(lambda: held(cities[name]) == []), name
