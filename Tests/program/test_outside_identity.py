"""Tokens of an outside OpenID provider that is not our own (Debian's glewlwyd) open the city's doors, and its people log in
to the pages by redirect; so do those of a second city."""

import http.server
import json
import re
import shutil
import socket
import sqlite3
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
import requests
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from joserfc.jwk import ECKey, RSAKey
from test_access import Guarded
from test_adapters import manifest
from test_evidence import MANIFEST
from test_identity import PASSWORD, Person, Provider, register
from test_records import audit

PROGRAM = shutil.which("glewlwyd")
SCHEMA = Path("/usr/share/dbconfig-common/data/glewlwyd/install/sqlite3")

CONFIG = """
port={port}
bind_address="127.0.0.1"
external_url="http://127.0.0.1:{port}"
login_url="login.html"
api_prefix="api"
static_files_path="{folder}"
log_mode="file"
log_level="INFO"
log_file="{folder}/log"
cookie_secure=0
cookie_same_site="empty"
session_expiration=3600
session_key="GLEWLWYD2_SESSION_ID"
admin_session_authentication="cookie"
profile_session_authentication="cookie"
login_api_enabled=true
admin_scope="g_admin"
profile_scope="g_profile"
user_module_path="/usr/lib/glewlwyd/user"
user_middleware_module_path="/usr/lib/glewlwyd/user_middleware"
client_module_path="/usr/lib/glewlwyd/client"
user_auth_scheme_module_path="/usr/lib/glewlwyd/scheme"
plugin_module_path="/usr/lib/glewlwyd/plugin"
hash_algorithm="SHA512"
database={{ type="sqlite3" path="{folder}/db" }};
"""


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


