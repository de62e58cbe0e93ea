"""The link to other agencies over HTTP: the simulator of the far side, agencies that are down, kills, replays."""

import json
import subprocess
import threading
import time

import pytest
import requests
from test_safety import Desk, manifest

FIRE = """
  - id: fire-real
    name: {ko: "119", en: "119"}
    party: fire
    city: CITY000000
    agency: FIRE000001
    system: MDG
    events: {fire: E-FIRE, gas-leak: E-GAS}
    peer: PEER
    login: {file: FOLDER/out.key}
    encryption: base64
    key: {file: FOLDER/aria.key}
    takes: {login: {file: FOLDER/in.key}, addresses: [127.0.0.1]}
"""


class Agency:
    def __init__(self, binary, *arguments):
        self.process = subprocess.Popen([binary, "safety", "link", "--simulate", "--agency", "FIRE000001", *arguments],
                                        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.url = self.process.stdout.readline().split()[1]

    def behave(self, **how):
        requests.post(self.url + "/behave", json=how, timeout=30).raise_for_status()

    def received(self):
        return requests.get(self.url + "/received", timeout=30).json()

    def taken(self):
        return [message for message in self.received()["messages"] if message["taken"]]

    def send(self, city, **event):
        body = {"evtNm": "화재", "ocrEvtCn": "연기", **event}
        answer = requests.post(self.url + "/send", json={"to": city.url, "login": "in", "event": body}, timeout=60).json()
        return answer["failure"]

    def stop(self):
        self.process.kill()
        self.process.wait(timeout=30)


@pytest.fixture
def agency(binary):
    made = []

    def make(*arguments):
        made.append(Agency(binary, *arguments))
        return made[-1]

    yield make
    for one in made:
        one.stop()


def linked(folder, peer):
    """The demo city with one link more, to a far side on this machine."""
    path = manifest(folder)
    for name, key in (("out.key", "madang"), ("in.key", "in"), ("aria.key", "body-key")):
        (folder / name).write_text(key + "\n", encoding="utf-8")
    text = path.read_text(encoding="utf-8")
    plan = text.split("safety: {plan: ")[1].split("}")[0]
    with open(plan, encoding="utf-8") as file:
        own = file.read() + FIRE.replace("PEER", peer).replace("FOLDER", str(folder))
    (folder / "plan.yaml").write_text(own, encoding="utf-8")
    path.write_text(text.replace(plan, str(folder / "plan.yaml")), encoding="utf-8")
    return path


def until(condition, seconds=30):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.05)
    return condition()


def link(city, name="fire-real"):
    return next(line for line in requests.get(city.url + "/city/v1/safety/links", timeout=30).json() if line["id"] == name)


def test_both_ways(start, agency, tmp_path):
    far = agency("--key", "body-key")
    city = start(linked(tmp_path, far.url), "--data", tmp_path / "data")
    desk = Desk(city)
    assert link(city)["state"] == "unused" and link(city, "112-video")["takes"]
    one = desk.report(1, text="연기가 보여요")["incident"]
    desk.do(one, "dispatch", unit="pump-2", agency="fire", task="진화")
    desk.do(one, "acknowledge")
    desk.do(one, "resolve", outcome="false-alarm", text="x")
    assert until(lambda: [message["status"] for message in far.taken()] == ["10", "90"])
    assert all(message["encrypted"] and message["sender"] == "CITY000000" for message in far.taken())
    assert far.taken()[0]["body"]["ocrEvtCn"] == "연기가 보여요" and far.received()["logins"] == 1

    # In: an event, the same again, more of it, its end.
    event = {"evtId": "E-GAS", "ocrNbr": "20261124090000001", "ocrEvtTime": "20261124090000", "ocrLc": {"crdntX": "129.07", "crdntY": "35.16"}}
    for _ in range(3):
        assert far.send(city, **event) is None
    queue = desk.queue()
    assert [item["incident"]["category"] for item in queue if item["incident"]["status"] == "new"] == ["gas-leak"]
    two = next(item["incident"]["id"] for item in queue if item["incident"]["category"] == "gas-leak")
    assert far.send(city, **event, ocrSts="40", ocrPlc="가스 밸브") is None
    assert far.send(city, **event, ocrSts="91") is None
    record = desk.record(two)
    assert len(record["incident"]["reports"]) == 2 and "91 종료" in json.dumps(record["entries"], ensure_ascii=False)
    # Impossible and unknown: kept, and doubted.
    odd = {"evtId": "E-MOON", "ocrNbr": "7", "ocrEvtTime": "19700101000000", "ocrLc": {"crdntX": "abc", "crdntY": "35"}, "ocrSts": "66"}
    answer = requests.post(city.url + "/integrationPlatformEvent", json={"svcTy": "EVENT", "sendCd": "FIRE000000", "body": odd}, timeout=30)
    assert answer.json()["result"] == "0", answer.text
    doubted = [item["incident"]["reports"][0] for item in desk.queue() if item["incident"]["category"] == "E-MOON"]
    assert doubted[0]["doubts"] == ["category", "place", "time"]
    line = link(city)
    totals = line["usage"]["totals"]
    assert line["state"] == "ok" and totals["sent"] == 2 and totals["received"] == 3 and totals["duplicate"] == 2
    assert line["answeredIn"]["median"] < 15 and line["lastUse"] and line["used"]["today"] == 5
    assert until(lambda: link(city)["usage"]["totals"].get("looked", 0) >= 1)

    # Who is no agency.
    stranger = {"svcTy": "EVENT", "sendCd": "NOBODY", "body": {"evtId": "E", "ocrNbr": "1", "ocrSts": "10"}}
    for path in ("/integrationPlatformEvent", "/linkHttp/recvEvent.json", "/api/getAuth.json"):
        answer = requests.post(city.url + path, json=stranger, timeout=30)
        assert answer.status_code == 200 and answer.json()["result"] == "1" and "sendCd" in answer.json()["message"]
        assert requests.get(city.url + path, timeout=30).status_code == 405
    browser = requests.post(city.url + "/integrationPlatformEvent", json=stranger | {"sendCd": "FIRE000000"}, headers={"Origin": "http://evil.example"}, timeout=30)
    assert browser.status_code == 403
    for body, kind in ((b"x" * 70_000, "application/json"), (b"{", "application/json"), (b"a=%zz", "application/x-www-form-urlencoded"), (b"{}", "text/plain")):
        answer = requests.post(city.url + "/integrationPlatformEvent", data=body, headers={"Content-Type": kind}, timeout=30)
        assert answer.status_code == 200 and answer.json()["result"] == "1"


