"""What the console sends to browsers."""

import statistics
import time

import requests


def test_large_answers_are_packed_for_those_who_take_it(start):
    city = start("--empty")
    batch = [{"id": f"urn:ngsi-ld:Lamp:{number}", "type": "Streetlight",
              "location": {"type": "GeoProperty",
                           "value": {"type": "Point", "coordinates": [127 + number / 1e4, 36.5]}}}
             for number in range(500)]
    assert requests.post(f"{city.api}/entityOperations/upsert", json=batch, timeout=30).status_code == 201

    def points(answer):
        return answer.json()["points"]

    plain = requests.get(f"{city.url}/console/map", headers={"Accept-Encoding": "identity"}, timeout=30)
    while len(points(plain)) < 500:
        plain = requests.get(f"{city.url}/console/map", headers={"Accept-Encoding": "identity"}, timeout=30)
    assert "Content-Encoding" not in plain.headers
    packed = requests.get(f"{city.url}/console/map", headers={"Accept-Encoding": "br, gzip"}, timeout=30)
    assert packed.headers["Content-Encoding"] == "gzip" and "Accept-Encoding" in packed.headers["Vary"]
    assert int(packed.headers["Content-Length"]) * 3 < len(plain.content)
    assert packed.json() == plain.json()
    refused = requests.get(f"{city.url}/console/map", headers={"Accept-Encoding": "gzip;q=0"}, timeout=30)
    assert "Content-Encoding" not in refused.headers and refused.content == plain.content
    # Small answers are not worth it.
    small = requests.get(f"{city.url}/console/cursor", headers={"Accept-Encoding": "gzip"}, timeout=30)
    assert "Content-Encoding" not in small.headers


def test_targets_are_what_the_entities_say(start):
    """The KPIs of the demo city, computed here from what its API answers."""
    city = start("Examples/demo.city.yaml")
    kpis = {"clean-air": ("AirQualityObserved", "pm25"), "road-speed": ("TrafficFlowObserved", "averageVehicleSpeed"),
            "home-energy": ("ACMeasurement", "activePower")}

    def mean(kind, attribute):
        entities = requests.get(f"{city.api}/entities", params={"type": kind, "limit": 1000}, timeout=30).json()
        values = [entity[attribute]["value"] for entity in entities if attribute in entity]
        return statistics.fmean(values) if values else None

    def differing():
        rows = requests.get(f"{city.url}/console/overview", timeout=30).json()["indicators"]
        assert [row["indicatorId"] for row in rows] == list(kpis)
        own = [mean(*kpis[row["indicatorId"]]) for row in rows]
        told = [float(row["indicatorValue"].split()[0]) if row["indicatorValue"] else None for row in rows]
        return [(a, b) for a, b in zip(own, told) if a is None or b is None or abs(a - b) > 0.05]

    end = time.monotonic() + 60
    while differing() and time.monotonic() < end:
        time.sleep(1)
    assert not differing()
