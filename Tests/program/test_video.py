"""Cameras of a closed city: what they see becomes incidents, and nothing of it is seen without a grant."""

import hashlib
import json
import os
import re
import subprocess
import time
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
import requests
from conftest import audited
from test_access import Guarded
from test_evidence import MANIFEST, ORIGIN
from test_identity import register

VIDEO = Path("/usr/share/doc/opencv-doc/examples/data/vtest.avi")
GATE, YARD, MADE = (f"urn:ngsi-ld:Camera:{name}" for name in ("gate", "yard", "made"))
RULES = """
permit(principal in Role::"operator", action in [Action::"read", Action::"create", Action::"update", Action::"watch"], resource);
permit(principal in Role::"operator", action in [Action::"request", Action::"break-glass"], resource in EntityType::"Camera");
permit(principal in Role::"duty-officer", action == Action::"approve", resource in EntityType::"Camera");
permit(principal in Role::"privacy-officer", action in [Action::"read", Action::"review"], resource);
"""
PLAN = """
categories:
  - {id: intrusion, title: {ko: 침입, en: Intrusion}, severity: Moderate}
  - {id: fire, title: {ko: 화재, en: Fire}, severity: Severe}
"""
CAMERAS = """
keep: {clips: 30, exports: 7, gigabytes: 1, source: "시험"}
events:
  - {rule: intrusion, category: intrusion}
cameras:
  - {id: gate, name: {ko: 정문, en: Gate}, source: VIDEO, place: [129.06, 35.16], bearing: 90, range: 60, plan: gate.yaml}
  - {id: yard, name: {ko: 마당, en: Yard}, source: "RTSP", login: {env: YARD_LOGIN}, place: [129.0605, 35.16]}
  - {id: made, name: {ko: 합성, en: Made up}, source: VIDEO, place: [129.061, 35.16], synthetic: true}
"""
GATE_PLAN = """
zones:
  - {id: path, rule: intrusion, area: [[0.2, 0.2], [0.9, 0.2], [0.9, 1], [0.2, 1]]}
masks: [[[0, 0], [0.25, 0], [0.25, 0.25], [0, 0.25]]]
"""


class Watching(Guarded):
    def __init__(self, binary, folder, rtsp, cameras=CAMERAS):
        for name, text in (("rules.cedar", RULES), ("plan.yaml", PLAN), ("gate.yaml", GATE_PLAN),
                           ("cameras.yaml", cameras.replace("VIDEO", str(VIDEO)).replace("RTSP", rtsp))):
            (folder / name).write_text(text, encoding="utf-8")
        roles = "roles:\n  - {id: operator, name: {ko: 운영자, en: Operator}, may: [read]}\n"
        self.data = folder / "data"
        self.manifest = folder / "watching.city.yaml"
        self.manifest.write_text(
            MANIFEST.replace("services: [administration]", "services: [safety]") + roles
            + "safety: {plan: plan.yaml, cameras: cameras.yaml}\n"
            + "access: {rules: rules.cedar, grants: {longestBreakGlass: 1h}}\n" + f"evidence: {{origin: {ORIGIN}}}\n",
            encoding="utf-8")
        super(Guarded, self).__init__(binary, self.data)
        self.api, self.safety = self.url + "/ngsi-ld/v1", self.url + "/city/v1/safety"
        self.administrator = self.enter()

    def somebody(self, role):
        scope = "city:read city:write"
        made = register(self.administrator, client_name=role, grant_types=["client_credentials"], scope=scope, roles=[role],
                        agency="control")
        token = requests.post(self.url + "/oauth/token", timeout=30, auth=(made["client_id"], made["client_secret"]),
                              data={"grant_type": "client_credentials", "scope": scope}).json()
        return {"Authorization": "Bearer " + token["access_token"]}, made["client_id"]

    def incidents(self, headers):
        answer = requests.get(self.safety + "/incidents", headers=headers, timeout=30)
        assert answer.status_code == 200, answer.text
        return [one["incident"] for one in answer.json()]

    def grant(self, headers, incident, camera, **more):
        body = {"purpose": "incident", "legalBasis": "개인정보 보호법 제25조", "reason": "침입 확인", "incident": incident,
                "things": [{"id": camera}], "attributes": ["video"],
                "to": (datetime.now(timezone.utc) + timedelta(minutes=30)).strftime("%Y-%m-%dT%H:%M:%SZ"), **more}
        answer = requests.post(self.url + "/city/v1/grants", json=body, headers=headers, timeout=30)
        assert answer.status_code == 201, answer.text
        return self.url + answer.headers["Location"], answer.json()

    def tell(self, headers, incident, **command):
        answer = requests.post(f"{self.safety}/incidents/{incident}/commands", headers=headers, timeout=30,
                               json={"id": os.urandom(8).hex(), **command})
        assert answer.status_code == 200, answer.text
        return answer.json()["incident"]


