"""Firmware for devices: a TUF repository that python-tuf's client updates from, and attacks on it that the client refuses."""

# Clauses: none: TUF, not NGSI-LD

import datetime
import functools
import http.client
import http.server
import json
import shutil
import subprocess
import threading

import pytest
import requests
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from securesystemslib.signer import CryptoSigner
from tuf.api.exceptions import (BadVersionNumberError, DownloadError, ExpiredMetadataError, LengthOrHashMismatchError,
                                RepositoryError, UnsignedMetadataError)
from tuf.api.metadata import Metadata, Root, Snapshot, Targets, Timestamp
from tuf.ngclient import Updater


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


class Publisher:
    def __init__(self, binary, folder):
        self.binary, self.repository, self.keys = binary, folder / "repository", folder / "keys"
        self.run("init")
        self.server = http.server.ThreadingHTTPServer(
            ("127.0.0.1", 0), functools.partial(Quiet, directory=str(self.repository)))
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def run(self, *arguments, code=0):
        places = ["--repository", self.repository, "--keys", self.keys]
        done = subprocess.run([self.binary, "firmware", arguments[0], *map(str, places), *map(str, arguments[1:])],
                              capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == code, done
        return done

    def add(self, path, content, *options):
        file = self.repository.parent / "content"
        file.write_bytes(content)
        self.run("add", file, "--as", path, *options)

    def path(self, role):
        """The newest metadata of a role."""
        if role == "timestamp":
            return self.repository / "metadata" / "timestamp.json"
        versions = [int(file.name.split(".")[0]) for file in (self.repository / "metadata").glob(f"*.{role}.json")]
        return self.repository / "metadata" / f"{max(versions)}.{role}.json"

    def load(self, role):
        return Metadata.from_file(str(self.path(role)))

    def signers(self, role):
        """The role's keys, as a thief would use them."""
        for file in sorted(self.keys.glob(f"{role}-*.pem")):
            yield CryptoSigner(load_pem_private_key(file.read_bytes(), None))

    def copy(self, to):
        shutil.rmtree(to, ignore_errors=True)
        shutil.copytree(self.repository, to)

    def restore(self, saved):
        shutil.rmtree(self.repository)
        shutil.copytree(saved, self.repository)


class Device:
    """python-tuf's client with its memory."""

    def __init__(self, publisher, folder, root):
        self.publisher, self.folder, self.root = publisher, folder, root
        (folder / "files").mkdir(parents=True)
        self.after = datetime.timedelta()

    def updater(self):
        made = Updater(str(self.folder / "metadata"), self.publisher.url + "/metadata/", str(self.folder / "files"),
                       self.publisher.url + "/targets/", bootstrap=self.root)
        made._trusted_set.reference_time += self.after
        return made

    def refresh(self):
        self.updater().refresh()

    def get(self, path):
        updater = self.updater()
        info = updater.get_targetinfo(path)
        if info is None:
            return None
        with open(updater.download_target(info, str(self.folder / "files" / "it")), "rb") as file:
            return file.read()


@pytest.fixture
def publisher(binary, tmp_path):
    made = Publisher(binary, tmp_path)
    yield made
    made.server.shutdown()


@pytest.fixture
def device(publisher, tmp_path):
    return Device(publisher, tmp_path / "device", (publisher.repository / "metadata" / "1.root.json").read_bytes())


def test_a_device_updates(publisher, device):
    assert device.get("noise/v1.bin") is None
    publisher.add("noise/v1.bin", b"first" * 1000, "--custom", "hardware=n17", "--custom", "version=1")
    publisher.add("settings.json", b'{"every": 60}')
    assert device.get("noise/v1.bin") == b"first" * 1000
    assert device.updater().get_targetinfo("noise/v1.bin").custom == {"hardware": "n17", "version": "1"}
    publisher.add("noise/v1.bin", b"fixed")
    assert device.get("noise/v1.bin") == b"fixed"
    publisher.run("remove", "noise/v1.bin")
    assert device.get("noise/v1.bin") is None and device.get("settings.json") == b'{"every": 60}'
    root = publisher.load("root").signed
    assert isinstance(root, Root) and root.consistent_snapshot and root.roles["root"].threshold == 2
    assert len(root.roles["root"].keyids) == 3
    for kind, role in [(Targets, "targets"), (Snapshot, "snapshot"), (Timestamp, "timestamp")]:
        metadata = publisher.load(role)
        assert isinstance(metadata.signed, kind) and not metadata.signed.is_expired()
        root.verify_delegate(role, metadata.signed_bytes, metadata.signatures)
    root.verify_delegate("root", publisher.load("root").signed_bytes, publisher.load("root").signatures)
    # What is signed over is what they sign over, whatever stands in it.
    odd = {"z": 'a "quoted" \\ word', "한글": "마당", "Z": "😀\ttab", "é": "", "ﬀ": "x=y"}
    publisher.add("odd", b"x", *(f"--custom={name}={value or '-'}" for name, value in odd.items()))
    assert device.get("odd") == b"x"
    assert device.updater().get_targetinfo("odd").custom == {name: value or "-" for name, value in odd.items()}
    assert publisher.keys.stat().st_mode and all(file.stat().st_mode & 0o077 == 0 for file in publisher.keys.iterdir())


def test_the_city_serves_a_repository_and_nothing_else(publisher, device, start, tmp_path):
    """What devices need of the folder, to everybody; the way out of it to nobody."""
    publisher.add("noise/v1.bin", b"first" * 100_000)
    secret = tmp_path / "secret"
    secret.write_text("secret", encoding="utf-8")
    (publisher.repository / "notes.txt").write_text("secret", encoding="utf-8")
    (publisher.repository / "metadata" / "link.json").symlink_to(secret)
    (publisher.repository / "targets" / "out").symlink_to(tmp_path)
    (publisher.repository / "targets" / ".hidden").write_text("secret", encoding="utf-8")
    city = start("--empty", "--firmware", publisher.repository)
    device.publisher = type("City", (), {"url": city.url + "/firmware"})()
    assert device.get("noise/v1.bin") == b"first" * 100_000
    publisher.add("noise/v1.bin", b"second")
    assert device.get("noise/v1.bin") == b"second"
    answer = requests.get(city.url + "/firmware/metadata/timestamp.json", timeout=10)
    assert answer.content == publisher.path("timestamp").read_bytes()
    assert (answer.headers["Content-Type"], answer.headers["Cache-Control"]) == ("application/json", "no-cache")
    host, port = city.url.removeprefix("http://").split(":")
    for path in ["", "/", "metadata", "metadata/", "metadata//timestamp.json", "notes.txt", "metadata/../notes.txt", "metadata/./x",
                 "metadata/..%2fnotes.txt", "metadata/%2e%2e/notes.txt", "targets/..%5c..%5csecret", "metadata/link.json", "targets/out/secret",
                 "targets/.hidden", "targets/../../secret", "../version", "targets/out/keys", "metadata/timestamp.json%00", "targets",
                 "metadata/timestamp.json/", "metadata/" + "a" * 5000, "%6detadata/timestamp.json"]:
        # As it stands: clients tidy paths up.
        connection = http.client.HTTPConnection(host, int(port), timeout=10)
        connection.request("GET", "/firmware/" + path)
        answered = connection.getresponse()
        body = answered.read()
        assert answered.status in (400, 404, 414) and b"secret" not in body.replace(b"secret\"", b""), (path, answered.status, body)
        connection.close()
    for method in ("POST", "PUT", "DELETE"):
        assert requests.request(method, city.url + "/firmware/metadata/timestamp.json", timeout=10).status_code in (404, 405)


def test_a_city_without_the_repository_it_was_promised_does_not_start(binary, tmp_path):
    done = subprocess.run([binary, "up", "--empty", "--firmware", tmp_path, "--port", "0"], capture_output=True, text=True, timeout=30)
    assert done.returncode != 0 and "no firmware repository" in done.stderr


def test_what_cannot_be_published_is_said(publisher, tmp_path):
    (tmp_path / "content").write_bytes(b"x")
    for path in ["../out", "/etc/x", "a//b", ".hidden", "a/../b", "naïve", "a b"]:
        assert "path" in publisher.run("add", tmp_path / "content", "--as", path, code=64).stderr
    assert "not published" in publisher.run("remove", "nothing", code=64).stderr
    assert "already" in publisher.run("init", code=64).stderr
    aside = tmp_path / "aside"
    publisher.keys.rename(aside)
    publisher.keys.mkdir()
    assert "1 keys of 1, and 0 are here" in publisher.run("publish", code=64).stderr


def test_rollback_is_refused(publisher, device, tmp_path):
    publisher.add("a", b"1")
    publisher.copy(tmp_path / "old")
    publisher.add("a", b"2")
    assert device.get("a") == b"2"
    publisher.restore(tmp_path / "old")
    with pytest.raises(BadVersionNumberError):
        device.get("a")


def test_freeze_is_noticed(publisher, device):
    publisher.add("a", b"1")
    assert device.get("a") == b"1"
    device.after = datetime.timedelta(days=8)
    with pytest.raises(ExpiredMetadataError):
        device.get("a")
    # Signed anew in time, it goes on; nine days on the next one is old.
    device.after = datetime.timedelta(days=6)
    publisher.run("publish")
    assert device.get("a") == b"1"


def test_mix_and_match_is_refused(publisher, device, tmp_path):
    publisher.add("a", b"1")
    old = publisher.path("targets").read_bytes()
    publisher.add("a", b"2")
    publisher.path("targets").write_bytes(old)
    with pytest.raises((LengthOrHashMismatchError, RepositoryError)):
        device.get("a")
    # The publisher does not build on it either.
    assert "not what it was" in publisher.run("publish", code=64).stderr


def test_wrong_signatures_are_refused(publisher, device, tmp_path):
    publisher.add("a", b"1")
    good = publisher.path("timestamp").read_bytes()
    forged = json.loads(good)
    forged["signed"]["version"] += 1
    publisher.path("timestamp").write_bytes(json.dumps(forged).encode())
    with pytest.raises(UnsignedMetadataError):
        device.refresh()
    assert "not signed" in publisher.run("publish", code=64).stderr
    # By the key of another role.
    other = Metadata.from_bytes(good)
    other.signed.version += 1
    other.sign(next(publisher.signers("snapshot")))
    other.to_file(str(publisher.path("timestamp")))
    with pytest.raises(UnsignedMetadataError):
        device.refresh()
    publisher.path("timestamp").write_bytes(good)
    assert device.get("a") == b"1"
    # A root that one key of three has signed.
    root = publisher.load("root")
    root.signed.version += 1
    root.signatures.clear()
    root.sign(next(publisher.signers("root")))
    root.to_file(str(publisher.repository / "metadata" / "2.root.json"))
    with pytest.raises(UnsignedMetadataError):
        device.refresh()


def test_files_that_are_not_what_was_signed_are_refused(publisher, device):
    publisher.add("a", b"12345")
    file = next((publisher.repository / "targets").iterdir())
    file.write_bytes(b"54321")
    with pytest.raises(LengthOrHashMismatchError):
        device.get("a")
    file.write_bytes(b"12345" * 100_000)
    with pytest.raises((DownloadError, LengthOrHashMismatchError)):
        device.get("a")
    # Endless metadata.
    publisher.path("timestamp").write_bytes(b" " * 100_000)
    with pytest.raises(DownloadError):
        device.refresh()


def test_keys_are_changed_and_a_fast_forward_is_undone(publisher, device, tmp_path):
    publisher.add("a", b"1")
    # A thief with the keys of snapshot and timestamp runs ahead, so that nothing true is ever new again.
    publisher.copy(tmp_path / "true")
    snapshot, timestamp = publisher.load("snapshot"), publisher.load("timestamp")
    snapshot.signed.version = 2_000_000_000
    snapshot.sign(next(publisher.signers("snapshot")))
    snapshot.to_file(str(publisher.repository / "metadata" / "2000000000.snapshot.json"))
    meta = timestamp.signed.snapshot_meta
    meta.version, meta.length, meta.hashes, timestamp.signed.version = 2_000_000_000, None, None, 2_000_000_000
    timestamp.sign(next(publisher.signers("timestamp")))
    timestamp.to_file(str(publisher.path("timestamp")))
    device.refresh()
    publisher.restore(tmp_path / "true")
    publisher.add("a", b"2")
    with pytest.raises(BadVersionNumberError):
        device.get("a")
    # New keys let the device begin anew.
    publisher.run("rotate", "timestamp")
    publisher.run("rotate", "snapshot")
    publisher.run("rotate", "targets")
    assert device.get("a") == b"2"
    # Each of the root's keys in turn: every root is signed by two of the one before.
    for _ in range(3):
        old = publisher.load("root").signed.roles["root"].keyids
        publisher.run("rotate", "root", "--replacing", old[0])
        publisher.add("a", b"3")
    assert device.get("a") == b"3"
    assert publisher.load("root").signed.version == 7
    assert "say which key goes" in publisher.run("rotate", "root", code=64).stderr
    # A device that was away all the time, and one that has an old root only.
    late = Device(publisher, tmp_path / "late", device.root)
    assert late.get("a") == b"3"
    # The thief's key is worth nothing now.
    timestamp = publisher.load("timestamp")
    timestamp.signed.version += 1
    timestamp.signatures.clear()
    timestamp.sign(list(publisher.signers("targets"))[0])
    timestamp.to_file(str(publisher.path("timestamp")))
    with pytest.raises(UnsignedMetadataError):
        late.refresh()


def test_a_change_of_keys_that_was_cut_off_is_ended(publisher, device, tmp_path):
    publisher.add("a", b"1")
    publisher.copy(tmp_path / "before")
    publisher.run("rotate", "timestamp")
    root = (publisher.repository / "metadata" / "2.root.json").read_bytes()
    publisher.restore(tmp_path / "before")
    (publisher.repository / "metadata" / "2.root.json").write_bytes(root)
    with pytest.raises(RepositoryError):
        device.refresh()
    publisher.run("publish")
    assert device.get("a") == b"1"
