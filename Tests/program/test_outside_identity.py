"""Tokens of an outside OpenID provider that is not our own (Debian's glewlwyd) open the city's doors."""

import json
import shutil
import socket
import sqlite3
import subprocess
import time
from pathlib import Path

import pytest
import requests
from joserfc.jwk import ECKey, RSAKey
from test_adapters import manifest

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


class Glewlwyd:
    """The provider of an agency, with one client that acts for itself."""

    def __init__(self, folder, keys):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
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
                "allow-non-oidc": True, "auth-type-client-enabled": True, "jwks-show": True}})

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
