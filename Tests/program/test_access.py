"""Who may do what in a city whose access is not open: its own provider's tokens, its rules, its records."""

import base64
import re
import secrets
import subprocess
import time
from urllib.parse import quote

import pytest
import requests
from conftest import ROOT, audited
from test_evidence import MANIFEST
from test_identity import PASSWORD, Person, Provider, register
from authlib.integrations.requests_client import OAuth2Session

RULES = """
@id("doctors read patients") @evidence("access")
permit(principal in Role::"doctor", action == Action::"read", resource in EntityType::"Patient")
when { context has purpose && ["treatment", "emergency"].contains(context.purpose) };
@id("meters write themselves")
permit(principal in Role::"meter", action in [Action::"write", Action::"read"], resource in EntityType::"Meter");
@id("names are for doctors")
forbid(principal, action == Action::"read", resource in EntityType::"Patient")
when { context has attribute && context.attribute == "name" } unless { principal in Role::"doctor" };
"""


class Guarded(Provider):
    """A live city with rules; who calls it has to say who it is."""

    def __init__(self, binary, folder):
        (folder / "rules.cedar").write_text(RULES, encoding="utf-8")
        roles = """roles:
  - {id: operator, name: {ko: 운영자, en: Operator}, may: [read]}
  - {id: clerk, name: {ko: 담당, en: Clerk}, may: [write]}
"""
        self.manifest = folder / "guarded.city.yaml"
        self.manifest.write_text(MANIFEST + roles + "access: {rules: rules.cedar}\n", encoding="utf-8")
        super().__init__(binary, folder / "data")
        self.api = self.url + "/ngsi-ld/v1"
        self.administrator = self.enter()

    def start(self, port=0):
        self.errors = self.data.parent / "errors"
        with open(self.errors, "w", encoding="utf-8") as errors:
            self.process = subprocess.Popen([self.binary, "up", self.manifest, "--data", self.data, "--port", str(port)],
                                            cwd=ROOT, stdout=subprocess.PIPE, stderr=errors, text=True)
        line = self.process.stdout.readline()
        assert line.startswith("ready "), self.errors.read_text(encoding="utf-8")
        self.url = line.split()[1]
        self.said = self.errors.read_text(encoding="utf-8")

    def enter(self):
        username, once = self.first
        person = Person(self)
        person.log_in(username, once)
        page = person.get("/oauth/password")
        person.post("/oauth/password", {"csrf": person.field(page, "csrf"), "current": once, "new": PASSWORD,
                                        "repeat": PASSWORD, "back": "/oauth/account"})
        person.session = OAuth2Session("madang-cli", scope="openid city:admin", code_challenge_method="S256",
                                       redirect_uri="http://127.0.0.1:4711/callback", token_endpoint_auth_method="none")
        verifier = secrets.token_urlsafe(48)
        address, _ = person.session.create_authorization_url(self.url + "/oauth/authorize", code_verifier=verifier)
        person.session.fetch_token(self.url + "/oauth/token", authorization_response=person.allow(address),
                                   code_verifier=verifier)
        return person

    def client(self, role, scope="city:read city:write", **more):
        """A program with a role; gives the headers of its requests."""
        made = register(self.administrator, client_name=role, grant_types=["client_credentials"], scope=scope,
                        roles=[role], agency="fire", **more)
        token = requests.post(self.url + "/oauth/token", timeout=30, auth=(made["client_id"], made["client_secret"]),
                              data={"grant_type": "client_credentials", "scope": scope}).json()
        return {"Authorization": "Bearer " + token["access_token"]}, made["client_id"]


@pytest.fixture(scope="module")
def guarded(binary, tmp_path_factory):
    one = Guarded(binary, tmp_path_factory.mktemp("guarded"))
    yield one
    if one.process.poll() is None:
        one.stop()


@pytest.fixture(scope="module")
def patients(guarded):
    clerk, _ = guarded.client("clerk")
    for number in range(3):
        entity = {"id": f"urn:ngsi-ld:Patient:{number}", "type": "Patient", "name": {"type": "Property", "value": f"Kim {number}"},
                  "ward": {"type": "Property", "value": number}}
        assert requests.post(guarded.api + "/entities", json=entity, headers=clerk, timeout=30).status_code == 201
    return [f"urn:ngsi-ld:Patient:{number}" for number in range(3)]