def test_an_agency_that_is_down_and_kills_lose_nothing(start, agency, tmp_path):
    far = agency("--key", "body-key")
    path = linked(tmp_path, far.url)
    far.behave(down=True)
    incidents = []
    for round_ in range(3):
        city = start(path, "--data", tmp_path / "data")
        desk = Desk(city)
        for number in range(4):
            one = desk.report(f"{round_}-{number}", source=f"s{round_}{number}", position={"longitude": 129.0 + 0.01 * (4 * round_ + number), "latitude": 35.158})["incident"]
            desk.do(one, "dispatch", unit=f"u{round_}{number}", agency="fire", task="x")
            desk.do(one, "classify", severity="Extreme", reason="x")
            incidents.append(one)
        if round_ == 2:
            assert until(lambda: link(city)["state"] == "failing" and link(city)["waiting"] == 24)
            assert "HTTP 503" in link(city)["lastFailure"] and link(city)["failingSince"] and link(city)["waitingSince"]
            # Each second message breaks off after it was taken; a kill comes between.
            far.behave(down=False, breakEach=2)
            assert until(lambda: len(far.taken()) >= 5, 60)
        city.kill()
    far.behave(forget=True)
    city = start(path, "--data", tmp_path / "data")
    assert until(lambda: link(city)["waiting"] == 0 and link(city)["usage"]["totals"].get("sent") == 24, 90), link(city)
    told = {}
    for message in far.taken():
        if message["taken"] != "duplicate":
            incident = next(item["val"] for item in message["body"]["ocrEvtItem"] if item["key"] == "INCIDENT")
            told.setdefault(incident, []).append(message["status"])
    # Nothing is lost, nothing is done twice, each in its order.
    assert told == {incident: ["10", "40"] for incident in incidents}
    assert link(city)["setAside"] == 0


def test_failing_and_good_events_mixed(start, agency, tmp_path):
    far = agency("--key", "body-key")
    city = start(linked(tmp_path, far.url), "--data", tmp_path / "data")
    desk = Desk(city)
    far.behave(refuse=["E-GAS"])
    for number in range(6):
        one = desk.report(number, "gas-leak" if number % 2 else "fire", source=f"s{number}", position={"longitude": 129.0 + 0.01 * number, "latitude": 35.158})["incident"]
        desk.do(one, "dispatch", unit=f"u{number}", agency="fire", task="x")
    assert until(lambda: len(far.taken()) == 3 and link(city)["setAside"] == 3)
    assert link(city)["state"] == "refused"
    door = city.url + "/city/v1/safety/links/fire-real"
    shown = [message for message in requests.get(door, timeout=30).json()["messages"] if message.get("refused")]
    assert len(shown) == 3 and "evtId" in shown[0]["refused"]
    far.behave(refuse=[])
    for message, decision in zip(shown, ("retry", "discard", "retry")):
        body = {"decision": decision, "reason": "시험"}
        assert requests.post(f"{door}/messages/{message['id']}", json=body, timeout=30).status_code == 204
        assert requests.post(f"{door}/messages/{message['id']}", json=body, timeout=30).status_code == 404
    assert until(lambda: len(far.taken()) == 5 and link(city)["state"] == "ok" and link(city)["waiting"] == 0)
    for body in ({}, {"decision": "burn", "reason": "x"}, {"decision": "retry"}):
        assert requests.post(f"{door}/messages/1", json=body, timeout=30).status_code == 400
    assert requests.get(city.url + "/city/v1/safety/links/none", timeout=30).status_code == 404