def until(question, seconds=60):
    end = time.monotonic() + seconds
    while True:
        found = question()
        if found or time.monotonic() > end:
            return found
        time.sleep(0.3)


@pytest.fixture(scope="module")
def city(binary, tmp_path_factory):
    if not VIDEO.exists() or not Path("/usr/bin/ffmpeg").exists():
        pytest.skip(f"video: {VIDEO} or /usr/bin/ffmpeg is absent")
    from rtsp_camera import Camera

    folder = tmp_path_factory.mktemp("watching")
    subprocess.run(["/usr/bin/ffmpeg", "-nostdin", "-loglevel", "error", "-i", VIDEO, "-frames:v", "60", "-c:v", "libx264",
                    "-slices", "1", "-x264-params", "repeat-headers=1:keyint=10:slices=1:sliced-threads=0", "-bf", "0",
                    folder / "people.h264"], check=True)
    camera = Camera((folder / "people.h264").read_bytes(), wants_password=True, login="viewer:made-up")
    os.environ["YARD_LOGIN"] = "viewer:made-up"
    one = Watching(binary, folder, camera.url)
    one.operator, one.operators = one.somebody("operator")
    one.officer, _ = one.somebody("duty-officer")
    one.privacy, _ = one.somebody("privacy-officer")
    yield one
    if one.process.poll() is None:
        one.stop()
    camera.close()


@pytest.fixture(scope="module")
def incident(city):
    """What the gate's camera reports."""
    found = until(lambda: [one for one in city.incidents(city.operator) if one["category"] == "intrusion"], 120)
    assert found, city.errors.read_text()
    return found[0]["id"]


def test_cameras_are_entities_and_what_they_see_is_an_incident(city, incident):
    for camera in (GATE, YARD, MADE):
        state = until(lambda: requests.get(f"{city.api}/entities/{camera}?options=keyValues", headers=city.operator,
                                           timeout=30).json().get("streamState") == "running")
        assert state, (camera, city.errors.read_text())
    whole = requests.get(f"{city.safety}/incidents/{incident}", headers=city.operator, timeout=30).json()
    report = whole["entries"][0]["did"]
    assert report["report"]["source"] == GATE and report["report"]["about"] == [GATE]
    assert report["report"]["channel"] == "camera" and report["report"]["position"]["uncertainty"] == 60
    seen = requests.get(f"{city.safety}/cameras?incident={incident}", headers=city.operator, timeout=30).json()
    assert seen[0]["camera"] == GATE and seen[0]["leave"] == "needed"
    assert seen[0]["reasons"][0] == {"reason": "reported", "incident": incident}
    assert {one["camera"] for one in seen} == {GATE, YARD, MADE}


