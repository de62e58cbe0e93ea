"""A log of many entries, filled by the engine's own way and watched by five agencies, held against two others' code.

MADANG_LOG_ENTRIES (20,000) is how many; a million is what the promises are made for. Beside the checks it prints what
`madang bench` measured: speed belongs to a release build on a quiet machine.
"""

import base64
import hashlib
import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import requests
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from tlog_scales import signing
from tlog_scales.backend import HttpBackend, LocalBackend
from tlog_scales.reader import TilesReader
from tlog_scales.writer import TilesWriter

from test_evidence import MANIFEST, ORIGIN, OWN, Submitter
from test_witness import Witness

ENTRIES = int(os.environ.get("MADANG_LOG_ENTRIES", "20000"))
GO = "/usr/bin/go"
GO_PACKAGES = Path("/usr/share/gocode/src/golang.org/x/mod/sumdb/tlog")


class Large:
    """A folder with the log's key, five witnesses that know it, three of which have to see it, and the manifest."""

    def __init__(self, binary, folder):
        self.folder, self.data = folder, folder / "data"
        self.signer = signing.PlainEd25519Signer(ORIGIN, Ed25519PrivateKey.generate())
        self.submitter = Submitter()
        (self.data / "evidence").mkdir(parents=True)
        write_key(self.data / "evidence" / "log.key", self.signer)
        write_key(folder / "submitter.key", self.submitter.signer)
        self.witnesses = []
        for number in range(5):
            (folder / f"witness{number}").mkdir()
            self.witnesses.append(Witness(binary, folder / f"witness{number}", f"agency{number}.example/witness",
                                          self.signer.vkey.serialize()))
        names = [f"agency{number}" for number in range(5)]
        (folder / "treaty.policy").write_text("".join(
            f"witness {name} {one.key.serialize()} {one.url}\n" for name, one in zip(names, self.witnesses))
            + f"group three 3 {' '.join(names)}\nquorum three\n", encoding="utf-8")
        self.manifest = folder / "large.city.yaml"
        self.manifest.write_text(
            MANIFEST + f"evidence:\n  origin: {ORIGIN}\n  treaty: treaty.policy\n  submitters: [\"{self.submitter.key}\"]\n",
            encoding="utf-8")


def write_key(path, signer):
    name, identity, _ = signer.vkey.serialize().split("+", 2)
    key = base64.b64encode(b"\x01" + signer.key.private_bytes_raw()).decode()
    path.write_text(f"PRIVATE+KEY+{name}+{identity}+{key}\n", encoding="ascii")


@pytest.fixture(scope="module")
def large(binary, tmp_path_factory):
    one = Large(binary, tmp_path_factory.mktemp("large"))
    try:
        done = subprocess.run([binary, "bench", "evidence", one.manifest, "--data", one.data, "--entries", str(ENTRIES)],
                              capture_output=True, text=True, timeout=3600)
        assert done.returncode == 0, done.stderr
        one.figures = done.stdout
        print(done.stdout)
        yield one
    finally:
        for witness in one.witnesses:
            witness.stop()


@pytest.fixture
def served(large, start):
    city = start(large.manifest, "--data", large.data)
    yield city
    city.stop()


def watched(large, log):
    """The checkpoint once every agency has seen it."""
    reader = TilesReader(HttpBackend(log))
    for _ in range(600):
        checkpoint = reader.get_checkpoint()
        # What the city does at its own start stands there, too.
        if checkpoint.size == ENTRIES + len(OWN) and len(checkpoint.signatures) == 6:
            return reader, checkpoint
    raise AssertionError("no checkpoint that all have seen")


def test_figures_and_the_size_of_a_proof(large, binary, tmp_path):
    figures = dict(line.split(": ", 1) for line in large.figures.splitlines() if not line.startswith("floor"))
    print(large.figures)
    assert len(figures) >= 7, figures
    proof = subprocess.run([binary, "prove", str(ENTRIES - 5), "--data", large.data], capture_output=True, text=True, timeout=60)
    assert proof.returncode == 0, proof.stderr
    # As many cosignatures as the treaty asks for, and no more.
    lines = proof.stdout.splitlines(keepends=True)
    cosigned = [place for place, line in enumerate(lines) if line.startswith("— agency")]
    text = "".join(line for place, line in enumerate(lines) if place not in cosigned[3:])
    (tmp_path / "proof").write_text(text, encoding="utf-8")
    (tmp_path / "policy").write_text(f"log {large.signer.vkey.serialize()}\n" + (large.folder / "treaty.policy").read_text())
    assert subprocess.run([binary, "verify", tmp_path / "proof", "--policy", tmp_path / "policy"], timeout=60).returncode == 0
    print(f"a proof with three cosignatures: {len(text.encode())} bytes; {len(cosigned)} came")
    assert len(text.encode()) <= 2300


