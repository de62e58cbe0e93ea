"""Three cities as one: a metropolitan hub over two districts, each a program of its own (docs/federation.md)."""

import time
from pathlib import Path

import pytest
import requests

EXAMPLES = Path(__file__).resolve().parents[2] / "Examples" / "districts"
STATION = "AirQualityObserved"


def stations(city, **more):
    answer = requests.get(f"{city.api}/entities", params={"type": STATION, "limit": 100, "count": "true", **more}, timeout=30)
    assert answer.status_code == 200, answer.text
    return answer


def districts_of(answer):
    return sorted(entity["id"].split(":")[3].split("-")[0] for entity in answer.json())


def until(condition, seconds=60):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.2)
    return condition()


@pytest.fixture
def city(start, tmp_path):
    """The three, with the ports they happened to get."""
    north = start(EXAMPLES / "north.city.yaml", "--data", tmp_path / "north")
    south = start(EXAMPLES / "south.city.yaml", "--data", tmp_path / "south")
    text = (EXAMPLES / "metropolis.city.yaml").read_text(encoding="utf-8")
    for fixed, running in (("http://127.0.0.1:8081", north), ("http://127.0.0.1:8082", south)):
        assert fixed in text
        text = text.replace(fixed, running.url)
    manifest = tmp_path / "metropolis.city.yaml"
    manifest.write_text(text, encoding="utf-8")
    metropolis = start(manifest, "--data", tmp_path / "metropolis")
    assert until(lambda: len(stations(metropolis).json()) == 10)
    return metropolis, north, south


def test_the_metropolis_shows_its_districts_and_says_who_is_missing(city, start, tmp_path):
    metropolis, north, south = city
    whole = stations(metropolis)
    assert whole.headers["NGSILD-Results-Count"] == "10" and "NGSILD-Warning" not in whole.headers
    assert len(stations(metropolis, local="true").json()) == 1
    # A value is the district's own, at once.
    one = next(entity["id"] for entity in stations(south, local="true").json())
    there = requests.get(f"{south.api}/entities/{one}", timeout=10).json()
    here = requests.get(f"{metropolis.api}/entities/{one}", timeout=10).json()
    assert here["id"] == there["id"] and here["location"] == there["location"]

    port = south.url.rsplit(":", 1)[1]
    south.kill()
    cut = stations(metropolis)
    assert len(cut.json()) == 5
    warning = cut.headers["NGSILD-Warning"]
    assert warning.startswith("199 ") and "metropolis:south" in warning
    registration = "urn:ngsi-ld:ContextSourceRegistration:metropolis:south"
    shown = requests.get(f"{metropolis.api}/csourceRegistrations/{registration}", timeout=10).json()
    assert shown["status"] == "failed" and shown["timesFailed"] >= 1
    assert requests.get(f"{metropolis.api}/entities/{one}", timeout=10).status_code == 404

    again = start(EXAMPLES / "south.city.yaml", "--data", tmp_path / "south", "--port", port)
    assert again.url.endswith(port)
    assert until(lambda: len(stations(metropolis).json()) == 10)
    assert "NGSILD-Warning" not in stations(metropolis).headers


def test_pages_over_the_districts_have_each_lamp_once(city):
    metropolis, north, south = city
    assert until(lambda: stations(north).headers["NGSILD-Results-Count"] == "4")
    assert until(lambda: int(requests.get(f"{metropolis.api}/entities", params={"type": "Streetlight", "count": "true"},
                                          timeout=30).headers["NGSILD-Results-Count"]) == 100)
    seen, target = [], f"/ngsi-ld/v1/entities?type=Streetlight&limit=30"
    while target:
        page = requests.get(metropolis.url + target, timeout=30)
        assert page.status_code == 200
        seen += [entity["id"] for entity in page.json()]
        target = page.links.get("next", {}).get("url")
    assert len(seen) == 100 and len(set(seen)) == 100

def test_histories_and_types_of_the_districts_are_one(city):
    metropolis, north, south = city
    histories = f"{metropolis.api}/temporal/entities"
    window = {"type": STATION, "timerel": "after", "timeAt": "2026-01-01T00:00:00Z", "count": "true"}
    seen = {}
    for offset in range(0, 12, 4):
        page = requests.get(histories, params={**window, "limit": 4, "offset": offset}, timeout=30)
        assert page.status_code == 200 and page.headers["NGSILD-Results-Count"] == "10", page.text
        seen.update({history["id"]: history for history in page.json()})
    assert len(seen) == 10 and all(history["pm25"][0]["observedAt"] for history in seen.values())
    assert len(requests.get(histories, params={**window, "local": "true"}, timeout=10).json()) == 1

    # What is written to a history goes to a district that takes it.
    made = requests.post(f"{metropolis.api}/csourceRegistrations", timeout=10, json={
        "type": "ContextSourceRegistration", "endpoint": south.url, "operations": ["upsertTemporal"],
        "information": [{"entities": [{"type": STATION}]}]})
    assert made.status_code == 201, made.text
    southern = {station["id"] for station in stations(south, local="true").json()}
    assert len(southern) == 5 and southern < set(seen)
    one = min(southern)
    made = requests.post(histories, timeout=10, json={
        "id": one, "type": STATION, "pm25": [{"type": "Property", "value": 7, "observedAt": "2026-05-01T00:00:00Z"}]})
    assert made.status_code in (201, 204), made.text
    there = requests.get(f"{south.api}/temporal/entities/{one}", timeout=10,
                         params={"timerel": "between", "timeAt": "2026-05-01T00:00:00Z",
                                 "endTimeAt": "2026-05-01T00:00:01Z"}).json()
    assert [instance["value"] for instance in there["pm25"]] == [7]

    # Each district says what it has of a type.
    count = requests.get(f"{metropolis.api}/types/{STATION}", timeout=10).json()["entityCount"]
    assert count == 10
    south.kill()
    cut = requests.get(histories, params={**window, "limit": 100}, timeout=30)
    assert cut.status_code == 200
    # What was written went here too, as it does where a source holds something beside the hub.
    assert {history["id"] for history in cut.json()} & southern == {one}
    assert "metropolis:south:history" in cut.headers["NGSILD-Warning"]


def test_a_district_that_hangs_holds_nobody_up(start, tmp_path, city):
    """A source that takes the connection and says nothing: the time-out of the manifest ends the wait."""
    import socket

    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(16)
        metropolis, _, south = city
        text = (EXAMPLES / "metropolis.city.yaml").read_text(encoding="utf-8")
        text = text.replace("http://127.0.0.1:8081", f"http://127.0.0.1:{silent.getsockname()[1]}")
        text = text.replace("http://127.0.0.1:8082", south.url)
        manifest = tmp_path / "hanging.city.yaml"
        manifest.write_text(text, encoding="utf-8")
        hanging = start(manifest)
        began = time.monotonic()
        answer = stations(hanging)
        assert time.monotonic() - began < 15
        assert len(answer.json()) >= 5 and "metropolis:north: it did not answer in time" in answer.headers["NGSILD-Warning"]