def test_nothing_is_seen_without_a_grant_and_a_view_ends_with_its_incident(city, incident):
    views = f"{city.safety}/cameras/{GATE}/views"
    look = {"incident": incident}
    assert requests.post(views, json=look, timeout=30).status_code == 401
    assert requests.post(views, json=look, headers=city.operator, timeout=30).status_code == 403
    # To read the camera's entity, which the role may, is not to see its pictures; nor is a grant for another camera.
    other, _ = city.grant(city.operator, incident, YARD)
    assert requests.post(other + "/approve", json={}, headers=city.officer, timeout=30).status_code == 200
    assert requests.post(views, json=look, headers=city.operator, timeout=30).status_code == 403
    grant, made = city.grant(city.operator, incident, GATE)
    assert requests.post(views, json=look, headers=city.operator, timeout=30).status_code == 403
    assert requests.post(grant + "/approve", json={}, headers=city.officer, timeout=30).status_code == 200
    opened = requests.post(views, json=look, headers=city.operator, timeout=30)
    assert opened.status_code == 201, opened.text
    assert opened.json()["grant"] == made["id"]
    playlist = city.url + opened.json()["address"]

    def shown():
        answer = requests.get(playlist, headers=city.operator, timeout=30)
        return answer.text if answer.status_code == 200 and "segment-" in answer.text else None

    text = until(shown)
    assert text and text.startswith("#EXTM3U"), requests.get(playlist, headers=city.operator, timeout=30).text
    # None of the pictures is from before the grant.
    begins = [datetime.fromisoformat(one.replace("Z", "+00:00")) for one in re.findall("PROGRAM-DATE-TIME:(.*)", text)]
    assert begins and min(begins) >= datetime.fromisoformat(made["from"].replace("Z", "+00:00"))
    base = playlist.rsplit("/", 1)[0] + "/"
    names = [re.search('MAP:URI="(.*)"', text)[1]] + re.findall("^segment.*$", text, re.M)
    parts = [requests.get(base + name, headers=city.operator, timeout=30) for name in names]
    assert all(one.status_code == 200 for one in parts), [one.status_code for one in parts]
    film = city.data / "film.mp4"
    film.write_bytes(b"".join(one.content for one in parts))
    probe = json.loads(subprocess.run(
        ["ffprobe", "-v", "error", "-show_streams", "-count_frames", "-of", "json", film], capture_output=True, text=True).stdout)
    stream = probe["streams"][0]
    assert (stream["codec_name"], stream["width"], stream["height"]) == ("h264", 640, 360) and int(stream["nb_read_frames"]) >= 5
    # The mask is in the pictures: what it covers is all one, beside it is not.
    covered, beside = (subprocess.run(
        ["ffmpeg", "-v", "error", "-i", film, "-frames:v", "1", "-vf", f"crop=120:70:{left}:10", "-f", "rawvideo", "-pix_fmt",
         "gray", "-"], capture_output=True).stdout for left in (20, 200))
    assert len(covered) == len(beside) == 120 * 70
    assert max(covered) - min(covered) < 12 and max(beside) - min(beside) > 60
    # Another's token is none.
    assert requests.get(playlist, headers=city.officer, timeout=30).status_code == 404
    assert requests.get(base + "../../../city.sqlite", headers=city.operator, timeout=30).status_code in (400, 404)
    # With the incident the view ends, at once.
    city.tell(city.operator, incident, command="acknowledge")
    city.tell(city.operator, incident, command="resolve", outcome="false-alarm", text="개")
    assert requests.get(playlist, headers=city.operator, timeout=30).status_code == 409
    assert requests.get(base + names[-1], headers=city.operator, timeout=30).status_code == 409
    assert requests.post(views, json=look, headers=city.operator, timeout=30).status_code == 409
    city.tell(city.operator, incident, command="close", summary="끝")


def fresh(city):
    """Another intrusion; the one before may be closed."""
    found = until(lambda: [one for one in city.incidents(city.operator) if one["category"] == "intrusion"], 120)
    assert found
    return found[0]["id"]