def test_nobody_is_let_in_without_a_proof(guarded, patients):
    for path in ("/entities?type=Patient", "/types"):
        assert requests.get(guarded.api + path, timeout=30).status_code == 401
    assert requests.get(f"{guarded.api}/entities/{patients[0]}", timeout=30).status_code == 401
    answer = requests.post(guarded.api + "/entities", json={"id": "urn:ngsi-ld:A:1", "type": "A"}, timeout=30)
    assert answer.status_code == 401 and answer.headers["WWW-Authenticate"].startswith("Bearer")
    assert answer.json()["type"].endswith("/Unauthorized")
    for token in ("nonsense", "a.b.c", ".".join([base64.b64encode(b'{"alg":"none"}').decode(), "e30", ""])):
        answer = requests.get(guarded.api + "/types", headers={"Authorization": "Bearer " + token}, timeout=30)
        assert answer.status_code == 401, answer.text
    for path in ("/admin/dead-letters", "/city/v1/refusals", "/ngsi-ld/v1/subscriptions", "/ngsi-ld/v1/csourceRegistrations?type=A"):
        assert requests.get(guarded.url + path, timeout=30).status_code == 401, path
    assert requests.put(guarded.url + "/city/v1/validation", json={"mode": "strict"}, timeout=30).status_code == 401
    # Pages send people to log in.
    for path in ("/", "/entities", "/health", "/console/overview"):
        answer = requests.get(guarded.url + path, allow_redirects=False, timeout=30)
        assert answer.status_code == 303 and answer.headers["Location"].startswith("/oauth/login?back="), path
    assert guarded.administrator.get("/").status_code == 200


def test_a_connection_does_not_remember_too_much(guarded, patients):
    """What one request proved holds for the next one on its connection only while it shows the same, and that is good."""
    one = f"{guarded.api}/entities/{patients[0]}?options=keyValues"
    operator, client = guarded.client("operator")
    meter, _ = guarded.client("meter")
    with requests.Session() as line:
        for _ in range(3):
            assert line.get(one, headers=operator, timeout=30).status_code == 200
        assert line.get(one, headers=meter, timeout=30).status_code == 404
        assert line.get(one, timeout=30).status_code == 401
        assert line.get(one, headers={"Authorization": operator["Authorization"][:-2]}, timeout=30).status_code == 401
        assert line.get(one, headers=operator, timeout=30).status_code == 200
        # All tokens of the client end with it.
        assert guarded.administrator.session.delete(f"{guarded.url}/oauth/register/{client}", timeout=30).status_code in (200, 204)
        assert line.get(one, headers=operator, timeout=30).status_code == 401


def test_roles_and_rules_say_what_is_seen(guarded, patients):
    operator, _ = guarded.client("operator")
    found = requests.get(guarded.api + "/entities?type=Patient&options=keyValues", headers=operator, timeout=30).json()
    assert [one["id"] for one in found] == patients and all(set(one) == {"id", "type", "ward"} for one in found)
    # What is hidden is not searched either.
    searched = requests.get(guarded.api + '/entities?type=Patient&q=name=="Kim 1"', headers=operator, timeout=30)
    assert searched.json() == []
    refused = requests.delete(f"{guarded.api}/entities/{patients[0]}", headers=operator, timeout=30)
    assert refused.status_code == 403 and "no rule permits" in refused.json()["detail"]
    meter, _ = guarded.client("meter")
    one = {"id": "urn:ngsi-ld:Meter:1", "type": "Meter", "kwh": {"type": "Property", "value": 1}}
    assert requests.post(guarded.api + "/entities", json=one, headers=meter, timeout=30).status_code == 201
    assert requests.get(guarded.api + "/entities?type=Patient", headers=meter, timeout=30).json() == []
    # A token that gives leave to read only.
    reader, _ = guarded.client("meter", scope="city:read")
    answer = requests.delete(guarded.api + "/entities/urn:ngsi-ld:Meter:1", headers=reader, timeout=30)
    assert answer.status_code == 403 and "gives no leave" in answer.json()["detail"]
    # A program of another tenant.
    north, _ = guarded.client("operator", tenants=["north"])
    assert requests.get(guarded.api + "/types", headers=north, timeout=30).status_code == 403
    # By subscription nothing comes that may not be seen, and others' subscriptions are nobody's business.
    made = requests.post(guarded.api + "/subscriptions", headers=operator, timeout=30, json={
        "type": "Subscription", "entities": [{"type": "Patient"}], "notification": {"endpoint": {"uri": "http://127.0.0.1:9/x"}}})
    assert made.status_code == 201
    assert requests.get(guarded.url + made.headers["Location"], headers=operator, timeout=30).status_code == 200
    second, _ = guarded.client("operator")
    assert requests.get(guarded.url + made.headers["Location"], headers=second, timeout=30).status_code == 404
    assert requests.get(guarded.api + "/subscriptions", headers=second, timeout=30).json() == []
    assert requests.get(guarded.api + "/subscriptions", headers=meter, timeout=30).status_code == 403


