"""The city's OpenID provider, driven by clients that are not our own (authlib, idpyoidc) and by a browser."""

import base64
import hashlib
import hmac
import json
import re
import secrets
import struct
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

import pytest
import requests
from authlib.integrations.requests_client import OAuth2Session
from authlib.oauth2.rfc7523 import PrivateKeyJWT
from authlib.oidc.core import CodeIDToken
from authlib.oidc.discovery import OpenIDProviderMetadata, get_well_known_url
from authlib.oauth2.rfc8414 import AuthorizationServerMetadata
from conftest import ROOT
from idpyoidc.client.oauth2.stand_alone_client import StandAloneClient
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet

CALLBACK = "https://client.example/cb"
PASSWORD = "four words of mine"


class Provider:
    """A city that was just installed, with its first administrator."""

    def __init__(self, binary, data):
        self.binary, self.data = binary, data
        self.start()
        said = re.search(r"first administrator: (\S+), one-time password: (\S+)", self.said)
        self.first = said.groups() if said else None

    def start(self, port=0):
        self.errors = self.data.parent / "errors"
        with open(self.errors, "w", encoding="utf-8") as errors:
            self.process = subprocess.Popen([self.binary, "up", "--empty", "--data", self.data, "--port", str(port)],
                                            cwd=ROOT, stdout=subprocess.PIPE, stderr=errors, text=True)
        line = self.process.stdout.readline()
        assert line.startswith("ready "), line
        self.url = line.split()[1]
        self.said = self.errors.read_text(encoding="utf-8")

    def stop(self):
        self.process.terminate()
        assert self.process.wait(timeout=60) == 0

    def restart(self):
        """On the same port: the address is the issuer."""
        port = int(self.url.rsplit(":", 1)[1])
        self.stop()
        self.start(port)


class Person:
    """A browser without a screen."""

    def __init__(self, provider):
        self.url = provider.url
        self.web = requests.Session()

    def get(self, path, **more):
        return self.web.get(self.url + path if path.startswith("/") else path, allow_redirects=False, timeout=60, **more)

    def post(self, path, form):
        return self.web.post(self.url + path, data=form, allow_redirects=False, timeout=60)

    @staticmethod
    def field(page, name):
        return re.search(rf'name="{name}" value="([^"]*)"', page.text)[1]

    def log_in(self, username, password, back="/oauth/account"):
        page = self.get("/oauth/login?" + urlencode({"back": back}))
        return self.post("/oauth/login", {"csrf": self.field(page, "csrf"), "back": back, "username": username,
                                          "password": password})

    def allow(self, address):
        """Goes to a client's request; gives the address at the client that the answer went to."""
        answer = self.get(address)
        if answer.status_code == 200 and "/oauth/consent" in answer.text:
            answer = self.post("/oauth/consent", {
                "csrf": self.field(answer, "csrf"), "answer": "yes",
                "request": self.field(answer, "request").replace("&amp;", "&")})
        assert answer.status_code == 303, answer.text
        return answer.headers["Location"]


@pytest.fixture(scope="module")
def provider(binary, tmp_path_factory):
    one = Provider(binary, tmp_path_factory.mktemp("identity") / "city")
    yield one
    if one.process.poll() is None:
        one.stop()


@pytest.fixture(scope="module")
def administrator(provider):
    """The first administrator, with a password of his own; asks as a program does, with a token."""
    username, once = provider.first
    person = Person(provider)
    entered = person.log_in(username, once)
    assert entered.headers["Location"].startswith("/oauth/password")
    page = person.get("/oauth/password")
    done = person.post("/oauth/password", {"csrf": person.field(page, "csrf"), "current": once, "new": PASSWORD,
                                           "repeat": PASSWORD, "back": "/oauth/account"})
    assert done.headers["Location"] == "/oauth/account", done.text
    person.session = OAuth2Session("madang-cli", scope="openid city:admin", redirect_uri="http://127.0.0.1:4711/callback",
                                   code_challenge_method="S256", token_endpoint_auth_method="none")
    verifier = secrets.token_urlsafe(48)
    address, _ = person.session.create_authorization_url(provider.url + "/oauth/authorize", code_verifier=verifier)
    person.session.fetch_token(provider.url + "/oauth/token", authorization_response=person.allow(address),
                               code_verifier=verifier)
    return person


def register(administrator, **metadata):
    answer = administrator.session.post(administrator.url + "/oauth/register", json=metadata, timeout=30)
    assert answer.status_code == 201, answer.text
    return answer.json()