class Glewlwyd:
    """The provider of an agency, with one client that acts for itself."""

    def __init__(self, folder, keys):
        port = free_port()
        self.url = f"http://127.0.0.1:{port}/api"
        self.issuer = self.url + "/oidc"
        with sqlite3.connect(folder / "db") as database:
            database.executescript(SCHEMA.read_text(encoding="utf-8"))
        config = folder / "conf"
        config.write_text(CONFIG.format(port=port, folder=folder), encoding="utf-8")
        self.process = subprocess.Popen([PROGRAM, "-c", config], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.admin = requests.Session()
        self.log = folder / "log"
        end = time.monotonic() + 30
        while True:
            try:
                entered = self.admin.post(self.url + "/auth/", json={"username": "admin", "password": "password"}, timeout=5)
                break
            except requests.ConnectionError:
                assert time.monotonic() < end and self.process.poll() is None, self.said()
                time.sleep(0.1)
        assert entered.status_code == 200, entered.text
        for scope in ("dispatch", "clerk"):
            self.ask("POST", "/scope/", {"name": scope, "display_name": scope})
        self.ask("POST", "/client/", {"client_id": "desk", "name": "desk", "enabled": True, "confidential": True,
                                      "client_secret": "s3cret", "password": "s3cret",
                                      "token_endpoint_auth_method": ["client_secret_basic"],
                                      "authorization_type": ["client_credentials"], "scope": ["dispatch", "clerk"]})
        self.serve(keys)

    def ask(self, method, path, body=None):
        answer = self.admin.request(method, self.url + path, json=body, timeout=20)
        assert answer.status_code == 200, f"{path}: {answer.status_code} {answer.text}\n" + self.said()

    def said(self):
        return self.log.read_text(encoding="utf-8") if self.log.exists() else "nothing"

    def serve(self, keys):
        """Signs with the first of the keys and shows them all."""
        self.ask("POST", "/mod/plugin/", {
            "module": "oidc", "name": "oidc", "display_name": "oidc", "enabled": True, "parameters": {
                "iss": self.issuer, "jwks-private": json.dumps({"keys": [key.as_dict(private=True) for key in keys]}),
                "default-kid": keys[0].kid, "access-token-duration": 600, "refresh-token-duration": 600, "code-duration": 600,
                "allow-non-oidc": True, "auth-type-client-enabled": True, "jwks-show": True, "auth-type-code-enabled": True,
                "pkce-allowed": True, "session-management-allowed": True, "session-cookie-name": "GLEWLWYD2_OIDC_SID",
                "session-cookie-expiration": 86400, "name-claim": "mandatory",
                # The roles of its people stand where it has room for them.
                "claims": [{"name": "roles", "user-property": "email", "type": "string", "mandatory": True}]}})

    def let_in(self, city):
        """Makes the city a client of its own, and a person with the role dispatcher; gives his browser."""
        self.ask("POST", "/client/", {"client_id": "city", "name": "city", "enabled": True, "confidential": True,
                                      "client_secret": "s3cret-of-the-city", "password": "s3cret-of-the-city",
                                      "token_endpoint_auth_method": ["client_secret_basic"], "authorization_type": ["code"],
                                      "redirect_uri": [city + "/oauth/outside/police"], "scope": [],
                                      "post_logout_redirect_uris": city + "/oauth/login"})
        self.ask("POST", "/user/", {"username": "park", "name": "박경위", "email": "dispatcher", "enabled": True,
                                    "password": PASSWORD, "scope": ["openid"]})
        park = requests.Session()
        entered = park.post(self.url + "/auth/", json={"username": "park", "password": PASSWORD}, timeout=20)
        assert entered.status_code == 200, entered.text
        granted = park.put(self.url + "/auth/grant/city", json={"scope": "openid"}, timeout=20)
        assert granted.status_code == 200, granted.text
        return park

    def token(self, scope):
        answer = requests.post(self.issuer + "/token", auth=("desk", "s3cret"), timeout=20,
                               data={"grant_type": "client_credentials", "scope": scope})
        assert answer.status_code == 200, answer.text + self.said()
        return answer.json()["access_token"]

    def stop(self):
        self.process.terminate()
        self.process.wait(timeout=20)


def key(kind, alg, name):
    return kind.generate_key(2048 if kind is RSAKey else "P-256", {"kid": name, "alg": alg, "use": "sig"}, private=True)


@pytest.mark.skipif(PROGRAM is None or not SCHEMA.exists(), reason="glewlwyd, an OpenID provider, is absent")
def test_tokens_of_an_agencys_provider_open_the_doors(start, tmp_path):
    keys = [key(RSAKey, "RS256", "first"), key(ECKey, "ES256", "second")]
    agency = Glewlwyd(tmp_path, keys)
    try:
        city = start(manifest(tmp_path, f"""
identity:
  providers:
    - issuer: {agency.issuer}
      audiences: [dispatch]
      rolesClaim: scope
      roles: {{dispatch: administrator}}
      agency: police
      scopes: ["city:admin"]
"""))

        def people(token):
            return requests.get(city.url + "/oauth/people", headers={"Authorization": "Bearer " + token}, timeout=30)

        token = agency.token("dispatch")
        answer = people(token)
        assert answer.status_code == 200 and answer.json()["people"][0]["username"] == "admin", answer.text
        # Tokens for others, and changed ones.
        assert people(agency.token("clerk")).status_code == 401
        head, payload, signature = token.split(".")
        assert people(f"{head}.{payload}.{'A' * len(signature)}").status_code == 401
        other = agency.token("clerk").split(".")[1]
        refused = people(f"{head}.{other}.{signature}")
        assert refused.status_code == 401 and 'error="invalid_token"' in refused.headers["WWW-Authenticate"]
        # While the provider is away its keys are remembered.
        agency.stop()
        assert people(token).status_code == 200
    finally:
        if agency.process.poll() is None:
            agency.stop()


ROLES = """roles:
  - {id: operator, name: {ko: 운영자, en: Operator}, may: [read]}
"""


class Closed(Guarded):
    """A live city whose pages people of another provider may open."""

    def __init__(self, binary, folder, port, identity):
        self.port = port
        self.manifest = folder / "closed.city.yaml"
        self.manifest.write_text(MANIFEST + ROLES + identity, encoding="utf-8")
        Provider.__init__(self, binary, folder / "data")

    def start(self, port=0):
        super().start(port or self.port)

    def rows(self, action):
        return [row for row in audit(self.binary, self.data) if row["action"] == action]


def begin(browser, name, back):
    """From the login page to the provider."""
    page = browser.get("/oauth/login?" + urlencode({"back": back}), headers={"Accept-Language": "ko"})
    link = re.search(rf'href="(/oauth/outside/{name}/login[^"]*)"', page.text)[1].replace("&amp;", "&")
    start = browser.get(link, headers={"Sec-Fetch-Site": "same-origin"})
    assert start.status_code == 303, start.text
    return start.headers["Location"]


@pytest.mark.skipif(PROGRAM is None or not SCHEMA.exists(), reason="glewlwyd, an OpenID provider, is absent")
def test_a_person_logs_in_at_an_agencys_provider(binary, tmp_path):
    (tmp_path / "agency").mkdir()
    agency = Glewlwyd(tmp_path / "agency", [key(ECKey, "ES256", "second")])
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    (tmp_path / "secret").write_text("s3cret-of-the-city\n", encoding="utf-8")
    city = None
    try:
        park = agency.let_in(url)
        city = Closed(binary, tmp_path, port, f"""
identity:
  providers:
    - issuer: {agency.issuer}
      audiences: [dispatch]
      roles: {{dispatcher: operator}}
      agency: police
      login: {{id: police, name: {{ko: 경찰청, en: Police}}, client: city, secret: {{file: secret}}, scopes: [],
               userinfo: true, session: 1h}}
""")
        browser = Person(city)
        shut = browser.get("/entities")
        assert shut.headers["Location"].startswith("/oauth/login?back=")
        address = begin(browser, "police", "/entities")
        # It asks its own person first, in its own pages.
        stranger = requests.get(address, allow_redirects=False, timeout=20)
        assert "/login.html?" in stranger.headers["Location"]
        back = park.get(address + "&g_continue", allow_redirects=False, timeout=20).headers["Location"]
        assert back.startswith(url + "/oauth/outside/police?") and "code=" in back, back
        # Another browser can do nothing with it.
        assert Person(city).get(back).status_code == 400
        entered = browser.get(back)
        assert entered.status_code == 303 and entered.headers["Location"] == "/entities", entered.text
        assert browser.get("/entities").status_code == 200
        account = browser.get("/oauth/account").text
        assert "박경위" in account and "operator" in account and "police" in account
        # He may what the mapped role may: see, not write.
        assert browser.get("/ngsi-ld/v1/types").status_code == 200
        csrf = browser.field(browser.get("/oauth/logout"), "csrf")
        lamp = {"id": "urn:ngsi-ld:Lamp:1", "type": "Lamp"}
        assert browser.web.post(city.url + "/ngsi-ld/v1/entities", json=lamp, timeout=20).status_code == 400
        assert browser.web.post(city.url + "/ngsi-ld/v1/entities", json=lamp, headers={"X-CSRF-Token": csrf},
                                timeout=20).status_code == 403
        # The same answer again, and the same code in the answer to another login.
        assert Person(city).get(back).status_code == 400
        again = Person(city)
        state = parse_qs(urlsplit(begin(again, "police", "/")).query)["state"][0]
        code = parse_qs(urlsplit(back).query)["code"][0]
        assert again.get("/oauth/outside/police?" + urlencode({"code": code, "state": state})).status_code == 400
        # A code that the provider never gave.
        state = parse_qs(urlsplit(begin(again, "police", "/")).query)["state"][0]
        assert again.get("/oauth/outside/police?" + urlencode({"code": "x" * 32, "state": state})).status_code == 502
        # A session outlives the city's own restart; logging out leads to the provider.
        city.restart()
        assert browser.get("/entities").status_code == 200
        out = browser.post("/oauth/logout", {"csrf": csrf})
        leaving = urlsplit(out.headers["Location"])
        assert out.headers["Location"].startswith(agency.issuer + "/end_session?"), out.headers["Location"]
        assert parse_qs(leaving.query)["post_logout_redirect_uri"] == [url + "/oauth/login"]
        assert park.get(out.headers["Location"], allow_redirects=False, timeout=20).status_code in (200, 302)
        assert browser.get("/entities").status_code == 303
        # While the provider is away the page says so, and the city's own people log in.
        agency.stop()
        late = Person(city)
        address = begin(late, "police", "/")
        state = parse_qs(urlsplit(address).query)["state"][0]
        away = late.get("/oauth/outside/police?" + urlencode({"code": "y" * 32, "state": state, "lang": "ko"}))
        assert away.status_code == 503 and "경찰청에서 응답이 없습니다" in away.text
        city.restart()
        away = Person(city).get("/oauth/outside/police/login", headers={"Accept-Language": "en"})
        assert away.status_code == 503 and "Police does not answer" in away.text
        city.administrator = city.enter()
        assert city.administrator.get("/entities").status_code == 200
        logins = [row for row in city.rows("login") if row["account"].startswith(agency.issuer + "#")]
        assert [(row["accountKind"], row["detail"]) for row in logins] == [("Person", "police session")]
        assert logins[0]["source"] == "127.0.0.1"
        outs = city.rows("logout")
        assert [row["account"] for row in outs] == [logins[0]["account"]]
        refused = city.rows("login-failed")
        assert all(row["accountKind"] == "Nobody" for row in refused)
        assert all(row["detail"].startswith("police: ") for row in refused)
        assert any("belongs to no login of this browser" in row["detail"] for row in refused)
        # Six refusals within a minute are one entry for each start of the city, and one that counts.
        assert 1 <= len(refused) <= 6
    finally:
        if city is not None and city.process.poll() is None:
            city.stop()
        if agency.process.poll() is None:
            agency.stop()


class Neighbours:
    """A city whose people of another city log in there; it shows itself there by a key."""

    IDENTITY = """
identity:
  providers:
    - issuer: {issuer}
      audiences: [nobody]
      roles: {roles}
      agency: police
      login: {{id: other, name: {{ko: 이웃 도시, en: The other city}}, client: {client},
               authentication: private_key_jwt, secret: {{file: city.pem}}}}
"""

    def __init__(self, binary, folder):
        self.other = Provider(binary, folder / "other")
        self.running = [self.other]
        self.url = f"http://127.0.0.1:{free_port()}"
        boss = Guarded.enter(self.other)
        private = ec.generate_private_key(ec.SECP256R1())
        (folder / "city.pem").write_bytes(private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
        self.public = ECKey.import_key(private.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)).as_dict(private=False)
        self.client = register(boss, client_name="City", redirect_uris=[self.url + "/oauth/outside/other"],
                               scope="openid profile", token_endpoint_auth_method="private_key_jwt",
                               jwks={"keys": [self.public]}, post_logout_redirect_uris=[self.url + "/oauth/login"])
        for name, role in (("kim", "dispatcher"), ("lee", "gardener")):
            made = boss.session.post(self.other.url + "/oauth/people", timeout=30, json={
                "username": name, "name": "김마당", "roles": [role], "agency": "fire", "password": PASSWORD})
            assert made.status_code == 201, made.text
        self.city = Closed(binary, folder, int(self.url.rsplit(":", 1)[1]), self.identity("{dispatcher: operator}"))
        self.running.append(self.city)

    def identity(self, roles):
        return self.IDENTITY.format(issuer=self.other.url, roles=roles, client=self.client["client_id"])

    def log_in(self, name, path):
        """One browser for each host: cookies know no ports."""
        here, there = Person(self.city), Person(self.other)
        assert there.log_in(name, PASSWORD).status_code == 303
        return here, there, here.get(there.allow(begin(here, "other", path)))

    def stop(self):
        for one in self.running:
            if one.process.poll() is None:
                one.stop()


@pytest.fixture
def neighbours(binary, tmp_path):
    two = Neighbours(binary, tmp_path)
    yield two
    two.stop()


def test_a_person_logs_in_at_another_city(neighbours):
    city, other, url, public = neighbours.city, neighbours.other, neighbours.url, neighbours.public
    shown = requests.get(url + "/oauth/outside/other/jwks", timeout=20).json()["keys"]
    assert [(one["x"], one["y"]) for one in shown] == [(public["x"], public["y"])] and "d" not in shown[0]

    kim, there, entered = neighbours.log_in("kim", "/data")
    assert entered.headers["Location"] == "/data" and kim.get("/data").status_code == 200, entered.text
    account = kim.get("/oauth/account").text
    assert "김마당" in account and "operator" in account and "police" in account and "dispatcher" not in account
    # A role that the manifest does not name counts for nothing.
    lee, _, entered = neighbours.log_in("lee", "/")
    assert entered.status_code == 303 and lee.get("/").status_code == 403
    # The person declines there.
    here = Person(city)
    asked = there.get(begin(here, "other", "/") + "&prompt=consent")
    declined = there.post("/oauth/consent", {"csrf": there.field(asked, "csrf"), "answer": "no",
                                             "request": there.field(asked, "request").replace("&amp;", "&")})
    page = here.get(declined.headers["Location"], headers={"Accept-Language": "ko"})
    assert page.status_code == 403 and "이웃 도시에서 로그인을 허용하지 않았거나" in page.text
    # The provider does not take what it is asked.
    here = Person(city)
    refused = requests.get(begin(here, "other", "/").replace("response_type=code", "response_type=token"),
                           allow_redirects=False, timeout=20).headers["Location"]
    assert "error=unsupported_response_type" in refused and "iss=" in refused
    page = here.get(refused, headers={"Accept-Language": "en"})
    assert page.status_code == 502 and "The other city did not accept" in page.text
    # An answer that names no issuer, or another, where the provider says that it names itself.
    for change in (lambda text: re.sub(r"&iss=[^&]*", "", text), lambda text: text + "x"):
        here, there_too = Person(city), Person(other)
        there_too.log_in("kim", PASSWORD)
        answer = there_too.allow(begin(here, "other", "/"))
        assert answer.split("&")[-1].startswith("iss=")
        assert here.get(change(answer)).status_code == 502
        assert here.get("/").status_code == 303
    # Sessions are seen and ended by an administrator of this city.
    chief = city.enter()
    listed = chief.session.get(url + "/oauth/sessions", timeout=20).json()["sessions"]
    outside = [one for one in listed if one["issuer"] == other.url]
    assert len(outside) == 2 and all(one["person"].startswith(other.url + "#") for one in outside)
    assert all(one["endsAt"] - one["startedAt"] == 4 * 3600 and one["name"] == "김마당" for one in outside)
    assert lee.get("/oauth/account").status_code == 200
    last = outside[-1]
    assert chief.session.delete(f"{url}/oauth/sessions/{last['id']}", timeout=20).status_code == 204
    assert lee.get("/oauth/account").status_code == 303 and kim.get("/oauth/account").status_code == 200
    ended = city.rows("end-session")
    assert [(row["accountName"], row["subject"]) for row in ended] == [("admin", last["person"])]
    # Logging out here logs out there, and comes back.
    csrf = kim.field(kim.get("/oauth/logout"), "csrf")
    leaving = kim.post("/oauth/logout", {"csrf": csrf}).headers["Location"]
    assert leaving.startswith(other.url + "/oauth/logout?")
    assert there.get(leaving).headers["Location"] == url + "/oauth/login"
    assert there.get("/oauth/account").status_code == 303 and kim.get("/data").status_code == 303

    # Who floods the door fills no log.
    before = len(city.rows("login-failed")) + len(city.rows("login-held-back"))
    with ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(lambda number: requests.get(f"{url}/oauth/outside/other?code={number}&state=x",
                                                             timeout=30).status_code, range(300)))
    # Any page can make a browser ask for that: it is refused, and keeps nobody of the same address from logging in.
    assert set(statuses) == {400}
    assert len(city.rows("login-failed")) + len(city.rows("login-held-back")) - before <= 6