def test_who_saw_whom_is_recorded_before_the_answer(guarded, patients):
    doctor, account = guarded.client("doctor")
    told = requests.get(guarded.url + "/health.json", timeout=30).json()
    # Who may not watch hears that the city is up, and how its log stands, which is public.
    assert set(told) == {"status", "evidence"}
    before = told["evidence"]["entries"]
    assert guarded.administrator.get("/health.json").json()["entities"]["count"] >= 3
    assert requests.get(f"{guarded.api}/entities/{patients[1]}", headers=doctor, timeout=30).status_code == 404
    stated = {**doctor, "Purpose": "treatment", "Reason": quote("야간 당직")}
    answer = requests.get(f"{guarded.api}/entities/{patients[1]}", headers=stated, timeout=30)
    assert answer.status_code == 200 and answer.json()["name"]["value"] == "Kim 1"
    found = requests.get(guarded.api + "/entities?type=Patient&q=ward>0&limit=1", headers=stated, timeout=30).json()
    # What the answer says of a third, that there is more, is recorded too.
    assert [one["id"] for one in found] == [patients[1]]
    command = [guarded.binary, "audit", "--month", time.strftime("%Y-%m", time.gmtime()), "--data", guarded.data]
    report = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert report.returncode == 0, report.stderr
    rows = [row for row in audited(report.stdout) if row["kind"] == "access"]
    assert [(row["account"], row["subject"], row["action"], row["purpose"], row["reason"], row["agency"], row["source"])
            for row in rows] == [(account, one, "read", "treatment", "야간 당직", "fire", "127.0.0.1")
                             for one in (patients[1], patients[1], patients[2])]
    # Neither name stands in the log itself.
    for row in rows:
        for _ in range(100):
            proof = requests.get(f"{guarded.url}/log/proof/{row['position']}", timeout=30)
            if proof.status_code == 200:
                break
            time.sleep(0.05)
        assert proof.status_code == 200
        entry = base64.b64decode(proof.text.splitlines()[1].split()[1]).decode()
        assert '"purpose":"treatment"' in entry and patients[1] not in entry and account not in entry
    proved = subprocess.run([guarded.binary, "prove", patients[1], "--data", guarded.data], capture_output=True, text=True, timeout=60)
    assert proved.returncode == 0 and f"index {rows[1]['position']}\n" in proved.stdout
    assert before < int(rows[0]["position"]) + 2


def test_rules_that_cannot_be_read_are_told_with_their_place(binary, tmp_path):
    (tmp_path / "rules.cedar").write_text("permit(principal, action, resource);\npermit(who, action, resource);\n", encoding="utf-8")
    manifest = tmp_path / "wrong.city.yaml"
    manifest.write_text(MANIFEST + "access: {rules: rules.cedar}\n", encoding="utf-8")
    told = subprocess.run([binary, "up", manifest, "--data", tmp_path / "data"], capture_output=True, text=True, timeout=60)
    assert told.returncode != 0 and re.search(r"rules\.cedar:2:8", told.stderr), told.stderr


