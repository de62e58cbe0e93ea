"""The evidence log of a running city, held against another implementation of its formats (tlog-scales)."""

import base64
import contextlib
import hashlib
import html
import http.server
import json
import re
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from tlog_scales import signing, tlog
from tlog_scales.backend import HttpBackend
from tlog_scales.reader import TilesReader

from conftest import audited
from test_witness import Witness

ORIGIN = "test.example/evidence"
# The city's own first entries: its configuration, its key for tokens, its first administrator and what he may.
OWN = ["boot", "make-signing-key", "add-person", "give-roles"]


class Submitter:
    """A system that signs its own statements: signed notes whose text is one line of JSON."""

    def __init__(self):
        self.signer = signing.PlainEd25519Signer("police.example/vms", Ed25519PrivateKey.generate())
        self.key = self.signer.vkey.serialize()

    def statement(self, number, **more):
        nonce = base64.urlsafe_b64encode(number.to_bytes(16, "big")).decode().rstrip("=")
        body = {"action": "watch", "kind": "access", "nonce": nonce, "purpose": "missing-child",
                "object": "sha256:" + hashlib.sha256(str(number).encode()).hexdigest(),
                "time": "2026-11-23T12:00:00Z", "v": 1, **more}
        return json.dumps(body, sort_keys=True, separators=(",", ":"))

    def note(self, number, **more):
        text = self.statement(number, **more) + "\n"
        signature = signing.NoteSignature.from_vkey_signature(self.signer.vkey, self.signer.key.sign(text.encode()))
        return f"{text}\n{signature.serialize()}\n".encode()


class Watched:
    """A city whose log three agencies watch, two of which have to."""

    def __init__(self, binary, start, folder):
        self.binary, self.folder, self.start = binary, folder, start
        self.data = folder / "data"
        self.submitter = Submitter()
        # The log's key is made first, as the agencies have to know it before the city starts.
        (self.data / "evidence").mkdir(parents=True)
        self.signer = signing.PlainEd25519Signer(ORIGIN, Ed25519PrivateKey.generate())
        key = base64.b64encode(b"\x01" + self.signer.key.private_bytes_raw()).decode()
        name, identity, _ = self.signer.vkey.serialize().split("+", 2)
        (self.data / "evidence" / "log.key").write_text(f"PRIVATE+KEY+{name}+{identity}+{key}\n", encoding="ascii")
        self.witnesses = []
        for number in range(3):
            (folder / f"witness{number}").mkdir()
            self.witnesses.append(Witness(binary, folder / f"witness{number}", f"agency{number}.example/witness",
                                          self.signer.vkey.serialize()))
        self.write()
        self.up()

    def write(self):
        names = [f"agency{number}" for number in range(3)]
        lines = "".join(f"witness {name} {one.key.serialize()} {one.url}\n" for name, one in zip(names, self.witnesses))
        (self.folder / "treaty.policy").write_text(lines + f"group two 2 {' '.join(names)}\nquorum two\n", encoding="utf-8")
        (self.folder / "watched.city.yaml").write_text(
            MANIFEST + f"evidence:\n  origin: {ORIGIN}\n  treaty: treaty.policy\n  submitters: [\"{self.submitter.key}\"]\n",
            encoding="utf-8")

    def up(self):
        self.city = self.start(self.folder / "watched.city.yaml", "--data", self.data)
        self.log = self.city.url + "/log"

    def add(self, number, session=requests, **more):
        return session.post(self.log + "/add", data=self.submitter.note(number, **more), timeout=30)

    def run(self, *arguments):
        return subprocess.run([self.binary, *map(str, arguments)], capture_output=True, text=True, timeout=60)

    def reader(self, size):
        """A reader at a checkpoint of so many entries, or more, that two agencies have seen."""
        reader = TilesReader(HttpBackend(self.log))
        for _ in range(600):
            if requests.get(self.log + "/checkpoint", timeout=10).status_code == 200:
                checkpoint = reader.get_checkpoint()
                if checkpoint.size >= size and len(checkpoint.signatures) >= 3:
                    return reader, checkpoint
            time.sleep(0.05)
        raise AssertionError(f"no checkpoint of {size} entries that two agencies have seen came in 30 s")

    def stop(self):
        for one in self.witnesses:
            if one.process.poll() is None:
                one.stop()


