"""What was acknowledged over HTTP is there after kill -9, and what was due to a subscriber has been sent.

MADANG_KILLS (30) is how often the city is killed; the store alone is killed a hundred times by its own tests.
"""

import http.server
import json
import os
import random
import subprocess
import threading
import time

import requests

KILLS = int(os.environ.get("MADANG_KILLS", "30"))
WRITERS = 4


class Receiver(http.server.ThreadingHTTPServer):
    """Takes notifications; keeps the counts that it has heard of each entity."""

    daemon_threads = True

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            for entity in body["data"]:
                if "count" in entity:
                    self.server.heard.setdefault(entity["id"], set()).add(entity["count"]["value"])
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_):
            pass

    def __init__(self):
        super().__init__(("127.0.0.1", 0), self.Handler)
        self.heard = {}
        threading.Thread(target=self.serve_forever, daemon=True).start()


class Writer(threading.Thread):
    """Raises the counter of one entity in many ways and keeps what was acknowledged.

    A batch raises it and those of three companions together; in the history every count has its own instant.
    """

    def __init__(self, number):
        super().__init__(daemon=True)
        self.id = f"urn:ngsi-ld:Counter:{number}"
        self.companions = [f"{self.id}:{companion}" for companion in range(3)]
        self.acknowledged = 0
        self.asked = 0
        self.batched = 0
        self.api = None
        self.go = threading.Event()
        self.idle = threading.Event()
        self.over = False

    def count(self):
        minutes, seconds = divmod(self.asked, 60)
        return {"type": "Property", "value": self.asked,
                "observedAt": f"2026-01-01T{minutes // 60:02}:{minutes % 60:02}:{seconds:02}Z"}

    def write(self, session):
        kind, count = self.asked % 5, self.count()
        if kind == 1 or self.acknowledged == 0:
            answer = session.post(f"{self.api}/entityOperations/upsert", timeout=10, json=[
                {"id": one, "type": "Counter", "count": count} for one in [self.id, *self.companions]])
        elif kind == 2:
            answer = session.patch(f"{self.api}/entities/{self.id}/attrs", timeout=10, json={"count": count})
        elif kind == 3:
            # A deletion between two counts; what it takes away the next write gives again.
            answer = session.delete(f"{self.api}/entities/{self.id}", timeout=10)
            assert answer.status_code in (204, 404), answer.text
            answer = session.post(f"{self.api}/entityOperations/upsert", timeout=10,
                                  json=[{"id": self.id, "type": "Counter", "count": count}])
        elif kind == 4:
            answer = session.patch(f"{self.api}/entities/{self.id}/attrs/count", timeout=10, json=count)
        else:
            answer = session.post(f"{self.api}/entities/{self.id}/attrs", timeout=10, json={"count": count})
        assert answer.status_code in (201, 204), answer.text

    def run(self):
        while not self.over:
            if not self.go.wait(timeout=0.2):
                continue
            session = requests.Session()
            try:
                while self.go.is_set():
                    self.asked = self.acknowledged + 1
                    self.write(session)
                    self.acknowledged = self.asked
                    if self.asked % 5 == 1:
                        self.batched = self.asked
            except requests.RequestException:
                self.go.clear()
            finally:
                session.close()
                self.idle.set()

    def check(self, city):
        """Compares with what is stored; goes on from there."""
        stored = [value(city, one) for one in [self.id, *self.companions]]
        if stored[0] is None:
            # Killed between the deletion and the next count.
            assert self.asked % 5 == 3 or self.acknowledged == 0, (self.id, self.acknowledged)
            stored[0] = self.acknowledged
        # The write under way at the kill may have been committed before its answer got out.
        assert self.acknowledged <= stored[0] <= self.asked, (self.id, self.acknowledged, stored, self.asked)
        assert len(set(stored[1:])) == 1, "a batch is there in part"
        assert (stored[1] or 0) in (self.batched, self.asked if self.asked % 5 == 1 else self.batched)
        self.batched = stored[1] or 0
        self.acknowledged = stored[0]


def value(city, identifier):
    answer = requests.get(f"{city.api}/entities/{identifier}", timeout=10)
    assert answer.status_code in (200, 404)
    return answer.json()["count"]["value"] if answer.status_code == 200 else None


def deliveries(city):
    report = requests.get(f"{city.url}/health.json", timeout=30).json()["outbox"]
    return {name: report[name] for name in ("due", "delivered", "failed", "throttled", "pending")}


def test_kills_lose_nothing_that_was_acknowledged(start, binary, tmp_path):
    chance = random.Random(20261122)
    receiver = Receiver()
    writers = [Writer(number) for number in range(WRITERS)]
    for writer in writers:
        writer.start()
    for kill in range(KILLS):
        city = start("--empty", "--data", tmp_path / "city")
        if kill == 0:
            answer = requests.post(f"{city.api}/subscriptions", timeout=10, json={
                "type": "Subscription", "entities": [{"type": "Counter"}], "watchedAttributes": ["count"],
                "notification": {"endpoint": {"uri": f"http://127.0.0.1:{receiver.server_address[1]}/"}}})
            assert answer.status_code == 201, answer.text
        for writer in writers:
            writer.check(city)
            writer.api = city.api
            writer.idle.clear()
            writer.go.set()
        time.sleep(chance.uniform(0.02, 0.25))
        city.kill()
        for writer in writers:
            writer.go.clear()
            assert writer.idle.wait(timeout=30)
    for writer in writers:
        writer.over = True
    assert sum(writer.acknowledged for writer in writers) > KILLS
    city = start("--empty", "--data", tmp_path / "city")
    # However long it takes, as long as it goes on.
    least, end = None, time.monotonic() + 60
    while (sums := deliveries(city))["pending"] > 0 and time.monotonic() < end:
        if least is None or sums["pending"] < least:
            least, end = sums["pending"], time.monotonic() + 60
        time.sleep(0.2)
    assert sums["pending"] == 0 and sums["due"] == sums["delivered"] + sums["failed"] + sums["throttled"], sums
    for writer in writers:
        writer.check(city)
        heard = receiver.heard[writer.id]
        # At least once each, whenever it was acknowledged.
        missing = set(range(1, writer.acknowledged + 1)) - heard
        assert not missing, (writer.id, sorted(missing)[:10], writer.acknowledged)
        assert max(heard) <= writer.asked
        history = requests.get(f"{city.api}/temporal/entities/{writer.id}?timerel=after&timeAt=2001-01-01T00:00:00Z"
                               "&options=temporalValues&attrs=count", timeout=60).json()
        counted = sorted({pair[0] for pair in history["count"]["values"] if isinstance(pair[0], int)})
        assert counted[:writer.acknowledged] == list(range(1, writer.acknowledged + 1))
    assert city.stop() == 0
    told = subprocess.run([binary, "check", tmp_path / "city"], capture_output=True, text=True, timeout=120, check=False)
    assert told.returncode == 0, told.stdout
    receiver.shutdown()
    print(f"kill -9: {KILLS} times, {sum(writer.acknowledged for writer in writers)} acknowledged counts, all heard")


def test_a_signal_ends_it_cleanly(start, tmp_path):
    city = start("--empty", "--data", tmp_path / "city")
    entity = {"id": "urn:ngsi-ld:Counter:1", "type": "Counter", "count": {"type": "Property", "value": 1}}
    assert requests.post(f"{city.api}/entities", json=entity, timeout=10).status_code == 201
    assert city.stop() == 0
    again = start("--empty", "--data", tmp_path / "city")
    assert requests.get(f"{again.api}/entities/{entity['id']}", timeout=10).status_code == 200