@pytest.fixture(scope="module")
def kim(provider, administrator):
    """An operator of the fire service."""
    made = administrator.session.post(provider.url + "/oauth/people", timeout=30, json={
        "username": "kim", "name": "김마당", "email": "kim@fire.example", "roles": ["operator"], "agency": "fire",
        "password": PASSWORD})
    assert made.status_code == 201, made.text
    person = Person(provider)
    person.id = made.json()["id"]
    assert person.log_in("kim", PASSWORD).headers["Location"] == "/oauth/account"
    return person


def keys(provider):
    return KeySet.import_key_set(requests.get(provider.url + "/oauth/jwks", timeout=10).json())


def test_the_first_administrator_is_said_once_and_keys_stay(provider, administrator):
    assert provider.first[0] == "admin" and len(provider.first[1]) == 20
    files = sorted((provider.data / "identity").iterdir())
    assert [oct(one.stat().st_mode & 0o777) for one in files] == ["0o600"] * 2
    before = requests.get(provider.url + "/oauth/jwks", timeout=10).json()
    assert all(set(key) == {"kty", "crv", "x", "y", "use", "alg", "kid"} for key in before["keys"])
    provider.restart()
    assert "administrator" not in provider.said
    assert requests.get(provider.url + "/oauth/jwks", timeout=10).json() == before
    # Sessions and tokens outlive the restart.
    assert administrator.get("/oauth/account").status_code == 200
    assert administrator.session.get(provider.url + "/oauth/people", timeout=10).json()["count"] >= 1
    health = requests.get(provider.url + "/health.json", timeout=10).json()["identity"]
    assert health["passwordsWaiting"]["bound"] == 64


def test_metadata_are_sound(provider):
    for document, path in [(OpenIDProviderMetadata, "openid-configuration"),
                           (AuthorizationServerMetadata, "oauth-authorization-server")]:
        answer = requests.get(f"{provider.url}/.well-known/{path}", timeout=10).json()
        # authlib wants https, which is for cities that are reached from elsewhere.
        text = json.dumps(answer).replace("http://127.0.0.1", "https://127.0.0.1")
        document(json.loads(text)).validate()
    assert get_well_known_url(provider.url, external=True) == provider.url + "/.well-known/openid-configuration"


def test_authlib_runs_the_code_flow(provider, administrator, kim):
    client = register(administrator, client_name="Board", redirect_uris=[CALLBACK], scope="openid profile email city:read",
                      grant_types=["authorization_code", "refresh_token"])
    session = OAuth2Session(client["client_id"], client["client_secret"], scope="openid profile email city:read",
                            redirect_uri=CALLBACK, code_challenge_method="S256")
    verifier, nonce = secrets.token_urlsafe(48), secrets.token_urlsafe(12)
    address, state = session.create_authorization_url(provider.url + "/oauth/authorize", code_verifier=verifier, nonce=nonce)
    back = kim.allow(address)
    answered = parse_qs(urlsplit(back).query)
    assert answered["iss"] == [provider.url] and answered["state"] == [state]
    token = session.fetch_token(provider.url + "/oauth/token", authorization_response=back, state=state,
                                code_verifier=verifier)
    known = keys(provider)
    identity = jwt.decode(token["id_token"], known, algorithms=["ES256"])
    claims = CodeIDToken(identity.claims, identity.header, options={"iss": {"value": provider.url}},
                         params={"nonce": nonce, "client_id": client["client_id"], "access_token": token["access_token"]})
    claims.validate(leeway=0)
    claims.validate_at_hash()
    assert claims["sub"] == kim.id and claims["name"] == "김마당" and claims["email"] == "kim@fire.example"
    access = jwt.decode(token["access_token"], known, algorithms=["ES256"])
    assert access.header["typ"] == "at+jwt"
    # RFC 9068 section 2.2.
    assert {"iss", "exp", "aud", "sub", "client_id", "iat", "jti"} <= set(access.claims)
    assert access.claims["aud"] == provider.url and access.claims["roles"] == ["operator"]
    assert access.claims["agency"] == "fire"
    about = session.get(provider.url + "/oauth/userinfo", timeout=10).json()
    assert about["sub"] == kim.id and about["preferred_username"] == "kim"
    old = token["refresh_token"]
    renewed = session.refresh_token(provider.url + "/oauth/token", refresh_token=old)
    assert renewed["refresh_token"] != old
    assert session.introspect_token(provider.url + "/oauth/introspect", renewed["access_token"]).json()["active"] is True
    assert session.revoke_token(provider.url + "/oauth/revoke", renewed["refresh_token"]).status_code == 200
    for one in (renewed["access_token"], renewed["refresh_token"]):
        assert session.introspect_token(provider.url + "/oauth/introspect", one).json() == {"active": False}
    assert requests.get(provider.url + "/oauth/userinfo", timeout=10,
                        headers={"Authorization": "Bearer " + renewed["access_token"]}).status_code == 401