MANIFEST = """
madang: 1
id: watched
kind: downtown-redevelopment
mode: live
seed: 1
sampling: 1
site:
  name: {ko: 시험, en: Test}
  country: KR
  timeZone: Asia/Seoul
  centre: [129.06, 35.16]
  area: 1
  climate:
    warmest: {month: 8, celsius: 26}
    coldest: {month: 1, celsius: 3}
    dailyRange: 7
    relativeHumidity: 64
    annualRain: 1500
    windSpeed: 3.5
population: {people: 1000, homes: 400}
services: [administration]
fleets:
  - {id: lights, type: Streetlight, count: 1, cadence: 1h, placement: {pattern: grid}}
"""


@pytest.fixture
def watched(binary, start, tmp_path):
    city = Watched(binary, start, tmp_path)
    yield city
    city.stop()


def test_what_another_implementation_reads(watched):
    sessions = [requests.Session() for _ in range(8)]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda n: watched.add(n, sessions[n % 8]), range(700)))
    assert {one.status_code for one in answers} == {200}
    size = len(OWN) + 700
    assert sorted(int(one.text) for one in answers) == list(range(len(OWN), size))
    reader, checkpoint = watched.reader(size)
    assert (checkpoint.origin, checkpoint.size) == (ORIGIN, size)
    checkpoint.verify(watched.signer.vkey)
    seen = 0
    for witness in watched.witnesses:
        if any(witness.key.match(signature) for signature in checkpoint.signatures):
            checkpoint.verify(witness.key)
            seen += 1
    assert seen >= 2
    assert reader.calculate_root_hash() == checkpoint.root_hash
    first = json.loads(reader.get_entry(0))
    assert (first["kind"], first["action"]) == ("configuration", "boot")
    for number in (0, 255, 256, 699):
        index = int(answers[number].text)
        entry = watched.submitter.note(number)
        assert reader.get_entry(index) == entry
        answer = requests.get(watched.city.url + answers[number].headers["Location"], timeout=10).text
        lines = answer.split("\n\n")[0].split("\n")
        theirs = reader.get_inclusion_proof(index, size)
        theirs.check(hashlib.sha256(b"\0" + entry).digest(), checkpoint.root_hash)
        assert lines == ["c2sp.org/tlog-proof@v1", f"extra {base64.b64encode(entry).decode()}", f"index {index}",
                         *(base64.b64encode(one).decode() for one in theirs.node_hashes)]

    # What a stranger does: the treaty, the proof, no server.
    policy = watched.folder / "policy"
    policy.write_bytes(requests.get(watched.log + "/policy", timeout=10).content)
    proved = watched.run("prove", 300, "--data", watched.data)
    assert proved.returncode == 0, proved.stderr
    watched.city.stop()
    watched.stop()
    assert watched.run("prove", 300, "--data", watched.data).stdout == proved.stdout
    file = watched.folder / "300.tlog-proof"
    file.write_text(proved.stdout, encoding="utf-8")
    assert len(file.read_bytes()) <= 2300
    verified = watched.run("verify", file, "--policy", policy)
    assert verified.returncode == 0 and f"entry 300 of {size}" in verified.stdout, verified.stderr
    file.write_text(proved.stdout.replace("index 300", "index 301"), encoding="utf-8")
    assert watched.run("verify", file, "--policy", policy).returncode != 0
    assert watched.run("prove", size, "--data", watched.data).returncode != 0
    assert "no entry that concerns" in watched.run("prove", "patient-7", "--data", watched.data).stderr


