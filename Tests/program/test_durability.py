"""What was acknowledged over HTTP is there after kill -9."""

import random
import threading
import time

import requests

KILLS = 100
WRITERS = 4


class Writer(threading.Thread):
    """Raises the counter of one entity and keeps what was acknowledged."""

    def __init__(self, number):
        super().__init__(daemon=True)
        self.id = f"urn:ngsi-ld:Counter:{number}"
        self.acknowledged = 0
        self.asked = 0
        self.api = None
        self.go = threading.Event()
        self.idle = threading.Event()
        self.over = False

    def run(self):
        while not self.over:
            if not self.go.wait(timeout=0.2):
                continue
            session = requests.Session()
            try:
                while self.go.is_set():
                    self.asked = self.acknowledged + 1
                    entity = {"id": self.id, "type": "Counter", "count": {"type": "Property", "value": self.asked}}
                    answer = session.post(f"{self.api}/entityOperations/upsert", json=[entity], timeout=10)
                    assert answer.status_code in (201, 204), answer.text
                    self.acknowledged = self.asked
            except requests.RequestException:
                self.go.clear()
            finally:
                session.close()
                self.idle.set()


def test_a_hundred_kills_lose_nothing_that_was_acknowledged(start, tmp_path):
    chance = random.Random(20261122)
    writers = [Writer(number) for number in range(WRITERS)]
    for writer in writers:
        writer.start()
    for _ in range(KILLS):
        city = start("--empty", "--data", tmp_path / "city")
        for writer in writers:
            answer = requests.get(f"{city.api}/entities/{writer.id}", timeout=10)
            stored = answer.json()["count"]["value"] if answer.status_code == 200 else 0
            # The write under way at the kill may have been committed before its answer got out.
            assert writer.acknowledged <= stored <= writer.asked, (writer.id, writer.acknowledged, stored)
            writer.acknowledged = stored
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


def test_a_signal_ends_it_cleanly(start, tmp_path):
    city = start("--empty", "--data", tmp_path / "city")
    entity = {"id": "urn:ngsi-ld:Counter:1", "type": "Counter", "count": {"type": "Property", "value": 1}}
    assert requests.post(f"{city.api}/entities", json=entity, timeout=10).status_code == 201
    assert city.stop() == 0
    again = start("--empty", "--data", tmp_path / "city")
    assert requests.get(f"{again.api}/entities/{entity['id']}", timeout=10).status_code == 200