def test_an_export_is_masked_marked_and_receipted(city, incident):
    incident = fresh(city)
    exports = f"{city.safety}/cameras/{GATE}/exports"
    clips = until(lambda: [one for one in requests.get(
        f"{city.safety}/clips?incident={incident}", headers=city.operator, timeout=30).json() if one["state"] == "kept"], 120)
    assert clips and clips[0]["camera"] == GATE and clips[0]["rule"] == "intrusion"
    wanted = {"incident": incident, "clip": clips[0]["name"], "reason": "수사 협조"}
    assert requests.post(exports, json=wanted, headers=city.operator, timeout=60).status_code == 403
    _, made = city.grant(city.operator, incident, GATE, breakGlass=True)
    assert requests.post(exports, json={**wanted, "reason": ""}, headers=city.operator, timeout=60).status_code == 400
    assert requests.post(exports, json={**wanted, "clip": "../../x"}, headers=city.operator, timeout=60).status_code == 404
    answer = requests.post(exports, json=wanted, headers=city.operator, timeout=120)
    assert answer.status_code == 201, answer.text
    receipt = answer.json()
    assert receipt["grant"] == made["id"] and receipt["breakGlass"] is True and receipt["by"]["id"] == city.operators
    video = requests.get(f"{city.safety}/exports/{receipt['export']}/video.mp4", headers=city.operator, timeout=60)
    assert video.status_code == 200
    assert hashlib.sha256(video.content).hexdigest() == receipt["sha256"] and len(video.content) == receipt["bytes"]
    # The mark is there: the picture differs from the clip where the mark is, and nearly not where it is not.
    look = requests.post(f"{city.safety}/cameras/{GATE}/views", headers=city.operator, timeout=30,
                         json={"incident": incident, "clip": clips[0]["name"]})
    plain = requests.get(city.url + look.json()["address"], headers=city.operator, timeout=60)
    assert plain.status_code == 200 and hashlib.sha256(plain.content).hexdigest() == clips[0]["sha256"]
    pictures = []
    for name, content in (("plain", plain.content), ("marked", video.content)):
        (city.data / f"{name}.mp4").write_bytes(content)
        pictures.append(subprocess.run(
            ["ffmpeg", "-v", "error", "-i", city.data / f"{name}.mp4", "-frames:v", "1", "-f", "rawvideo", "-pix_fmt", "gray",
             "-"], capture_output=True).stdout)
    rows = [sum(abs(a - b) for a, b in zip(pictures[0][y * 640:(y + 1) * 640], pictures[1][y * 640:(y + 1) * 640])) / 640
            for y in range(360)]
    assert sum(rows[320:350]) / 30 > 15, rows[320:350]
    assert sum(rows[60:120]) / 60 < 4, rows[60:120]
    # What the ring holds, for the time that the grant covers.
    begin = datetime.fromisoformat(made["from"].replace("Z", "+00:00"))
    until(lambda: datetime.now(timezone.utc) > begin + timedelta(seconds=9), 15)
    times = {"from": (begin + timedelta(seconds=1)).isoformat(), "to": (begin + timedelta(seconds=5)).isoformat()}
    answer = until(lambda: (lambda one: one if one.status_code == 201 else None)(
        requests.post(exports, json={"incident": incident, "reason": "수사 협조", **times}, headers=city.operator, timeout=120)), 20)
    assert answer, "no span"
    before = {"from": (begin - timedelta(seconds=20)).isoformat(), "to": times["to"]}
    refused = requests.post(exports, json={"incident": incident, "reason": "x", **before}, headers=city.operator, timeout=60)
    assert refused.status_code == 400 and "covers" in refused.json()["detail"]
    # Nobody else fetches it, and nobody after the incident.
    assert requests.get(f"{city.safety}/exports/{receipt['export']}", headers=city.officer, timeout=30).status_code == 404
    assert requests.get(f"{city.safety}/exports/{receipt['export']}", headers=city.privacy, timeout=30).status_code == 200
    city.tell(city.operator, incident, command="acknowledge")
    city.tell(city.operator, incident, command="resolve", outcome="handled", text="확인")
    late = requests.get(f"{city.safety}/exports/{receipt['export']}/video.mp4", headers=city.operator, timeout=30)
    assert late.status_code == 409
    city.tell(city.operator, incident, command="close", summary="끝")


def test_a_synthetic_camera_needs_no_grant(city, incident):
    incident = fresh(city)
    opened = requests.post(f"{city.safety}/cameras/{MADE}/views", json={"incident": incident}, headers=city.operator, timeout=30)
    assert opened.status_code == 201 and "grant" not in opened.json()