CONSOLE = """
@id("the centre does not watch the shelter")
forbid(principal == Client::"console", action == Action::"read", resource in Scope::"/shelter");
@id("nor who is ill")
forbid(principal == Client::"console", action == Action::"read", resource in EntityType::"Patient");
@id("nor circuits")
forbid(principal == Client::"console", action == Action::"read", resource)
when { context has attribute && context.attribute == "circuit" };
"""
KPIS = """kpis:
  - {id: power, name: {ko: 전력, en: Power}, formula: mean(Streetlight.powerConsumption), target: 90, better: lower, unit: W}
"""


class Centred(Guarded):
    """A city whose operations centre may not see everything."""

    def start(self, port=0):
        (self.data.parent / "rules.cedar").write_text(CONSOLE, encoding="utf-8")
        text = self.manifest.read_text(encoding="utf-8")
        if "kpis:" not in text:
            self.manifest.write_text(text + KPIS, encoding="utf-8")
        super().start(port)

    def lamp(self, number, power, **more):
        entity = {"id": f"urn:ngsi-ld:Streetlight:{number}", "type": "Streetlight",
                  "powerConsumption": {"type": "Property", "value": power, "unitCode": "WTT"},
                  "circuit": {"type": "Property", "value": "hidden-circuit"},
                  "location": {"type": "GeoProperty", "value": {"type": "Point", "coordinates": [129.06, 35.16]}}, **more}
        answer = self.administrator.session.post(self.api + "/entityOperations/upsert", json=[entity], timeout=30)
        assert answer.status_code < 300, answer.text

    def shown(self, path):
        answer = self.administrator.get(path)
        assert answer.status_code == 200, f"{path}: {answer.status_code}"
        return answer

    def pages(self):
        """All that the pages show of what there is, as text."""
        paths = ["/", "/entities", "/console/overview", "/console/map", "/console/list", "/entities/urn:ngsi-ld:Streetlight:1"]
        return {path: self.shown(path).text for path in paths}

    def power(self):
        return self.shown("/console/overview").json()["indicators"][0]["indicatorValue"].split()[0:1]


def test_pages_and_kpis_show_what_the_console_may_read(binary, tmp_path):
    city = Centred(binary, tmp_path)
    try:
        for number, power in ((1, 40), (2, 60)):
            city.lamp(number, power)
        city.lamp(3, 8000, scope="/shelter")
        patient = {"id": "urn:ngsi-ld:Patient:1", "type": "Patient", "name": {"type": "Property", "value": "hidden-name"}}
        assert city.administrator.session.post(city.api + "/entities", json=patient, timeout=30).status_code == 201

        def eventually(condition, seconds=30):
            end = time.monotonic() + seconds
            while not condition() and time.monotonic() < end:
                time.sleep(0.2)
            assert condition()

        eventually(lambda: city.shown("/console/overview").json()["total"] == 2 and city.power() == ["50"])
        for path, text in city.pages().items():
            for hidden in ("Streetlight:3", "Patient", "hidden-name", "hidden-circuit", "shelter"):
                assert hidden not in text, (path, hidden)
        # The administrator himself may read it, over the API; not on the pages, which the console reads.
        assert city.administrator.session.get(f"{city.api}/entities/urn:ngsi-ld:Patient:1", timeout=30).status_code == 200
        for ident in ("Patient:1", "Streetlight:3"):
            assert city.administrator.get(f"/entities/urn:ngsi-ld:{ident}").status_code == 404
        # What changes while it is looked at, and what moves out of sight.
        city.lamp(3, 9000, scope="/shelter")
        city.lamp(2, 60, scope="/shelter")
        eventually(lambda: city.shown("/console/overview").json()["total"] == 1 and city.power() == ["40"])
        assert "Streetlight:2" not in "".join(city.pages().values())
        # What a rule hides that is set later goes from the pages.
        rule = 'forbid(principal == Client::"console", action == Action::"read", resource == Entity::"urn:ngsi-ld:Streetlight:1");'
        put = city.administrator.session.put(city.url + "/city/v1/rules", json={"rules": rule}, timeout=30)
        assert put.status_code < 300, put.text
        eventually(lambda: city.shown("/console/overview").json()["total"] == 0 and not city.power())
        assert "Streetlight:1" not in city.shown("/entities").text + city.shown("/console/map").text
    finally:
        city.stop()
