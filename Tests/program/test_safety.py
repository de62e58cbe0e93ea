"""Incidents over HTTP: from the report to the close, what is refused, and what survives a kill."""

import subprocess
import threading
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests
from conftest import ROOT
from test_openapi import run

HERE = {"longitude": 129.06, "latitude": 35.158}


def manifest(folder):
    """The demo city without its connectors and devices' simulation: only its incidents."""
    text = (ROOT / "Examples/demo.city.yaml").read_text(encoding="utf-8")
    for key in ("file", "mapping"):
        text = text.replace(f"    {key}: ", f"    {key}: {ROOT}/Examples/").replace("plan: demo", f"plan: {ROOT}/Examples/demo")
    path = folder / "safety.city.yaml"
    path.write_text(text, encoding="utf-8")
    return path


class Desk:
    def __init__(self, city):
        self.city = city
        self.door = city.url + "/city/v1/safety"

    def report(self, number, category="fire", source="bell-1", channel="bell", status=(200, 201), **more):
        body = {"source": source, "number": str(number), "channel": channel, "category": category, "position": HERE, **more}
        answer = requests.post(self.door + "/reports", json=body, timeout=30)
        assert answer.status_code in status, answer.text
        return answer.json()

    def do(self, incident, command, status=200, **members):
        body = {"id": members.pop("id", str(uuid.uuid4())), "command": command, **members}
        answer = requests.post(f"{self.door}/incidents/{incident}/commands", json=body, timeout=30)
        assert answer.status_code == status, answer.text
        return answer.json()

    def unit(self, incident, unit, status):
        body = {"id": str(uuid.uuid4()), "command": "unit", "unit": unit, "status": status}
        answer = requests.post(f"{self.door}/incidents/{incident}/commands", json=body, timeout=30)
        assert answer.status_code == 200, answer.text

    def queue(self, **parameters):
        answer = requests.get(self.door + "/incidents", params=parameters, timeout=30)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def record(self, incident, **parameters):
        answer = requests.get(f"{self.door}/incidents/{incident}", params=parameters, timeout=30)
        assert answer.status_code == 200, answer.text
        return answer.json()


@pytest.fixture
def desk(start, tmp_path):
    return Desk(start(manifest(tmp_path), "--data", tmp_path / "data"))


def test_from_the_report_to_the_closed_incident(desk):
    opened = desk.report(1, text="연기가 보여요", channel="page", source="caller")
    assert opened["way"] == "opened"
    one = opened["incident"]
    assert desk.report(1, channel="page", source="caller") == {"incident": one, "way": "known"}
    near = desk.report(1, "gas-leak", source="119", channel="agency")
    assert near["way"] == "opened" and near["candidates"][0]["incident"] == one
    queue = desk.queue()
    assert {item["incident"]["id"] for item in queue} == {one, near["incident"]}
    assert all({"reason": "alarm"} in item["reasons"] for item in queue)
    desk.do(near["incident"], "merge", into=one)
    assert [item["incident"]["id"] for item in desk.queue()] == [one]

    # It is an entity like others: queried, and kept in history.
    entity = requests.get(f"{desk.city.api}/entities/{one}", params={"format": "keyValues"}, timeout=30).json()
    assert entity["type"] == "Incident" and entity["status"] == "new" and entity["title"] == "화재"
    found = requests.get(desk.city.api + "/entities", params={"type": "Incident", "q": 'isAlarming==true;severity=="Severe"'}, timeout=30)
    assert [entity["id"] for entity in found.json()] == [one]
    refused = requests.patch(f"{desk.city.api}/entities/{one}/attrs", json={"status": {"type": "Property", "value": "closed"}}, timeout=30)
    assert refused.status_code == 403 and "/city/v1/safety/incidents" in refused.json()["detail"]

    stood = desk.do(one, "acknowledge")["incident"]["sequence"]
    desk.do(one, "acknowledge", status=409)
    desk.do(one, "assign", to={"kind": "Person", "id": "kim", "agency": "city"}, expected=stood)
    desk.do(one, "note", text="stale", expected=stood, status=409)
    desk.do(one, "dispatch", unit="pump-2", agency="fire", task="진화")
    desk.unit(one, "pump-2", "on-scene")
    desk.do(one, "step", step="tell-119", action="done", status=409)
    for step in ("verify", "tell-119", "road", "report"):
        desk.do(one, "step", step=step, action="done")
    desk.do(one, "resolve", outcome="handled", text="진화 완료")
    desk.do(one, "close", summary="끝", status=409)
    desk.unit(one, "pump-2", "cleared")
    closed = desk.do(one, "close", summary="냄비 화재, 부상 없음")
    assert closed["incident"]["status"] == "closed" and desk.queue() == []

    # The review afterwards: as it was at each time.
    record = desk.record(one)
    assert [entry["sequence"] for entry in record["entries"]] == list(range(1, len(record["entries"]) + 1))
    for entry in record["entries"]:
        then = desk.record(one, at=entry["at"])
        assert then["incident"]["sequence"] >= entry["sequence"]
    assert desk.record(one, at=record["entries"][2]["at"])["incident"]["status"] == "new"
    history = requests.get(f"{desk.city.api}/temporal/entities/{one}", params={"attrs": "status", "options": "temporalValues"}, timeout=30)
    assert [value for value, _ in history.json()["status"]["values"]] == ["new", "acknowledged", "in-progress", "resolved", "closed"]