def test_authlib_acts_for_itself_by_secret_and_by_key(provider, administrator):
    client = register(administrator, client_name="Meter", grant_types=["client_credentials"], scope="city:write",
                      roles=["device"], agency="water", tenants=["north"])
    for method in ("client_secret_basic", "client_secret_post"):
        session = OAuth2Session(client["client_id"], client["client_secret"], token_endpoint_auth_method=method)
        token = session.fetch_token(provider.url + "/oauth/token", grant_type="client_credentials")
        claims = jwt.decode(token["access_token"], keys(provider), algorithms=["ES256"]).claims
        assert claims["sub"] == claims["client_id"] == client["client_id"] and claims["tenants"] == ["north"]
        assert "refresh_token" not in token
    key = ECKey.generate_key("P-256")
    public = key.as_dict(private=False)
    robot = register(administrator, client_name="Robot", grant_types=["client_credentials"], scope="city:read",
                     token_endpoint_auth_method="private_key_jwt", jwks={"keys": [public]})
    assert "client_secret" not in robot
    session = OAuth2Session(robot["client_id"], key, token_endpoint_auth_method="private_key_jwt")
    session.register_client_auth_method(PrivateKeyJWT(provider.url + "/oauth/token", alg="ES256"))
    assert session.fetch_token(provider.url + "/oauth/token", grant_type="client_credentials")["scope"] == "city:read"


def test_a_terminal_is_let_in_by_its_code(provider, kim):
    asked = requests.post(provider.url + "/oauth/device_authorization", timeout=10,
                          data={"client_id": "madang-cli", "scope": "openid city:read"}).json()
    session = OAuth2Session("madang-cli", token_endpoint_auth_method="none")

    def poll():
        return requests.post(provider.url + "/oauth/token", timeout=10, data={
            "grant_type": "urn:ietf:params:oauth:grant-type:device_code", "device_code": asked["device_code"],
            "client_id": "madang-cli"})

    assert (poll().status_code, poll().json()["error"]) == (400, "slow_down")
    page = kim.get(asked["verification_uri_complete"])
    assert asked["user_code"] in page.text
    form = {"csrf": kim.field(page, "csrf"), "user_code": asked["user_code"]}
    assert "Madang CLI" in kim.post("/oauth/device", form).text
    assert kim.post("/oauth/device", {**form, "answer": "yes"}).status_code == 200
    time.sleep(11)
    token = session.fetch_token(provider.url + "/oauth/token", device_code=asked["device_code"],
                                grant_type="urn:ietf:params:oauth:grant-type:device_code")
    assert jwt.decode(token["id_token"], keys(provider), algorithms=["ES256"]).claims["sub"] == kim.id
    assert poll().json()["error"] == "invalid_grant"


