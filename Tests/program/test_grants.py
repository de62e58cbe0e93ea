"""Exceptional access and approved commands in a closed city whose log three agencies watch."""

import base64
import subprocess
import time
from datetime import datetime, timedelta, timezone
from urllib.parse import quote

import pytest
import requests
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from conftest import audited
from test_access import Guarded
from test_evidence import MANIFEST, ORIGIN
from test_identity import register
from test_witness import Witness
from tlog_scales import signing

RULES = """
permit(principal in Agency::"police", action in [Action::"request", Action::"break-glass"], resource in EntityType::"Camera");
permit(principal in Role::"duty-officer", action == Action::"approve", resource in EntityType::"Camera");
permit(principal in Role::"privacy-officer", action == Action::"review", resource);
permit(principal in Role::"operator", action in [Action::"update", Action::"request"], resource in EntityType::"Valve");
permit(principal in Agency::"water", action == Action::"approve", resource in EntityType::"Valve");
@id("valves are shut by two others") @approval("2")
forbid(principal, action == Action::"update", resource in EntityType::"Valve")
when { context has attribute && context.attribute == "command" };
"""
CAMERA, VALVE, INCIDENT = "urn:ngsi-ld:Camera:1", "urn:ngsi-ld:Valve:1", "urn:ngsi-ld:Incident:1"


class Granting(Guarded):
    def __init__(self, binary, folder):
        (folder / "rules.cedar").write_text(RULES, encoding="utf-8")
        self.data = folder / "data"
        (self.data / "evidence").mkdir(parents=True)
        signer = signing.PlainEd25519Signer(ORIGIN, Ed25519PrivateKey.generate())
        key = base64.b64encode(b"\x01" + signer.key.private_bytes_raw()).decode()
        name, identity, _ = signer.vkey.serialize().split("+", 2)
        (self.data / "evidence" / "log.key").write_text(f"PRIVATE+KEY+{name}+{identity}+{key}\n", encoding="ascii")
        self.witnesses = []
        lines = ""
        for number in range(3):
            (folder / f"w{number}").mkdir()
            one = Witness(binary, folder / f"w{number}", f"agency{number}.example/witness", signer.vkey.serialize())
            # It comes back where it was.
            one.command[one.command.index("--port") + 1] = one.url.rstrip("/").rsplit(":", 1)[1]
            self.witnesses.append(one)
            lines += f"witness agency{number} {one.key.serialize()} {one.url}\n"
        (folder / "treaty.policy").write_text(lines + "group two 2 agency0 agency1 agency2\nquorum two\n", encoding="utf-8")
        roles = "roles:\n  - {id: operator, name: {ko: 운영자, en: Operator}, may: [read]}\n" \
                "  - {id: clerk, name: {ko: 담당, en: Clerk}, may: [write]}\n"
        self.manifest = folder / "granting.city.yaml"
        self.manifest.write_text(
            MANIFEST + roles + "access: {rules: rules.cedar, grants: {longestBreakGlass: 1h, review: 1s}}\n"
            + f"evidence: {{origin: {ORIGIN}, treaty: treaty.policy}}\n", encoding="utf-8")
        super(Guarded, self).__init__(binary, self.data)
        self.api = self.url + "/ngsi-ld/v1"
        self.administrator = self.enter()
        self.grants = self.url + "/city/v1/grants"

    def somebody(self, role, agency, scope="city:read city:write", **more):
        made = register(self.administrator, client_name=role, grant_types=["client_credentials"], scope=scope,
                        roles=[role], agency=agency, **more)
        token = requests.post(self.url + "/oauth/token", timeout=30, auth=(made["client_id"], made["client_secret"]),
                              data={"grant_type": "client_credentials", "scope": scope}).json()
        return {"Authorization": "Bearer " + token["access_token"]}, made["client_id"]


@pytest.fixture(scope="module")
def city(binary, tmp_path_factory):
    one = Granting(binary, tmp_path_factory.mktemp("granting"))
    clerk, _ = one.somebody("clerk", "hall")
    for entity in (
            {"id": CAMERA, "type": "Camera", "video": {"type": "Property", "value": "rtsp://x"}},
            {"id": VALVE, "type": "Valve", "flow": {"type": "Property", "value": 3}},
            {"id": INCIDENT, "type": "Incident", "status": {"type": "Property", "value": "open"}}):
        assert requests.post(one.api + "/entities", json=entity, headers=clerk, timeout=30).status_code == 201
    one.clerk = clerk
    yield one
    if one.process.poll() is None:
        one.stop()
    for witness in one.witnesses:
        if witness.process.poll() is None:
            witness.stop()