@pytest.mark.parametrize("body, said", [
    ([], "'report' is an object"), ({}, "'report.source' is missing"),
    ({"source": "a", "number": "1", "channel": "pigeon", "category": "fire"}, "'report.channel' is one of"),
    ({"source": "a", "number": "1", "channel": "bell", "category": "fire", "position": {"longitude": 999, "latitude": 1}},
     "'report.position.longitude' is a number"),
    ({"source": "a", "number": "1", "channel": "bell", "category": "fire", "observedAt": "gestern"}, "'report.observedAt' is a time"),
    ({"source": "a", "number": "1", "channel": "bell", "category": "fire", "text": "x" * 5000}, "'report.text' is a text"),
    ({"source": "a", "number": "1", "channel": "bell", "category": "fire", "doubts": 7}, "'report.doubts' is a list"),
    ({"source": "a", "number": "1", "channel": "bell", "category": "fire", "exercise": 7}, "'exercise' is a name"),
])
def test_what_is_no_report_is_said(desk, body, said):
    answer = requests.post(desk.door + "/reports", json=body, timeout=30)
    assert answer.status_code == 400 and said in answer.json()["detail"], answer.text


def test_odd_reports_and_commands(desk):
    # From 1970, from nowhere, of an unknown kind: taken, and marked.
    odd = desk.report(1, "volcano", observedAt="1970-01-01T00:00:00Z", position={"longitude": 0, "latitude": 0})
    incident = desk.record(odd["incident"])["incident"]
    assert incident["reports"][0]["doubts"] == ["category", "place", "time"] and "position" not in incident
    for body, status in (({"command": "acknowledge"}, 400), ({"command": "report", "id": "x"}, 400), ({"id": "x"}, 400),
                         ({"command": "begin", "id": "x", "procedure": "none"}, 400),
                         ({"command": "note", "id": "report 1", "text": "x"}, 400)):
        answer = requests.post(f"{desk.door}/incidents/{odd['incident']}/commands", json=body, timeout=30)
        assert answer.status_code == status, answer.text
    for path, method, status in (("incidents/urn:none", "GET", 404), ("incidents/urn:none/commands", "GET", 405),
                                 ("nothing", "GET", 404), ("reports", "DELETE", 405), ("incidents?limit=x", "GET", 400)):
        answer = requests.request(method, f"{desk.door}/{path}", timeout=30)
        assert answer.status_code == status, (path, answer.text)
    form = requests.post(desk.door + "/reports", data="source=a", headers={"Content-Type": "text/plain"}, timeout=30)
    assert form.status_code == 415


def test_no_report_that_was_answered_is_lost_by_a_kill(binary, start, tmp_path):
    path = manifest(tmp_path)
    taken, lock = {}, threading.Lock()
    for round_ in range(3):
        desk = Desk(start(path, "--data", tmp_path / "data"))
        enough = threading.Event()

        def send(worker, desk=desk, round_=round_, enough=enough):
            for number in range(10_000):
                key = f"{round_}.{worker}.{number}"
                place = {"longitude": 129.05 + worker / 500, "latitude": 35.15 + number % 40 / 2000}
                try:
                    answer = requests.post(desk.door + "/reports", timeout=30, json={
                        "source": f"caller-{worker}", "number": key, "channel": "voice", "position": place,
                        "category": ("crowd", "other")[number % 2]})
                except requests.RequestException:
                    return
                if answer.status_code in (200, 201):
                    with lock:
                        taken[key] = (worker, answer.json()["incident"])
                        if len(taken) >= 120 * (round_ + 1):
                            enough.set()

        with ThreadPoolExecutor(8) as pool:
            for worker in range(8):
                pool.submit(send, worker)
            assert enough.wait(120)
            desk.city.kill()
    desk = Desk(start(path, "--data", tmp_path / "data"))
    records = {}
    for key, (worker, incident) in taken.items():
        again = desk.report(key, "other", source=f"caller-{worker}", channel="voice")
        assert again == {"incident": incident, "way": "known"}
        if incident not in records:
            records[incident] = {report["number"] for report in desk.record(incident)["incident"]["reports"]}
        assert key in records[incident]
    assert len(taken) >= 360


def test_a_wrong_plan_is_told_with_line_and_key(binary, tmp_path):
    path = manifest(tmp_path)
    plan = (ROOT / "Examples/demo.safety.yaml").read_text(encoding="utf-8")
    (tmp_path / "wrong.yaml").write_text(plan.replace("within: 60}", "within: soon}", 1), encoding="utf-8")
    path.write_text(path.read_text(encoding="utf-8").replace(f"{ROOT}/Examples/demo.safety.yaml", "wrong.yaml"), encoding="utf-8")
    told = subprocess.run([binary, "up", path, "--port", "0"], capture_output=True, text=True, timeout=60, check=False)
    line = 1 + plan[: plan.index("within: 60}")].count("\n")
    assert told.returncode != 0 and f"wrong.yaml:{line}" in told.stderr and "within" in told.stderr, told.stderr
    circle = plan.replace("after: [verify], within: 60, maySkip", "after: [report], within: 60, maySkip", 1)
    (tmp_path / "wrong.yaml").write_text(circle, encoding="utf-8")
    told = subprocess.run([binary, "up", path, "--port", "0"], capture_output=True, text=True, timeout=60, check=False)
    assert told.returncode != 0 and "wait for one another" in told.stderr, told.stderr


def test_the_service_is_described(desk, tmp_path):
    document = requests.get(desk.city.url + "/openapi.json", timeout=30).json()
    assert "/city/v1/safety/incidents/{incident}/commands" in document["paths"]
    run(desk.city, tmp_path, "--include-path-regex", "^/city/v1/safety")
