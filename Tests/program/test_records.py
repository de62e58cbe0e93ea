"""What is recorded of logins, accounts, rights and devices: `madang audit` and `madang prove` on a running city."""

import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import quote

import pytest
import requests
from conftest import audited
from test_access import Guarded
from test_devices import Trust
from test_identity import PASSWORD, Person, register


def audit(binary, data, *options):
    month = time.strftime("%Y-%m", time.gmtime())
    done = subprocess.run([binary, "audit", "--month", month, "--data", data, *options], capture_output=True, text=True,
                          timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return audited(done.stdout)


@pytest.fixture
def city(binary, tmp_path):
    one = Guarded(binary, tmp_path)
    yield one
    if one.process.poll() is None:
        one.stop()


def test_accounts_and_rights_are_recorded(city, binary):
    boss = city.administrator.session
    boss.headers["Reason"] = quote("인사 발령 7")
    kim = boss.post(city.url + "/oauth/people", timeout=30, json={
        "username": "kim", "name": "김마당", "email": "kim@fire.example", "roles": ["operator"], "agency": "fire",
        "password": PASSWORD}).json()["id"]
    for change in ({"roles": ["clerk"]}, {"isDisabled": True}, {"isDisabled": False}):
        assert boss.patch(f"{city.url}/oauth/people/{kim}", json=change, timeout=30).status_code == 200
    board = register(city.administrator, client_name="board", grant_types=["client_credentials"], scope="city:read",
                     roles=["operator"])
    del boss.headers["Reason"]
    person = Person(city)
    assert person.log_in("kim", PASSWORD).status_code == 303
    page = person.get("/oauth/account")
    assert person.post("/oauth/logout", {"csrf": person.field(page, "csrf")}).status_code == 303
    for _ in range(30):
        answer = requests.post(city.url + "/oauth/token", data={"grant_type": "client_credentials"}, timeout=30,
                               auth=(board["client_id"], board["client_secret"]))
        assert answer.status_code == 200
    token = answer.json()["access_token"]
    assert requests.post(city.url + "/oauth/revoke", data={"token": token}, timeout=30,
                         auth=(board["client_id"], board["client_secret"])).status_code == 200

    rows = audit(binary, city.data)
    first = [(row["kind"], row["action"], row["accountKind"]) for row in rows[:4]]
    assert first == [("configuration", "boot", ""), ("account", "make-signing-key", "City"),
                     ("account", "add-person", "City"), ("account", "give-roles", "City")]
    own = [row for row in rows if row["subjectName"] == "kim"]
    assert [(row["action"], row["detail"]) for row in own] == [
        ("add-person", "agency fire"), ("give-roles", "operator"), ("give-roles", "clerk"), ("take-roles", "operator"),
        ("disable-person", ""), ("end-sessions", ""), ("enable-person", "")]
    # Who did it, from where and why: what the law asks for (계정, 접속일시, 접속지, 처리한 정보주체, 수행업무).
    for row in own:
        assert (row["accountName"], row["accountKind"], row["source"]) == ("admin", "Person", "127.0.0.1")
        assert row["subject"] == kim and row["reason"] == "인사 발령 7" and row["time"].startswith("20")
    done = [row["action"] for row in rows if row["accountName"] == "kim"]
    assert done == ["login", "logout"]
    program = [(row["action"], row["detail"]) for row in rows if row["account"] == board["client_id"]]
    # Thirty tokens are one entry, until the minute is over.
    assert program == [("login", "city:read"), ("revoke-token", "")]
    assert [row["action"] for row in rows if row["subject"] == board["client_id"]] == ["register-client", "give-roles"]

    # Nobody's name stands in what everybody may read, and what concerns somebody is found by who has the keys.
    tiles = requests.get(f"{city.url}/log/checkpoint", timeout=10).text.split("\n")
    entries = requests.get(f"{city.url}/log/tile/entries/000.p/{tiles[1]}", timeout=10).content
    for word in ("kim", "127.0.0.1", "operator", "board", "인사", kim, board["client_id"]):
        assert word.encode() not in entries, word
    proved = subprocess.run([binary, "prove", kim, "--data", city.data], capture_output=True, text=True, timeout=60,
                            check=False)
    assert proved.returncode == 0 and "7 entries" in proved.stderr, proved.stderr
    other = subprocess.run([binary, "prove", kim, "--tenant", "north", "--data", city.data], capture_output=True,
                           text=True, timeout=60, check=False)
    assert other.returncode != 0 and "no entry that concerns" in other.stderr
    city.stop()
    counted = [row["detail"] for row in audit(binary, city.data) if row["account"] == board["client_id"]]
    assert counted == ["city:read", "", "city:read; 29 times"]


def test_wrong_passwords_cannot_flood_the_log(city, binary):
    page = requests.get(city.url + "/oauth/login", timeout=10)
    csrf = Person.field(page, "csrf")

    def guess(number):
        return requests.post(city.url + "/oauth/login", cookies=page.cookies, timeout=60, allow_redirects=False, data={
            "csrf": csrf, "username": "admin" if number % 2 else "nobody", "password": "wrong"}).status_code

    before = len(audit(binary, city.data))
    # Fewer than an address may send at once: what the limit of requests holds back is no login, and not recorded.
    with ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(guess, range(450)))
    assert set(statuses) <= {401, 429, 503} and statuses.count(429) > 350
    rows = audit(binary, city.data)[before:]
    seen = sorted((row["action"], row["subjectName"]) for row in rows)
    # One for each account and refusal; a window may have ended while it lasted.
    assert set(seen) == {("login-failed", ""), ("login-failed", "admin"), ("login-held-back", ""),
                         ("login-held-back", "admin")} and len(seen) <= 12
    assert all(row["account"] == "" and row["accountKind"] == "Nobody" and row["source"] == "127.0.0.1" for row in rows)
    city.stop()
    rows = audit(binary, city.data)[before:]
    counts = [int(row["detail"].split()[0]) if row["detail"] else 1 for row in rows]
    assert len(rows) <= 24 and sum(counts) == statuses.count(401) + statuses.count(429)


def test_what_is_done_to_devices_is_recorded(start, binary, tmp_path):
    trust = Trust(start, tmp_path)
    name, _ = trust.expect()
    for _ in range(3):
        assert trust.post("simpleenroll", trust.request(trust.key()), "-u", f"{name}:wrong")[0] == 401
    key, file = trust.enrolled()
    assert trust.post("simplereenroll", trust.request(key), "--cert", file, "--key", key)[0] == 200
    trust.revoke(name)
    rows = [row for row in audit(binary, trust.data) if row["action"] not in ("add-person", "give-roles", "make-signing-key")]
    assert [(row["action"], row["accountKind"], row["tenant"]) for row in rows] == [
        ("expect-device", "Nobody", "north"), ("enrolment-refused", "Nobody", "north"),
        ("expect-device", "Nobody", "north"), ("enrol-device", "Device", ""), ("renew-certificate", "Device", ""),
        ("revoke-device", "Nobody", "north")]
    assert all(row["source"] == "127.0.0.1" for row in rows)
    assert {row["account"] for row in rows if row["accountKind"] == "Device"} == {name}
    assert {row["subject"] for row in rows if row["tenant"]} == {name.split("/")[1]}
    assert rows[-1]["detail"].startswith("keyCompromise; certificates ") and len(rows[-1]["detail"].split()) == 4
    found = subprocess.run([binary, "prove", name.split("/")[1], "--tenant", "north", "--data", trust.data],
                           capture_output=True, text=True, timeout=60, check=False)
    assert "4 entries" in found.stderr
