"""The demo's evening, played thirty times as fast: what happens in it, and that it leaves alone what a person does."""

import time

import pytest
import requests
from conftest import ROOT
from test_safety import Desk, manifest

EVENING = ROOT / "Examples/demo.evening.yaml"


def wait(condition, seconds=60):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.2)
    raise AssertionError("never came about")


def incidents(city):
    answer = requests.get(city.api + "/entities", params={"type": "Incident", "format": "keyValues", "limit": 100}, timeout=30)
    return [one for one in answer.json() if one["status"] != "merged"]


def test_an_evening_with_three_emergencies_and_three_false_alarms(start, tmp_path):
    city = start(manifest(tmp_path), "--data", tmp_path / "data", "--evening", EVENING, "--pace", "30")
    desk = Desk(city)
    pump = wait(lambda: [unit for unit in units(city) if unit["name"] == "펌프 1"])[0]["location"]["coordinates"]
    ended = wait(lambda: (all_ := incidents(city)) and len(all_) == 6 and all(one["status"] == "closed" for one in all_)
                 and all_, 90)
    assert sorted(one["category"] for one in ended) == [
        "emergency-call", "fire", "fire", "gas-leak", "intrusion", "missing-person"]
    assert sum(one["outcome"] == "false-alarm" for one in ended) == 3
    fire = next(one for one in ended if one["category"] == "fire" and one["outcome"] == "handled")
    record = desk.record(fire["id"])
    units_there = [unit for unit in record["incident"]["dispatches"]]
    assert {unit["status"] for unit in units_there} == {"cleared"} and len(units_there) == 2
    assert all("on-scene" in unit["times"] for unit in units_there)
    assert record["incident"]["severity"] == "Extreme", "the neighbour's call made it graver"
    assert len(record["incident"]["absorbed"]) == 1
    moved = next(unit for unit in units(city) if unit["name"] == "펌프 1")["location"]["coordinates"]
    assert moved != pump


def units(city):
    return requests.get(city.api + "/entities", params={"type": "ResponseUnit", "format": "keyValues", "limit": 100}, timeout=30).json()


def test_what_a_person_does_is_left_alone(start, tmp_path):
    evening = tmp_path / "short.yaml"
    evening.write_text("""
events:
  - {after: 0, source: "119", channel: agency, category: fire, at: [129.06, 35.158], text: "smoke"}
  - {after: 3, of: "119", do: acknowledge}
  - {after: 4, of: "119", do: resolve, outcome: handled, text: "out"}
""", encoding="utf-8")
    city = start(manifest(tmp_path), "--data", tmp_path / "data", "--evening", evening, "--pace", "1")
    desk = Desk(city)
    one = wait(lambda: desk.queue())[0]["incident"]["id"]
    desk.do(one, "acknowledge", id="mine")
    desk.do(one, "resolve", outcome="false-alarm", text="steam")
    time.sleep(6)
    record = desk.record(one)
    assert record["incident"]["outcome"] == {"kind": "false-alarm", "text": "steam"}
    assert not [entry for entry in record["entries"] if entry["by"].get("id") == "simulated-operator"]


@pytest.mark.parametrize("text,said", [
    ("events: []", "events"), ("events:\n  - {after: 1, category: fire}", "source"),
    ("events:\n  - {after: 1, do: acknowledge}", "of"), ("events:\n  - {after: -1, source: a, category: b}", "after"),
])
def test_what_is_wrong_with_an_evening_is_said(tmp_path, text, said):
    import subprocess

    from conftest import find_binary
    path = tmp_path / "wrong.yaml"
    path.write_text(text, encoding="utf-8")
    ran = subprocess.run([find_binary(), "up", str(manifest(tmp_path)), "--evening", str(path), "--port", "0"], cwd=ROOT,
                         capture_output=True, text=True, timeout=60)
    assert ran.returncode != 0 and said in ran.stderr and "wrong.yaml" in ran.stderr