def test_events_that_were_answered_are_kept_by_a_kill(start, agency, tmp_path):
    far = agency("--key", "body-key")
    path = linked(tmp_path, far.url)
    city = start(path, "--data", tmp_path / "data")
    taken, stop = [], threading.Event()

    def send():
        number = 0
        while not stop.is_set() and number < 400:
            number += 1
            event = {"evtId": "E-FIRE", "ocrNbr": str(number), "ocrLc": {"crdntX": f"{129 + number * 0.01:.2f}", "crdntY": "35.1"}}
            try:
                if far.send(city, **event) is None:
                    taken.append(number)
            except requests.RequestException:
                return

    sender = threading.Thread(target=send)
    sender.start()
    assert until(lambda: len(taken) > 20)
    city.kill()
    stop.set()
    sender.join()
    city = start(path, "--data", tmp_path / "data")
    # All are sent again: those that were answered are known, and change nothing.
    for number in range(1, max(taken) + 1):
        event = {"evtId": "E-FIRE", "ocrNbr": str(number), "ocrLc": {"crdntX": f"{129 + number * 0.01:.2f}", "crdntY": "35.1"}}
        assert until(lambda: far.send(city, **event) is None, 5)
    queue = Desk(city).queue(limit=1000)
    numbers = [report["number"] for item in queue for report in item["incident"]["reports"]]
    assert sorted(numbers) == sorted(f"E-FIRE {number}" for number in range(1, max(taken) + 1))


def test_the_command(binary, agency, start, tmp_path):
    far = agency("--key", "k")

    def run(*arguments):
        done = subprocess.run([binary, "safety", "link", *arguments], capture_output=True, text=True, timeout=120)
        return done.returncode, done.stdout + done.stderr

    code, said = run("--peer", far.url, "--key", "k", "--json")
    exchanges = json.loads(said)["exchanges"]
    assert code == 0 and [line["message"][:2] for line in exchanges] == ["lo", "10", "40", "50", "90", "10"]
    code, said = run("--peer", far.url, "--format", "form", "--dialect", "platform")
    assert code == 0 and "90 취소: taken" in said
    assert {message["encrypted"] for message in far.taken()} == {True, False}
    code, said = run("--peer", far.url, "--login", "wrong")
    assert code == 1 and "apiKey" in said
    far.behave(down=True)
    assert run("--peer", far.url)[0] == 1
    code, said = run("--peer", "http://127.0.0.1:9")
    assert code == 1 and "could not be reached" in said
    assert run()[0] == 64 and run("--peer", far.url, "--format", "xml")[0] == 64
    # A city is a far side too.
    city = start(linked(tmp_path, far.url), "--data", tmp_path / "data")
    code, said = run("--peer", city.url, "--agency", "CITY000000", "--city", "FIRE000001", "--login", "in", "--key", "body-key",
                     "--event", "E-FIRE", "--event-path", "/integrationPlatformEvent")
    assert code == 0, said


def test_the_plan_names_what_is_wrong(binary, tmp_path):
    path = linked(tmp_path, "gopher://x")
    done = subprocess.run([binary, "up", str(path), "--port", "0", "--data", str(tmp_path / "d")], capture_output=True, text=True, timeout=60)
    assert done.returncode != 0 and "plan.yaml" in done.stderr and "links[5].peer" in done.stderr
    path = linked(tmp_path, "http://127.0.0.1:9")
    plan = (tmp_path / "plan.yaml").read_text(encoding="utf-8").replace("encryption: base64", "encryption: rot13")
    (tmp_path / "plan.yaml").write_text(plan, encoding="utf-8")
    done = subprocess.run([binary, "up", str(path), "--port", "0", "--data", str(tmp_path / "d")], capture_output=True, text=True, timeout=60)
    line = max(number for number, text in enumerate(plan.splitlines(), 1) if "rot13" in text)
    assert f"plan.yaml:{line}: links[5].encryption" in done.stderr
    (tmp_path / "plan.yaml").write_text(plan.replace("rot13", "base64"), encoding="utf-8")
    (tmp_path / "in.key").unlink()
    done = subprocess.run([binary, "up", str(path), "--port", "0", "--data", str(tmp_path / "d")], capture_output=True, text=True, timeout=60)
    assert done.returncode != 0 and "in.key" in done.stderr