def later(**more):
    return (datetime.now(timezone.utc) + timedelta(**more)).strftime("%Y-%m-%dT%H:%M:%SZ")


def asked(**more):
    return {"purpose": "investigation", "legalBasis": "형사소송법 제199조", "reason": "사건 7",
            "things": [{"type": "Camera"}], "to": later(minutes=50), **more}


def test_a_grant_is_asked_for_approved_used_and_revoked(city):
    kim, kims = city.somebody("detective", "police")
    officer, officers = city.somebody("duty-officer", "control")
    assert requests.get(f"{city.api}/entities/{CAMERA}", headers=kim, timeout=30).status_code == 404
    assert requests.post(city.grants, json=asked(), timeout=30).status_code == 401
    assert requests.post(city.grants, json=asked(), headers=city.clerk, timeout=30).status_code == 403
    made = requests.post(city.grants, json=asked(), headers=kim, timeout=30)
    assert made.status_code == 201, made.text
    grant = city.url + made.headers["Location"]
    assert made.json()["state"] == "requested"
    assert requests.post(grant + "/approve", json={}, headers=kim, timeout=30).status_code == 403
    listed = requests.get(city.grants + "?status=requested", headers=officer, timeout=30).json()
    assert [one["id"] for one in listed] == [made.json()["id"]]
    answer = requests.post(grant + "/approve", json={"note": "확인"}, headers=officer, timeout=30)
    assert answer.status_code == 200 and answer.json()["state"] == "active", answer.text
    seen = requests.get(f"{city.api}/entities/{CAMERA}", headers={**kim, "Reason": quote("영상 확인")}, timeout=30)
    assert seen.status_code == 200 and seen.json()["video"]["value"] == "rtsp://x"
    assert requests.get(grant, headers=city.clerk, timeout=30).status_code == 404
    # Another start of the city keeps it.
    city.stop()
    city.start(int(city.url.rsplit(":", 1)[1]))
    assert requests.get(f"{city.api}/entities/{CAMERA}", headers=kim, timeout=30).status_code == 200
    assert requests.post(grant + "/revoke", json={"note": "끝"}, headers=kim, timeout=30).json()["state"] == "revoked"
    assert requests.get(f"{city.api}/entities/{CAMERA}", headers=kim, timeout=30).status_code == 404
    command = [city.binary, "audit", "--month", time.strftime("%Y-%m", time.gmtime()), "--data", city.data]
    rows = audited(subprocess.run(command, capture_output=True, text=True, timeout=60).stdout)
    steps = [(row["account"], row["action"], row["reason"]) for row in rows
             if row["kind"] == "grant" and row["subject"] == made.json()["id"]]
    assert steps == [(kims, "request", "사건 7"), (officers, "approve", "확인"), (kims, "revoke", "끝")]
    access = [row for row in rows if row["kind"] == "access" and row["subject"] == CAMERA]
    assert [(row["account"], row["purpose"], row["reason"]) for row in access] == [
        (kims, "investigation", "영상 확인"), (kims, "investigation", "")]