def test_the_privacy_officers_report_says_all_of_it(city, binary):
    command = [binary, "safety", "video-report", "--city", city.url, "--from", "2026-01-01T00:00:00Z", "--to",
               "2100-01-01T00:00:00Z"]
    token = city.data / "token"
    token.write_text(city.privacy["Authorization"].split()[1])
    answer = subprocess.run([*command, "--token", token, "--json"], capture_output=True, text=True, timeout=60)
    # The glass was broken, and nobody has said yet whether that was right.
    assert answer.returncode == 2, answer.stderr
    said = json.loads(answer.stdout)
    assert said["viewsWithoutGrant"] == [] and said["cameras"] == 3 and said["unmaskedCameras"] == []
    assert {one["camera"] for one in said["views"]} == {GATE, MADE}
    assert all(one["by"]["id"] == city.operators for one in said["views"])
    assert [one["reason"] for one in said["exports"]] == ["수사 협조", "수사 협조"]
    assert len(said["unreviewed"]) == 1
    assert said["refusals"][0]["by"]["id"] == city.operators and said["refusals"][0]["camera"] == GATE
    judged = requests.post(f"{city.url}/city/v1/grants/{said['unreviewed'][0]['id']}/review", headers=city.privacy, timeout=30,
                           json={"justified": True, "note": "정당"})
    assert judged.status_code == 200, judged.text
    answer = subprocess.run([*command, "--token", token], capture_output=True, text=True, timeout=60)
    assert answer.returncode == 0 and "수사 협조" in answer.stdout and city.operators in answer.stdout
    token.write_text(city.operator["Authorization"].split()[1])
    denied = subprocess.run([*command, "--token", token], capture_output=True, text=True, timeout=60)
    assert denied.returncode == 1 and denied.stderr
    # Each of it stands in the evidence log.
    audit = [city.binary, "audit", "--month", time.strftime("%Y-%m", time.gmtime()), "--data", city.data]
    rows = audited(subprocess.run(audit, capture_output=True, text=True, timeout=60).stdout)
    steps = [row["action"] for row in rows if row["account"] == city.operators and row["kind"] == "access"]
    assert {"view-open", "view-close", "view-refused", "export-fetched"} <= set(steps) and steps.count("export-made") == 2
    assert {row["subject"] for row in rows if row["kind"] == "model-decision" and row["action"] == "intrusion"} == {GATE}


def test_a_stop_of_the_city_ends_views(city):
    city.stop()
    city.start(int(city.url.rsplit(":", 1)[1]))
    assert until(lambda: all("endedAt" in one for one in requests.get(
        f"{city.safety}/video-report?from=2026-01-01T00:00:00Z&to=2100-01-01T00:00:00Z", headers=city.privacy,
        timeout=30).json()["views"]), 30)
    assert "made-up" not in city.errors.read_text()


@pytest.mark.parametrize("wrong,words", [
    (CAMERAS.replace("category: intrusion", "category: flood"), "a category of the safety plan"),
    (CAMERAS.replace('"RTSP"', '"rtsp://a:b@127.0.0.1/x"'), "'login' with env or file"),
    (CAMERAS.replace("id: yard", "id: gate"), "an id of its own"),
    (CAMERAS.replace("clips: 30", "clips: -1"), "a number from"),
    (CAMERAS.replace('"RTSP"', '"http://127.0.0.1/x"'), "an rtsp: or rtsps: address"),
])
def test_a_wrong_file_of_cameras_is_refused_with_its_place(binary, tmp_path, wrong, words):
    folder = tmp_path
    for name, text in (("plan.yaml", PLAN), ("gate.yaml", GATE_PLAN),
                       ("cameras.yaml", wrong.replace("VIDEO", str(VIDEO)).replace("RTSP", "rtsp://127.0.0.1:9/x"))):
        (folder / name).write_text(text, encoding="utf-8")
    manifest = folder / "wrong.city.yaml"
    manifest.write_text(MANIFEST.replace("services: [administration]", "services: [safety]")
                        + "safety: {plan: plan.yaml, cameras: cameras.yaml}\n", encoding="utf-8")
    answer = subprocess.run([binary, "up", manifest, "--data", folder / "data", "--port", "0"], capture_output=True, text=True,
                            timeout=60)
    assert answer.returncode != 0 and "cameras.yaml" in answer.stderr and words in answer.stderr, answer.stderr