class Receiver(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.heard.append((self.path, json.loads(body)["data"][0]["level"]["value"]))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


def test_what_an_outside_person_subscribed_to_ends_with_his_role(neighbours):
    city = neighbours.city
    receiver = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    receiver.heard = []
    threading.Thread(target=receiver.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{receiver.server_port}/"

    def subscription(path):
        return {"type": "Subscription", "entities": [{"type": "Tank"}],
                "notification": {"endpoint": {"uri": address + path}}}

    def change(level):
        """Gives who heard of it; the administrator's own subscription shows that all have been told."""
        tank = {"id": "urn:ngsi-ld:Tank:1", "type": "Tank", "level": {"type": "Property", "value": level}}
        done = chief.session.post(city.url + "/ngsi-ld/v1/entityOperations/upsert", json=[tank], timeout=30)
        assert done.status_code in (201, 204), done.text
        end = time.monotonic() + 20
        while ("/chief", level) not in receiver.heard:
            assert time.monotonic() < end, receiver.heard
            time.sleep(0.1)
        time.sleep(1)
        return sorted(path for path, value in receiver.heard if value == level)

    try:
        kim, _, _ = neighbours.log_in("kim", "/")
        csrf = kim.field(kim.get("/oauth/logout"), "csrf")
        made = kim.web.post(city.url + "/ngsi-ld/v1/subscriptions", json=subscription("kim"), timeout=30,
                            headers={"X-CSRF-Token": csrf})
        assert made.status_code == 201, made.text
        chief = city.enter()
        assert chief.session.post(city.url + "/ngsi-ld/v1/subscriptions", json=subscription("chief"),
                                  timeout=30).status_code == 201
        assert change(1) == ["/chief", "/kim"]
        # The session is over; what he is today the manifest still says.
        kim.post("/oauth/logout", {"csrf": csrf})
        assert change(2) == ["/chief", "/kim"]
        text = city.manifest.read_text(encoding="utf-8")
        for level, identity in ((3, neighbours.identity("{gardener: operator}")), (4, neighbours.identity("{gardener: clerk}")),
                                (5, "")):
            city.manifest.write_text(text[:text.index("\nidentity:")] + identity, encoding="utf-8")
            city.restart()
            assert change(level) == (["/chief", "/kim"] if level == 3 else ["/chief"]), level
    finally:
        receiver.shutdown()


def test_a_login_without_its_secret_is_said_at_the_start(binary, tmp_path):
    path = manifest(tmp_path, """
identity:
  providers:
    - issuer: http://127.0.0.1:9
      audiences: [dispatch]
      login: {id: police, name: {ko: 경찰청, en: Police}, client: city, secret: {env: MADANG_NO_SUCH_SECRET}}
""")
    said = subprocess.run([binary, "up", path, "--port", "0"], capture_output=True, text=True, timeout=60, check=False)
    assert said.returncode != 0 and "MADANG_NO_SUCH_SECRET is not set" in said.stderr and "police" in said.stderr