def test_the_glass_is_broken_for_an_incident_and_ends_with_it(city):
    kim, _ = city.somebody("detective", "police")
    privacy, _ = city.somebody("privacy-officer", "audit")
    made = requests.post(city.grants, json=asked(breakGlass=True, incident=INCIDENT), headers=kim, timeout=30)
    assert made.status_code == 201 and made.json()["state"] == "active", made.text
    assert requests.get(f"{city.api}/entities/{CAMERA}", headers=kim, timeout=30).status_code == 200
    too_long = requests.post(city.grants, json=asked(breakGlass=True, to=later(minutes=70)), headers=kim, timeout=30)
    assert too_long.status_code == 400 and "3600" in too_long.json()["detail"]
    closed = requests.patch(f"{city.api}/entities/{INCIDENT}/attrs", headers=city.clerk, timeout=30,
                            json={"status": {"type": "Property", "value": "closed"}})
    assert closed.status_code == 204, closed.text
    assert requests.get(f"{city.api}/entities/{CAMERA}", headers=kim, timeout=30).status_code == 404
    # Nobody has judged it in time: the operators are told.
    operator, _ = city.somebody("operator", "control")

    def severity(wanted):
        for _ in range(600):
            alerts = requests.get(city.api + "/entities?type=Alert&options=keyValues&limit=100", headers=operator, timeout=30).json()
            found = [one["severity"] for one in alerts if made.json()["id"] in one["description"]]
            if found == [wanted]:
                return True
            time.sleep(0.1)
        return False

    assert severity("medium")
    owed = requests.get(city.grants + "?status=unreviewed", headers=privacy, timeout=30).json()
    assert [one["id"] for one in owed] == [made.json()["id"]]
    review = f"{city.grants}/{made.json()['id']}/review"
    assert requests.post(review, json={"justified": True}, headers=privacy, timeout=30).status_code == 400
    answer = requests.post(review, json={"justified": True, "note": "실종 아동"}, headers=privacy, timeout=30)
    assert answer.status_code == 200 and answer.json()["reviewed"] is True
    assert requests.get(city.grants + "?status=unreviewed", headers=privacy, timeout=30).json() == []
    assert severity("informational")


def test_grants_of_a_tenant_are_on_its_pages_for_who_may_reach_it(city):
    north = {"NGSILD-Tenant": "north"}
    camera = {"id": "urn:ngsi-ld:Camera:n", "type": "Camera"}
    clerk, _ = city.somebody("clerk", "hall")
    assert requests.post(city.api + "/entities", json=camera, headers=clerk | north, timeout=30).status_code == 201
    kim, _ = city.somebody("detective", "police")
    made = requests.post(city.grants, json=asked(reason="north-case", purpose="north-purpose"), headers=kim | north, timeout=30)
    assert made.status_code == 201, made.text
    ident = quote(made.json()["id"], safe="")

    def page(path, who):
        return requests.get(city.url + path, headers=who, timeout=30, allow_redirects=False)

    assert "north-purpose" not in page("/grants", kim).text and "tenant=" not in page("/grants", kim).text
    shown = page("/grants?tenant=north", kim)
    assert shown.status_code == 200 and "north-purpose" in shown.text and f"/grants/{ident}?tenant=north" in shown.text
    assert page(f"/grants/{ident}?tenant=north", kim).status_code == 200
    assert page(f"/grants/{ident}", kim).status_code == 404
    assert page("/grants?tenant=nowhere", kim).status_code == 404
    # Who decides there, and who may reach that tenant alone, or another.
    officer, _ = city.somebody("duty-officer", "control")
    operator, _ = city.somebody("operator", "control")
    own, _ = city.somebody("duty-officer", "control", tenants=["north"])
    other, _ = city.somebody("duty-officer", "control", tenants=["south"])
    assert 'href="/grants?tenant=north"' in page("/grants", operator).text
    led = page("/grants", own)
    assert led.status_code == 303 and led.headers["Location"] == "/grants?tenant=north"
    assert "north-purpose" in page("/grants?tenant=north", own).text
    for path in ("/grants?tenant=north", f"/grants/{ident}?tenant=north"):
        told = page(path, other)
        assert told.status_code in (403, 404) and "north-purpose" not in told.text
    # A form that is sent decides in the tenant that its page is of.
    done = requests.post(f"{city.url}/grants/{ident}?tenant=north", headers=officer, timeout=30, allow_redirects=False,
                         data={"deed": "approve", "note": "ok"})
    assert done.status_code == 303 and done.headers["Location"] == f"/grants/{ident}?done=approve&tenant=north", done.text
    assert requests.get(f"{city.grants}/{made.json()['id']}", headers=kim | north, timeout=30).json()["state"] == "active"