def test_another_implementation_makes_the_same_log(large, served, tmp_path):
    reader, checkpoint = watched(large, served.url + "/log")
    checkpoint.verify(large.signer.vkey)
    for witness in large.witnesses:
        checkpoint.verify(witness.key)
    assert reader.calculate_root_hash() == checkpoint.root_hash
    # Out of the entries alone it writes a log of its own: every tile of it is ours, byte by byte.
    writer = TilesWriter.create(tmp_path / "theirs", ORIGIN)
    for index in range(checkpoint.size):
        writer.add_leaf(reader.get_entry(index))
    writer.commit([large.signer], gc=False)
    theirs = TilesReader(LocalBackend(tmp_path / "theirs"))
    assert theirs.get_checkpoint().root_hash == checkpoint.root_hash
    session, compared = requests.Session(), 0
    for file in sorted((tmp_path / "theirs" / "tile").rglob("*")):
        if file.is_file():
            path = file.relative_to(tmp_path / "theirs")
            answer = session.get(f"{served.url}/log/{path}", timeout=10)
            assert answer.status_code == 200 and answer.content == file.read_bytes(), path
            compared += 1
    assert compared >= 2 * (ENTRIES // 256)
    for index in {0, 1, 255, 256, checkpoint.size // 2, checkpoint.size - 2, checkpoint.size - 1}:
        answer = requests.get(f"{served.url}/log/proof/{index}", timeout=10).text
        proof = theirs.get_inclusion_proof(index, checkpoint.size)
        entry = reader.get_entry(index)
        proof.check(hashlib.sha256(b"\0" + entry).digest(), checkpoint.root_hash)
        assert answer.split("\n\n")[0].split("\n") == [
            "c2sp.org/tlog-proof@v1", f"extra {base64.b64encode(entry).decode()}", f"index {index}",
            *(base64.b64encode(one).decode() for one in proof.node_hashes)]
    print(f"tlog-scales: {checkpoint.size} entries, {compared} tiles, 5 cosignatures, 7 proofs, all the same")


def test_gos_own_packages_verify_it(large, served, tmp_path):
    if not Path(GO).exists() or not GO_PACKAGES.exists():
        pytest.skip("evidence and Go: no golang-go with golang-golang-x-mod-dev; make setup installs them")
    _, checkpoint = watched(large, served.url + "/log")
    program = tmp_path / "tlogcheck"
    built = subprocess.run(
        [GO, "build", "-o", program, "."], cwd=Path(__file__).parents[1] / "oracles" / "tlogcheck", capture_output=True, text=True,
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), "GO111MODULE": "off", "GOPATH": "/usr/share/gocode",
             "GOFLAGS": "", "GOPROXY": "off"})
    assert built.returncode == 0, built.stderr
    indexes = [0, 1, 255, 256, 257, ENTRIES // 2, checkpoint.size - 1]
    told = subprocess.run([program, served.url + "/log", large.signer.vkey.serialize(), *map(str, indexes)],
                          capture_output=True, text=True, timeout=1200)
    assert told.returncode == 0, told.stderr
    found = json.loads(told.stdout)
    assert (found["size"], base64.b64decode(found["root"])) == (checkpoint.size, checkpoint.root_hash)
    for index in indexes:
        ours = requests.get(f"{served.url}/log/proof/{index}", timeout=10).text.split("\n\n")[0].split("\n")[3:]
        assert found["inclusion"][str(index)] == ours
    # It would not say so of a log whose key is another's.
    stranger = signing.PlainEd25519Signer(ORIGIN, Ed25519PrivateKey.generate()).vkey.serialize()
    assert subprocess.run([program, served.url + "/log", stranger], capture_output=True, timeout=60).returncode != 0


def test_statements_signed_one_by_one(large, served, binary):
    count = max(500, ENTRIES // 40)
    before = watched(large, served.url + "/log")[1].size
    sent = subprocess.run([binary, "bench", "submissions", "--to", served.url, "--key", large.folder / "submitter.key",
                           "--entries", str(count)], capture_output=True, text=True, timeout=600)
    assert sent.returncode == 0, sent.stderr
    print(sent.stdout)
    assert re.search(r"added: \d+ per s", sent.stdout)
    for _ in range(200):
        reader = TilesReader(HttpBackend(served.url + "/log"))
        if (size := reader.get_checkpoint().size) >= before + count:
            break
    assert size == before + count
    assert reader.get_entry(size - 1).decode().count("bench.example") == 0
    assert large.submitter.signer.vkey.serialize().split("+")[0] in reader.get_entry(size - 1).decode()


def test_disk_space_is_told(large):
    used = sum(file.stat().st_size for file in large.data.rglob("*") if file.is_file())
    print(f"{used / ENTRIES:.0f} bytes of disk for an entry, its index, its line of the register and the tiles")
    shutil.rmtree(large.data)
