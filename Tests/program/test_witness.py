"""Witnesses and proofs, held against another implementation of the log's formats (tlog-scales)."""

import base64
import hashlib
import os
import re
import signal
import subprocess
import time

import pytest
import requests
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from tlog_scales import signing, tlog
from tlog_scales.backend import LocalBackend
from tlog_scales.reader import TilesReader
from tlog_scales.writer import TilesWriter

ORIGIN = "city.example/log"


class Witness:
    def __init__(self, binary, folder, name, log):
        self.command = [binary, "witness", "--key", str(folder / "key"), "--state", str(folder / "state"), "--port", "0",
                        "--name", name, "--log", log]
        self.start()

    def start(self):
        self.process = subprocess.Popen(self.command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.key = signing.Vkey.from_string(self.process.stderr.readline().split()[1])
        self.url = self.process.stdout.readline().split()[1]

    def stop(self, how=signal.SIGTERM):
        self.process.send_signal(how)
        self.process.wait(timeout=30)

    def ask(self, body):
        return requests.post(self.url + "/add-checkpoint", data=body.encode(), timeout=20)


class Log:
    def __init__(self, folder, name="entry"):
        self.name = name
        self.signer = signing.PlainEd25519Signer(ORIGIN, Ed25519PrivateKey.generate())
        self.writer = TilesWriter.create(folder, ORIGIN)
        self.folder = folder
        self.leaves = []

    def add(self, count):
        for _ in range(count):
            leaf = f'{{"{self.name}":{len(self.leaves)}}}'.encode()
            self.leaves.append(leaf)
            self.writer.add_leaf(leaf)
        self.writer.commit([self.signer], gc=False)

    def reader(self):
        reader = TilesReader(LocalBackend(self.folder))
        self.checkpoint = reader.get_checkpoint()
        return reader

    def request(self, old, signer=None, size=None):
        reader = self.reader()
        checkpoint = self.checkpoint
        if signer or size:
            checkpoint = tlog.Checkpoint.make_signed(ORIGIN, size or checkpoint.size, checkpoint.root_hash,
                                                     [signer or self.signer])
        hashes = reader.get_consistency_proof(old, self.checkpoint.size).node_hashes if old else []
        lines = "".join(base64.b64encode(one).decode() + "\n" for one in hashes)
        return f"old {old}\n{lines}\n{checkpoint.serialize()}"


@pytest.fixture
def witnesses(binary, tmp_path):
    log = Log(tmp_path / "log")
    log.add(700)
    running = []
    for number in range(3):
        folder = tmp_path / f"witness{number}"
        folder.mkdir()
        running.append(Witness(binary, folder, f"agency{number}.example/witness", log.signer.vkey.serialize()))
    yield log, running
    for one in running:
        if one.process.poll() is None:
            one.stop(signal.SIGKILL)


def cosigned(witness, answer, checkpoint):
    assert answer.status_code == 200, answer.text
    signature = signing.NoteSignature.from_line(answer.text.rstrip("\n"))
    assert witness.key.match(signature)
    signing.Ed25519CosignatureVerifier(witness.key).verify(signature.payload, checkpoint)
    assert abs(int.from_bytes(signature.payload[:8]) - time.time()) < 60
    return signature


def test_a_witness_cosigns_a_log_that_only_grows(witnesses):
    log, (witness, _, _) = witnesses
    cosigned(witness, witness.ask(log.request(0)), log.checkpoint)
    log.add(1)
    assert witness.ask(log.request(0)).status_code == 409
    cosigned(witness, witness.ask(log.request(700)), log.checkpoint)
    log.add(65_000)
    request = log.request(701)
    cosigned(witness, witness.ask(request), log.checkpoint)
    again = witness.ask(request)
    assert (again.status_code, again.text, again.headers["Content-Type"]) == (409, "65701\n", "text/x.tlog.size")
    # The same checkpoint again, from where the witness stands.
    cosigned(witness, witness.ask(log.request(65_701)), log.checkpoint)
    # For monitors.
    name = hashlib.sha256(ORIGIN.encode()).hexdigest()
    latest = tlog.Checkpoint.from_text(requests.get(f"{witness.url}/{name}/checkpoint", timeout=10).text)
    assert latest.size == 65_701
    latest.verify(log.signer.vkey)
    latest.verify(witness.key)
    assert requests.get(f"{witness.url}/{'0' * 64}/checkpoint", timeout=10).status_code == 404


def test_a_witness_refuses_what_it_must(witnesses):
    log, (witness, _, _) = witnesses
    stranger = signing.PlainEd25519Signer(ORIGIN, Ed25519PrivateKey.generate())
    assert witness.ask(log.request(0, signer=stranger)).status_code == 403
    other = signing.PlainEd25519Signer("other.example/log", Ed25519PrivateKey.generate())
    text = tlog.Checkpoint.make_signed("other.example/log", 700, log.checkpoint.root_hash, [other]).serialize()
    assert witness.ask("old 0\n\n" + text).status_code == 404
    assert witness.ask("nonsense").status_code == 400
    assert witness.ask(log.request(0)).status_code == 200
    log.add(5)
    assert witness.ask(log.request(700, size=100_000)).status_code == 422
    assert witness.ask(log.request(700, size=699)).status_code == 400
    assert requests.post(witness.url + "/add-checkpoint", data=b"x" * 5_000_000, timeout=20).status_code == 413
    assert witness.ask(log.request(700)).status_code == 200


def test_a_killed_witness_cosigns_no_second_history(witnesses, tmp_path):
    log, (witness, _, _) = witnesses
    assert witness.ask(log.request(0)).status_code == 200
    witness.stop(signal.SIGKILL)
    key = witness.key.serialize()
    witness.start()
    assert witness.key.serialize() == key
    # Another history of the same log, signed by its own key.
    fork = Log(tmp_path / "fork", "other")
    fork.signer = log.signer
    fork.add(900)
    answer = witness.ask(fork.request(0))
    assert (answer.status_code, answer.text) == (409, "700\n")
    assert witness.ask(fork.request(700)).status_code == 422
    assert oct(os.stat(witness.command[3]).st_mode & 0o777) == "0o600"


def test_a_proof_is_checked_with_no_server(witnesses, binary, tmp_path):
    log, running = witnesses
    log.add(1)
    signatures = [cosigned(one, one.ask(log.request(0)), log.checkpoint) for one in running]
    for one in running:
        one.stop()
    policy = tmp_path / "policy"
    names = [f"agency{number}" for number in range(3)]
    policy.write_text(f"log {log.signer.vkey.serialize()}\n" + "".join(
        f"witness {name} {one.key.serialize()}\n" for name, one in zip(names, running))
        + f"group two 2 {' '.join(names)}\nquorum two\n", encoding="utf-8")
    reader = log.reader()

    def proof(index, witnesses=(0, 2), entry=True):
        path = reader.get_inclusion_proof(index, log.checkpoint.size).node_hashes
        return ("c2sp.org/tlog-proof@v1\n"
                + (f"extra {base64.b64encode(log.leaves[index]).decode()}\n" if entry else "") + f"index {index}\n"
                + "".join(base64.b64encode(one).decode() + "\n" for one in path) + "\n"
                + log.checkpoint.serialize() + "".join(signatures[one].serialize() + "\n" for one in witnesses))

    def verify(text, *more):
        file = tmp_path / "one.tlog-proof"
        file.write_text(text, encoding="utf-8")
        return subprocess.run([binary, "verify", file, "--policy", policy, *more], capture_output=True, text=True, timeout=30)

    good = verify(proof(417))
    assert good.returncode == 0, good.stderr
    assert "entry 417 of 701" in good.stdout and "agency2" in good.stdout and '{"entry":417}' in good.stdout
    assert verify(proof(417, witnesses=(0,))).returncode != 0
    assert verify(proof(417, witnesses=(0, 0))).returncode != 0
    assert verify(proof(417, entry=False)).returncode != 0
    entry = tmp_path / "entry"
    entry.write_bytes(log.leaves[417])
    assert verify(proof(417, entry=False), "--entry", entry).returncode == 0
    entry.write_bytes(log.leaves[418])
    assert verify(proof(417), "--entry", entry).returncode != 0
    text = proof(417)
    assert verify(text.replace("index 417", "index 416")).returncode != 0
    assert verify(text.replace("\n701\n", "\n702\n")).returncode != 0
    assert verify(text[:-20]).returncode != 0
    assert verify("").returncode != 0
    lines = text.splitlines(keepends=True)
    assert verify("".join(lines[:3] + lines[4:])).returncode != 0
    assert re.search("not proved", verify(proof(417, witnesses=(1,))).stderr)