def test_a_command_is_asked_for_on_a_page(city):
    operator, _ = city.somebody("operator", "water")
    form = {"purpose": "maintenance", "legalBasis": "수도법", "reason": "누수", "commandEntity": VALVE,
            "to": (datetime.now(timezone.utc) + timedelta(hours=9, minutes=50)).strftime("%Y-%m-%dT%H:%M"),
            "commandAttributes": '{"command": {"type": "Property", "value": "shut"}}'}

    def send(**more):
        return requests.post(city.url + "/grants/new?command=1", data=form | more, headers=operator, timeout=30,
                             allow_redirects=False)

    done = send()
    assert done.status_code == 303, done.text
    ident = done.headers["Location"].split("?")[0].removeprefix("/grants/")
    grant = requests.get(f"{city.grants}/{ident}", headers=operator, timeout=30).json()
    assert grant["command"] == {"entity": VALVE, "attributes": {"command": {"type": "Property", "value": "shut"}}}, grant
    assert grant["state"] == "requested"
    # What the hub refuses stands on the page.
    told = send(commandEntity="urn:ngsi-ld:Valve:99")
    assert told.status_code in (400, 403, 404) and "Valve:99" in told.text


def test_a_review_just_before_a_stop_ends_the_alert(city):
    kim, _ = city.somebody("detective", "police")
    privacy, _ = city.somebody("privacy-officer", "audit")
    operator, _ = city.somebody("operator", "control")
    made = [requests.post(city.grants, json=asked(breakGlass=True), headers=kim, timeout=30).json()["id"] for _ in range(2)]

    def severities():
        alerts = requests.get(city.api + "/entities?type=Alert&options=keyValues&limit=100", headers=operator, timeout=30).json()
        found = {one: alert for alert in alerts for one in made if one in alert["description"]}
        return [found[one]["severity"] if one in found else None for one in made], found

    def eventually(wanted):
        for _ in range(300):
            if severities()[0] == wanted:
                return True
            time.sleep(0.1)
        return False

    assert eventually(["medium", "medium"]), severities()
    issued = severities()[1][made[1]]["dateIssued"]
    # The city looks every ten seconds, and has just looked.
    answer = requests.post(f"{city.grants}/{made[0]}/review", headers=privacy, timeout=30,
                           json={"justified": True, "note": "확인"})
    assert answer.status_code == 200, answer.text
    city.restart()
    assert severities()[0][1] == "medium"
    assert eventually(["informational", "medium"]), severities()
    # The one that is still owed is not raised anew.
    assert severities()[1][made[1]]["dateIssued"] == issued


def test_a_command_runs_when_two_approvals_are_cosigned(city):
    doer, _ = city.somebody("operator", "water")
    first, _ = city.somebody("engineer", "water")
    second, _ = city.somebody("engineer", "water")
    change = {"command": {"type": "Property", "value": "shut"}}
    attributes = f"{city.api}/entities/{VALVE}/attrs"
    refused = requests.post(attributes, json=change, headers=doer, timeout=30)
    assert refused.status_code == 403 and "2 others" in refused.json()["detail"], refused.text
    # No agency listens: what is approved cannot be proved, and the command does not run.
    for witness in city.witnesses:
        witness.stop()
    wish = {"purpose": "leak", "legalBasis": "수도법 제21조", "reason": "DMA 3", "to": later(minutes=5),
            "command": {"entity": VALVE, "attributes": change}}
    made = requests.post(city.grants, json=wish, headers=doer, timeout=30)
    assert made.status_code == 201, made.text
    for one in (first, second):
        answer = requests.post(f"{city.grants}/{made.json()['id']}/approve", json={}, headers=one, timeout=30)
        assert answer.status_code == 200, answer.text
    named = {**doer, "Approval": made.json()["id"]}
    waits = requests.post(attributes, json=change, headers=named, timeout=30)
    assert waits.status_code == 409 and "witnesses" in waits.json()["detail"], waits.text
    for witness in city.witnesses[:2]:
        witness.start()
    for _ in range(300):
        answer = requests.post(attributes, json=change, headers=named, timeout=30)
        if answer.status_code != 409:
            break
        time.sleep(0.1)
    assert answer.status_code in (204, 207), answer.text
    valve = requests.get(f"{city.api}/entities/{VALVE}", headers=doer, timeout=30).json()
    assert valve["command"]["value"] == "shut"
    # It was good for that one change.
    again = requests.post(attributes, json=change, headers=named, timeout=30)
    assert again.status_code in (204, 403, 409)
    other = requests.post(attributes, json={"command": {"type": "Property", "value": "open"}}, headers=named, timeout=30)
    assert other.status_code == 403, other.text
    proved = subprocess.run([city.binary, "prove", made.json()["id"], "--data", city.data], capture_output=True, text=True, timeout=60)
    assert proved.returncode == 0, proved.stderr