def test_idpyoidc_runs_the_code_flow(provider, administrator, kim):
    client = register(administrator, client_name="Agency portal", redirect_uris=[CALLBACK],
                      grant_types=["authorization_code", "refresh_token"], scope="openid profile offline_access",
                      id_token_signed_response_alg="RS256", post_logout_redirect_uris=["https://client.example/bye"])
    services = {name: {"class": f"idpyoidc.client.oidc.{module}"} for name, module in [
        ("provider_info", "provider_info_discovery.ProviderInfoDiscovery"), ("authorization", "authorization.Authorization"),
        ("accesstoken", "access_token.AccessToken"), ("refresh_token", "refresh_access_token.RefreshAccessToken"),
        ("userinfo", "userinfo.UserInfo"), ("end_session", "end_session.EndSession")]}
    rp = StandAloneClient(client_type="oidc", services=services, httpc=requests.request, httpc_params={"timeout": 20}, config={
        "base_url": "https://client.example", "issuer": provider.url, "client_authn_methods": ["client_secret_basic"], "client_id": client["client_id"],
        "client_secret": client["client_secret"], "redirect_uris": [CALLBACK], "allow": {"http": True},
        "response_types_supported": ["code"], "id_token_signed_response_alg": "RS256",
        "scope": ["openid", "profile", "offline_access"], "token_endpoint_auth_methods_supported": ["client_secret_basic"],
        "post_logout_redirect_uris": ["https://client.example/bye"], "provider_info": {"issuer": provider.url},
        "add_ons": {"pkce": {"function": "idpyoidc.client.oauth2.add_on.pkce.add_support",
                             "kwargs": {"code_challenge_length": 64, "code_challenge_method": "S256"}}}})
    assert rp.do_provider_info() == provider.url
    rp.do_client_registration()
    back = kim.allow(rp.init_authorization(req_args={"scope": ["openid", "profile", "offline_access"]}))
    done = rp.finalize(dict(parse_qsl(urlsplit(back).query)))
    assert "error" not in done, done
    assert done["userinfo"]["sub"] == done["id_token"]["sub"] == kim.id and done["userinfo"]["agency"] == "fire"
    renewed = rp.refresh_access_token(done["state"])
    assert renewed["access_token"] != done["token"]
    assert rp.get_user_info(done["state"])["sub"] == kim.id
    # The client logs its person out.
    address = rp.logout(done["state"])["url"]
    page = kim.get(address)
    assert page.status_code == 303 and page.headers["Location"].startswith("https://client.example/bye"), page.text
    assert kim.get("/oauth/account").headers["Location"].startswith("/oauth/login")
    assert kim.log_in("kim", PASSWORD).headers["Location"] == "/oauth/account"


def code_of(secret, when):
    """RFC 6238, written here anew."""
    mac = hmac.new(secret, struct.pack(">Q", int(when) // 30), hashlib.sha1).digest()
    offset = mac[-1] & 15
    return f"{(struct.unpack('>I', mac[offset:offset + 4])[0] & 0x7fffffff) % 1_000_000:06d}"


def test_an_authenticator_application_is_the_second_step(provider, administrator):
    made = administrator.session.post(provider.url + "/oauth/people", timeout=30,
                                      json={"username": "lee", "password": PASSWORD})
    assert made.status_code == 201
    lee = Person(provider)
    lee.log_in("lee", PASSWORD)
    csrf = lee.field(lee.get("/oauth/account"), "csrf")
    page = lee.post("/oauth/otp", {"csrf": csrf})
    uri = re.search(r'href="(otpauth://[^"]+)"', page.text)[1].replace("&amp;", "&")
    text = parse_qs(urlsplit(uri).query)["secret"][0]
    secret = base64.b32decode(text + "=" * (-len(text) % 8))
    first = code_of(secret, time.time())
    assert lee.post("/oauth/otp/confirm", {"csrf": csrf, "code": first}).status_code == 303
    again = Person(provider)
    half = again.log_in("lee", PASSWORD)
    assert half.status_code == 200
    form = {"csrf": again.field(half, "csrf"), "ticket": again.field(half, "ticket")}
    assert again.post("/oauth/login/code", {**form, "code": first}).status_code == 401
    # The next code is taken before its time: clocks may differ by one step.
    later = code_of(secret, time.time() + 30)
    assert again.post("/oauth/login/code", {**form, "code": later}).headers["Location"] == "/oauth/account"
    assert again.post("/oauth/login/code", {**form, "code": later}).status_code == 401


def test_a_flood_of_wrong_passwords_slows_nobody(provider, kim):
    page = requests.get(provider.url + "/oauth/login", timeout=10)
    csrf = Person.field(page, "csrf")
    calm = [requests.get(provider.url + "/version", timeout=10).elapsed.total_seconds() for _ in range(50)]
    over = threading.Event()

    def guess(number):
        return requests.post(provider.url + "/oauth/login", cookies=page.cookies, timeout=60, allow_redirects=False, data={
            "csrf": csrf, "username": "nobody%d" % (number % 7), "password": "wrong"}).status_code

    def others():
        times = []
        while not over.is_set():
            times.append(requests.get(provider.url + "/version", timeout=10).elapsed.total_seconds())
            assert kim.get("/oauth/account").status_code == 200
            time.sleep(0.02)
        return times

    with ThreadPoolExecutor(9) as pool:
        bystander = pool.submit(others)
        statuses = list(pool.map(guess, range(1000)))
        over.set()
        busy = bystander.result()
    assert statuses.count(429) > 900 and set(statuses) <= {401, 429, 503}
    health = requests.get(provider.url + "/health.json", timeout=10).json()["identity"]
    assert health["loginsHeldBack"] > 900
    assert sorted(busy)[len(busy) // 2] < max(0.25, 20 * sorted(calm)[len(calm) // 2])