def test_nothing_acknowledged_is_lost_and_there_is_one_history(watched):
    kept = {}
    for round_number in range(3):
        sessions = [requests.Session() for _ in range(4)]

        def add(number):
            try:
                answer = watched.add(number, sessions[number % 4])
                return number, int(answer.text) if answer.status_code == 200 else None
            except requests.RequestException:
                return number, None

        with ThreadPoolExecutor(4) as pool:
            running = [pool.submit(add, round_number * 1000 + number) for number in range(300)]
            while sum(one.done() for one in running) < 150:
                time.sleep(0.01)
            watched.city.kill()
            for one in running:
                number, index = one.result()
                if index is not None:
                    kept[number] = index
        before = None
        for witness in watched.witnesses:
            name = hashlib.sha256(ORIGIN.encode()).hexdigest()
            latest = requests.get(f"{witness.url}/{name}/checkpoint", timeout=10)
            if latest.status_code == 200:
                one = tlog.Checkpoint.from_text(latest.text)
                before = one if before is None or one.size > before.size else before
        watched.up()
        reader, checkpoint = watched.reader(max(kept.values()) + 1)
        if before is not None:
            reader.get_consistency_proof(before.size, checkpoint.size).check(before.root_hash, checkpoint.root_hash)
        for number, index in kept.items():
            assert reader.get_entry(index) == watched.submitter.note(number)
    health = requests.get(watched.city.url + "/health.json", timeout=10).json()["evidence"]
    assert health["alarms"] == [] and health["witnessed"] == health["entries"]
    # One that is sent again stands where it stood.
    number, index = next(iter(kept.items()))
    assert int(watched.add(number).text) == index


def test_what_is_refused(watched):
    def refused(answer, status=400):
        assert answer.status_code == status, answer.text
        problem = answer.json()
        assert problem["status"] == status and problem["detail"]
        return problem["detail"]

    assert "subject" in refused(watched.add(1, subject="patient 7"))
    assert "name" in refused(watched.add(1, name="Kim"))
    stranger = Submitter()
    refused(requests.post(watched.log + "/add", data=stranger.note(1), timeout=10))
    refused(requests.post(watched.log + "/add", data=watched.submitter.note(1)[:-30], timeout=10))
    refused(requests.post(watched.log + "/add", data=b"\xff\xfe", timeout=10))
    refused(requests.post(watched.log + "/add", data=b"a" * 20_000, timeout=10), 413)
    refused(requests.get(watched.log + "/proof/99", timeout=10), 404)
    refused(requests.get(watched.log + "/proof/-1", timeout=10))
    for path in ("tile/0/001", "tile/9/000", "tile/0/000.p/0", "tile/%2e%2e/%2e%2e/etc/passwd", "tile/0/000.p/300"):
        assert requests.get(f"{watched.log}/{path}", timeout=10, allow_redirects=False).status_code == 404


def test_the_agencies_are_away_and_come_back(watched):
    for witness in watched.witnesses[1:]:
        witness.stop()
    assert watched.add(1).status_code == 200
    for _ in range(200):
        if requests.get(watched.log + "/checkpoint", timeout=10).text.startswith(f"{ORIGIN}\n{len(OWN) + 1}\n"):
            break
        time.sleep(0.05)
    answer = requests.get(f"{watched.log}/proof/{len(OWN)}", timeout=10)
    assert answer.status_code == 503 and answer.headers["Retry-After"]
    # They come back on ports of their own: the treaty says where.
    port = watched.witnesses[1].url.rsplit(":", 1)[1]
    watched.witnesses[1].command[watched.witnesses[1].command.index("--port") + 1] = port
    watched.witnesses[1].start()
    reader, checkpoint = watched.reader(len(OWN) + 1)
    checkpoint.verify(watched.witnesses[1].key)
    assert requests.get(f"{watched.log}/proof/{len(OWN)}", timeout=10).status_code == 200


