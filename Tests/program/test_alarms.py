"""Calls that do not come by the report's door: bells and wearables of the hub, positions of handsets, phones; and what survives a kill."""

import json
import time
import urllib.parse

import pytest
import requests
from test_safety import HERE, Desk, manifest

AML = 'A"ML=1;lt=+35.15712;lg=+129.06123;rd={radius};top=20261124010000;lc=95;pm=G;si=1;ei=2;mcc=450;mnc=05;ml=120'


@pytest.fixture
def city(start, tmp_path):
    def run():
        return start(manifest(tmp_path), "--data", tmp_path / "data")

    return run


def bell(city, number, pressed, at="2026-11-24T01:00:00Z"):
    body = {
        "id": f"urn:ngsi-ld:EmergencyBell:{number}", "type": "EmergencyBell",
        "name": {"type": "Property", "value": f"공원 비상벨 {number}"},
        "pressed": {"type": "Property", "value": pressed, "observedAt": at},
        "location": {"type": "GeoProperty", "value": {"type": "Point", "coordinates": [HERE["longitude"], HERE["latitude"]]}},
    }
    answer = requests.post(city.api + "/entityOperations/upsert", json=[body], timeout=30)
    assert answer.status_code in (201, 204), answer.text


def incidents_of(desk, source):
    found = []
    for item in desk.queue(limit=1000):
        if any(report["source"] == source for report in item["incident"]["reports"]):
            found.append(item["incident"])
    return found


def wait(condition, seconds=15):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.1)
    raise AssertionError("never came about")


def test_a_bell_that_is_pressed_opens_an_incident_once(city):
    running = city()
    desk = Desk(running)
    bell(running, 1, False)
    bell(running, 1, True, "2026-11-24T01:00:05Z")
    source = "urn:ngsi-ld:EmergencyBell:1"
    [incident] = wait(lambda: incidents_of(desk, source))
    assert incident["category"] == "emergency-call" and incident["alarming"]
    assert incident["reports"][0]["about"] == [source] and incident["position"]["longitude"] == HERE["longitude"]
    bell(running, 1, True, "2026-11-24T01:00:09Z")
    bell(running, 1, False, "2026-11-24T01:00:10Z")
    bell(running, 1, True, "2026-11-24T01:00:11Z")
    wait(lambda: incidents_of(desk, source)[0]["repetitions"] >= 1)
    assert len(incidents_of(desk, source)) == 1, "the same bell, the same event"


def test_what_was_pressed_when_the_city_was_killed_is_found(city):
    running = city()
    for number in range(20):
        bell(running, number, True)
    running.kill()
    running = city()
    desk = Desk(running)
    wait(lambda: all(incidents_of(desk, f"urn:ngsi-ld:EmergencyBell:{number}") for number in range(20)), 30)
    counts = [len(incidents_of(desk, f"urn:ngsi-ld:EmergencyBell:{number}")) for number in range(20)]
    assert counts == [1] * 20


def test_the_handsets_place_and_the_call_find_each_other(city):
    running = city()
    desk = Desk(running)

    def aml(number, radius, status=200):
        answer = requests.post(desk.door + "/mobile-locations",
                               json={"message": AML.format(radius=radius), "from": number}, timeout=30)
        assert answer.status_code == status, answer.text
        return answer.json()

    # The call first, the place after it.
    one = desk.report(1, "medical", source="119", channel="voice", contact="010-1234-5678", position=None)["incident"]
    assert aml("+82 10-1234-5678", 25) == {"way": "joined", "incident": one}
    record = desk.record(one)["incident"]
    assert record["position"]["uncertainty"] == 25 and record["position"]["confidence"] == 95
    assert aml("+82 10-1234-5678", 25)["way"] == "joined"
    assert len(desk.record(one)["incident"]["reports"]) == 2, "the same message is taken once"
    # The place first.
    assert aml("01099998888", 40) == {"way": "waiting"}
    two = desk.report(2, "medical", source="119", channel="voice", contact="+82 10 9999 8888", position=None)["incident"]
    assert desk.record(two)["incident"]["position"]["uncertainty"] == 40
    message = AML.format(radius="N").replace("pm=G", "pm=N")
    answer = requests.post(desk.door + "/mobile-locations", json={"message": message, "from": "01077776666"}, timeout=30)
    assert answer.json() == {"way": "nowhere"}
    answer = requests.post(desk.door + "/mobile-locations", json={"message": "hello", "from": "01011112222"}, timeout=30)
    assert answer.status_code == 400 and "ML" in answer.json()["detail"]


def test_the_identity_of_a_handset_is_not_kept(city, tmp_path):
    running = city()
    desk = Desk(running)
    secret = "450051234567890"
    one = desk.report(1, "medical", source="119", channel="voice", contact="010-1234-5678", position=None)["incident"]
    requests.post(desk.door + "/mobile-locations", timeout=30, json={
        "message": f'A"ML=1;lt=+35.15712;lg=+129.06123;rd=9;top=20261124010000;lc=95;pm=G;si={secret};ei={secret};ml=99',
        "from": "010-1234-5678"})
    assert secret not in json.dumps(desk.record(one))


def test_calls_from_phones_survive_a_kill(city):
    running = city()
    answer = requests.post(running.url + "/call", data={"category": "fire", "text": "여기요"}, timeout=30)
    assert "/call/" in answer.url and answer.status_code == 200
    ticket = answer.url.split("/call/")[1]
    running.kill()
    running = city()
    page = requests.get(f"{running.url}/call/{ticket}", timeout=30)
    assert page.status_code == 200 and "여기요" in page.text
    for _ in range(60):
        last = requests.post(f"{running.url}/call/{ticket}", data={"text": "still here"}, timeout=30)
    assert last.status_code == 200
    assert requests.post(f"{running.url}/call/{ticket}", data={"text": "more"}, timeout=30).status_code == 429


@pytest.mark.parametrize("form", [
    {"category": "fire", "latitude": "nan", "longitude": "1e400", "accuracy": "-5"},
    {"category": "x" * 5000, "text": "y" * 20000}, {"category": "fire", "text": "\x00\x07 a\r\nb"}, {},
    {"category": "fire", "latitude": "0", "longitude": "0", "accuracy": "0"}, {"silent": "yes", "contact": "z" * 999},
])
def test_no_call_is_refused_for_what_is_in_it(city, form):
    running = city()
    answer = requests.post(running.url + "/call", data=urllib.parse.urlencode(form),
                           headers={"Content-Type": "application/x-www-form-urlencoded"}, timeout=30)
    assert answer.status_code == 200 and "/call/" in answer.url
    assert len(Desk(running).queue()) == 1