class Liar(http.server.ThreadingHTTPServer):
    """In a witness's place: answers as it is told."""

    daemon_threads = True

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            asked = self.rfile.read(int(self.headers["Content-Length"])).decode()
            self.server.asked += 1
            status, body, more = self.server.answer(asked)
            self.send_response(status)
            for name, value in more.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            # Who is asked for no more than a megabyte hangs up before the end.
            with contextlib.suppress(ConnectionError):
                self.wfile.write(body)

        def log_message(self, *_):
            pass

    def __init__(self, address):
        self.asked, self.answer = 0, lambda _: (500, b"", {})
        super().__init__(address, self.Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()


def test_a_witness_that_lies_over_http(watched):
    """The third agency's address is taken over; the other two go on."""
    watched.reader(len(OWN))
    port = int(watched.witnesses[2].url.rsplit(":", 1)[1])
    watched.witnesses[2].stop()
    liar = Liar(("127.0.0.1", port))
    stranger_key = Ed25519PrivateKey.generate()

    def cosigned(asked):
        checkpoint = asked.split("\n\n", 1)[1].split("\n\n")[0] + "\n"
        signature = stranger_key.sign(f"cosignature/v1\ntime 1795000000\n{checkpoint}".encode())
        mine = bytes.fromhex(watched.witnesses[2].key.serialize().split("+")[1])
        payload = base64.b64encode(mine + (1795000000).to_bytes(8) + signature).decode()
        return 200, f"— agency2.example/witness {payload}\n".encode(), {}

    def stalls(_):
        time.sleep(60)
        return 200, b"", {}

    answers = {
        "a signature of another key": cosigned,
        "noise": lambda _: (200, bytes(range(256)) * 64, {}),
        "two megabytes": lambda _: (200, b"x" * 2_000_000, {}),
        "the request itself": lambda asked: (200, asked.encode(), {}),
        "elsewhere": lambda _: (307, b"", {"Location": watched.witnesses[0].url + "/add-checkpoint"}),
        "more than there is": lambda _: (409, b"123456789\n", {}),
        "less than before": lambda _: (409, b"0\n", {}),
        "no number": lambda _: (409, b"\xd9\xa1\n", {}),
        "another history": lambda _: (422, b"", {}),
        "nothing for long": stalls,
    }
    size = len(OWN)
    for number, (name, answer) in enumerate(answers.items()):
        liar.answer = answer
        before, begun = liar.asked, time.monotonic()
        assert watched.add(number).status_code == 200, name
        size += 1
        # It waits 30 s at most; one that stalls does so for as long.
        _, checkpoint = watched.reader(size)
        assert not any(watched.witnesses[2].key.match(one) for one in checkpoint.signatures), name
        for one in watched.witnesses[:2]:
            checkpoint.verify(one.key)
        assert requests.get(f"{watched.log}/proof/{size - 1}", timeout=10).status_code == 200, name
        while name != "nothing for long" and liar.asked == before and time.monotonic() - begun < 60:
            time.sleep(0.02)
        assert liar.asked > before or name == "nothing for long", name
    alarms = requests.get(watched.city.url + "/health.json", timeout=10).json()["evidence"]["alarms"]
    assert any("more than there are" in one for one in alarms) and any("another history" in one for one in alarms), alarms
    liar.shutdown()
    liar.server_close()
    # The agency itself comes back, as it was.
    command = watched.witnesses[2].command
    command[command.index("--port") + 1] = str(port)
    watched.witnesses[2].start()
    assert watched.add(99).status_code == 200
    end = time.monotonic() + 30
    while time.monotonic() < end:
        _, checkpoint = watched.reader(size + 1)
        if any(watched.witnesses[2].key.match(one) for one in checkpoint.signatures):
            break
        watched.add(int(time.monotonic() * 1000))
        time.sleep(0.5)
    checkpoint.verify(watched.witnesses[2].key)


def test_a_proof_of_another_log_is_not_one_of_this(watched, tmp_path):
    reader, checkpoint = watched.reader(1)
    policy = watched.folder / "policy"
    policy.write_bytes(requests.get(watched.log + "/policy", timeout=10).content)
    proof = requests.get(watched.log + "/proof/0", timeout=10).text
    # Another log under the same name with the same agencies' keys in its treaty, but a key of its own.
    other = signing.PlainEd25519Signer(ORIGIN, Ed25519PrivateKey.generate())
    forged = tlog.Checkpoint.make_signed(ORIGIN, checkpoint.size, checkpoint.root_hash, [other])
    cosignatures = "".join(line + "\n" for line in proof.splitlines() if line.startswith("— agency"))
    for name, text in {
        "another key": proof.split("\n\n")[0] + "\n\n" + forged.serialize() + cosignatures,
        "another name": proof.replace(ORIGIN, "other.example/evidence"),
        "another name, signed": proof.split("\n\n")[0] + "\n\n" + tlog.Checkpoint.make_signed(
            "other.example/evidence", checkpoint.size, checkpoint.root_hash, [watched.signer]).serialize() + cosignatures,
        "no cosignature": proof.replace(cosignatures, ""),
    }.items():
        assert text != proof, name
        (tmp_path / "proof").write_text(text, encoding="utf-8")
        told = watched.run("verify", tmp_path / "proof", "--policy", policy)
        assert told.returncode != 0 and "not proved" in told.stderr, (name, told.stderr)


def test_the_page_for_checking_is_open_to_strangers(watched):
    """In a city whose other pages are not: a judge has no account. It may connect to nothing, and offers the city's policy."""
    site = watched.city.url
    assert requests.get(site + "/", timeout=10, allow_redirects=False).status_code == 303
    page = requests.get(site + "/verify", timeout=10, headers={"Accept-Language": "ko"}, allow_redirects=False)
    assert page.status_code == 200 and 'lang="ko"' in page.text
    rules = dict(one.strip().split(" ", 1) for one in page.headers["Content-Security-Policy"].split(";"))
    assert rules["default-src"] == "'none'" and "connect-src" not in rules and rules["form-action"] == "'none'"
    assert rules["script-src"] == "'self'" and "<script>" not in page.text
    offered = html.unescape(re.search(r'data-policy="([^"]*)"', page.text)[1])
    assert offered == requests.get(watched.log + "/policy", timeout=10).text
    # Everything that it brings is there for strangers, too.
    brought = set(re.findall(r'(?:src|href)="(/static/[^"]+)"', page.text))
    assert any(one.endswith("/js/verify.js") for one in brought) and any(one.endswith("/css/verify.css") for one in brought)
    for one in brought:
        assert requests.get(site + one, timeout=10, allow_redirects=False).status_code == 200, one
    saved = requests.get(site + "/verify/saved?lang=ko", timeout=10, allow_redirects=False)
    assert saved.headers["Content-Disposition"] == 'attachment; filename="madang-verify-ko.html"'
    assert hashlib.sha256(saved.content).hexdigest() in page.text
    # It names no city: the same file from all.
    assert ORIGIN not in saved.text and site not in saved.text and "/static/" not in saved.text


def test_the_report_of_a_month(watched):
    watched.reader(1)
    month = time.strftime("%Y-%m", time.gmtime())
    report = watched.run("audit", "--month", month, "--data", watched.data)
    assert report.returncode == 0, report.stderr
    rows = audited(report.stdout)
    assert [(row["position"], row["action"]) for row in rows] == [(str(number), one) for number, one in enumerate(OWN)]
    assert audited(watched.run("audit", "--month", "2020-01", "--data", watched.data).stdout) == []
    for wrong in ("2026-13", "26-1", "soon"):
        assert watched.run("audit", "--month", wrong, "--data", watched.data).returncode != 0
