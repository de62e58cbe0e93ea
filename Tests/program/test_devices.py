"""Devices with certificates: enrolment, TLS, revocation and brokers, with openssl, curl and mosquitto as the devices."""

# Clauses: none: X.509, EST and MQTT, not NGSI-LD

import base64
import datetime
import json
import os
import shutil
import stat
import subprocess
import time
import uuid

import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import pkcs7
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError
from test_evidence import MANIFEST
from test_mqtt import BROKER, Broker, free_port

TOOLS = ["openssl", "curl"]
pytestmark = pytest.mark.skipif(not all(map(shutil.which, TOOLS)), reason="devices: no openssl or curl; make setup")

DEVICE = "urn:ngsi-ld:Device:noise-17"


def run(*command, code=0, text=None, seconds=120):
    done = subprocess.run([str(word) for word in command], capture_output=True, input=text, check=False, timeout=seconds)
    assert code is None or done.returncode == code, (command, done.stdout, done.stderr)
    return done


class Trust:
    """A city that knows devices by their certificates, and a folder for its clients' files."""

    def __init__(self, start, folder, *options, what=("--empty",)):
        self.what = what
        self.folder = folder
        self.data = folder / "city"
        self.port, self.tls = free_port(), free_port()
        self.start, self.options = start, options
        self.up()

    def up(self):
        self.city = self.start(*self.what, "--data", self.data, "--port", str(self.port), "--tls-port", str(self.tls),
                               *self.options)
        self.ca = self.data / "devices" / "chain.pem"
        self.url = f"https://localhost:{self.tls}"
        for _ in range(100):
            if self.curl("/version").returncode == 0:
                return
            time.sleep(0.05)
        raise AssertionError("nothing answers on the port for TLS")

    def curl(self, path, *options):
        return run("curl", "-sS", "--cacert", self.ca, *options, self.url + path, code=None)

    def expect(self, ident=DEVICE, tenant="north", agency="Environment", code=201):
        body = {"id": ident, "agency": agency} | ({"tenant": tenant} if tenant else {})
        answer = requests.post(f"{self.city.url}/admin/devices", json=body, timeout=20)
        assert answer.status_code == code, answer.text
        return (answer.json()["name"], answer.json()["secret"]) if code == 201 else answer.json()

    def revoke(self, name, reason="keyCompromise"):
        answer = requests.post(f"{self.city.url}/admin/devices/revoke", json={"name": name, "reason": reason}, timeout=20)
        assert answer.status_code == 204, answer.text

    def key(self, name="device"):
        file = self.folder / f"{name}.key"
        run("openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", file)
        return file

    def request(self, key, *options, subject="/"):
        """A signing request in Base64, as openssl makes it."""
        made = run("openssl", "req", "-new", "-key", key, "-subj", subject, "-outform", "DER", *options).stdout
        file = self.folder / "request.b64"
        file.write_bytes(base64.encodebytes(made))
        return file

    def post(self, path, request, *options, kind="application/pkcs10"):
        """Status, headers and body of an answer of the enrolment server."""
        done = self.curl("/.well-known/est/" + path, "-i", "-H", f"Content-Type: {kind}", "--data-binary",
                         f"@{request}", *options)
        assert done.returncode == 0, done.stderr
        head, _, body = done.stdout.partition(b"\r\n\r\n")
        return int(head.split()[1]), head.decode(), body

    def enrolled(self, ident=DEVICE, tenant="north", file="device"):
        """Files with key and certificate of a device that has just enrolled."""
        name, secret = self.expect(ident, tenant)
        key = self.key(file)
        code, _, body = self.post("simpleenroll", self.request(key), "-u", f"{name}:{secret}")
        assert code == 200, body
        return key, self.keep(body, file)

    def keep(self, body, file):
        """The certificate in a certs-only answer, which openssl unpacks."""
        bag, target = self.folder / f"{file}.p7", self.folder / f"{file}.pem"
        bag.write_bytes(base64.b64decode(body))
        target.write_bytes(run("openssl", "pkcs7", "-inform", "DER", "-in", bag, "-print_certs").stdout)
        return target

    def revocations(self):
        answer = requests.get(f"{self.city.url}/devices/revoked.crl", timeout=20)
        assert answer.headers["Content-Type"] == "application/pkix-crl"
        return x509.load_der_x509_crl(answer.content)


@pytest.fixture
def trust(start, tmp_path):
    return Trust(start, tmp_path)


def load(file):
    return x509.load_pem_x509_certificate(file.read_bytes())


def test_the_authority_is_made_once_and_kept_from_others(trust):
    folder = trust.data / "devices"
    for name in ["root.pem", "issuing.pem", "city.pem"]:
        assert stat.S_IMODE(os.stat(folder / name).st_mode) == 0o600, name
    before = (folder / "issuing.pem").read_bytes()
    run("openssl", "verify", "-x509_strict", "-CAfile", trust.ca, trust.ca)
    trust.city.stop()
    trust.up()
    assert (folder / "issuing.pem").read_bytes() == before
    # A damaged authority is not replaced by another.
    trust.city.stop()
    (folder / "root.pem").write_bytes((folder / "root.pem").read_bytes()[:200])
    command = [trust.city.process.args[0], "up", "--empty", "--data", trust.data, "--tls-port", "0"]
    done = run(*command, code=None)
    assert done.returncode != 0 and b"root.pem is damaged" in done.stderr


def test_a_device_enrols_with_its_secret_once(trust):
    done = trust.curl("/.well-known/est/cacerts", "-i")
    head, _, body = done.stdout.partition(b"\r\n\r\n")
    assert b"Content-Type: application/pkcs7-mime" in head and b"Content-Transfer-Encoding: base64" in head
    given = pkcs7.load_der_pkcs7_certificates(base64.b64decode(body))
    assert {one.subject for one in given} == {one.subject for one in x509.load_pem_x509_certificates(trust.ca.read_bytes())}
    attributes = base64.b64decode(trust.curl("/.well-known/est/csrattrs").stdout)
    (trust.folder / "attributes").write_bytes(attributes)
    parsed = run("openssl", "asn1parse", "-inform", "DER", "-in", trust.folder / "attributes").stdout
    assert b"prime256v1" in parsed and b"ecdsa-with-SHA256" in parsed

    name, secret = trust.expect()
    key = trust.key()
    request = trust.request(key)
    assert trust.post("simpleenroll", request)[0] == 401
    code, head, _ = trust.post("simpleenroll", request, "-u", f"{name}:{secret[::-1]}")
    assert code == 401 and "WWW-Authenticate: Basic" in head
    code, head, body = trust.post("simpleenroll", request, "-u", f"{name}:{secret}")
    assert code == 200 and "smime-type=certs-only" in head, body
    file = trust.keep(body, "device")
    assert trust.post("simpleenroll", request, "-u", f"{name}:{secret}")[0] == 401  # it was good for once

    run("openssl", "verify", "-x509_strict", "-purpose", "sslclient", "-CAfile", trust.ca, file)
    run("openssl", "verify", "-purpose", "sslserver", "-CAfile", trust.ca, file, code=2)
    certificate = load(file)
    uris = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert uris.get_values_for_type(x509.UniformResourceIdentifier) == [DEVICE]
    names = {one.oid: one.value for one in certificate.subject}
    assert names == {NameOID.ORGANIZATION_NAME: "north", NameOID.ORGANIZATIONAL_UNIT_NAME: "Environment",
                     NameOID.COMMON_NAME: f"north/{DEVICE}"}
    usages = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(usages) == [ExtendedKeyUsageOID.CLIENT_AUTH]
    points = certificate.extensions.get_extension_for_class(x509.CRLDistributionPoints).value
    assert points[0].full_name[0].value == f"{trust.city.url}/devices/revoked.crl"
    assert certificate.serial_number.bit_length() > 120
    assert certificate.not_valid_after_utc - certificate.not_valid_before_utc < datetime.timedelta(days=7, minutes=10)
    assert certificate.public_key().public_numbers() == serialization.load_pem_private_key(
        key.read_bytes(), None).public_key().public_numbers()
    # Another library builds and checks the chain by its own rules.
    root, issuing = sorted(x509.load_pem_x509_certificates(trust.ca.read_bytes()), key=lambda one: one.issuer != one.subject)
    verifier = PolicyBuilder().store(Store([root])).build_client_verifier()
    verified = verifier.verify(certificate, [issuing])
    assert [one.value for one in verified.subjects] == [DEVICE]
    with pytest.raises(VerificationError):
        verifier.verify(certificate, [])


def test_requests_that_must_not_be_granted(trust):
    name, secret = trust.expect()
    other = "urn:ngsi-ld:Device:other"

    def refused(request, code, words):
        got, _, body = trust.post("simpleenroll", request, "-u", f"{name}:{secret}")
        assert got == code and words in body.decode(), (got, body)

    key = trust.key()
    refused(trust.request(key, subject=f"/CN=north/{other}".replace("north/", "north\\/")), 403, "subject")
    refused(trust.request(key, subject="/O=south"), 403, "subject")
    refused(trust.request(key, "-addext", f"subjectAltName=URI:{other}"), 403, "alternative name")
    refused(trust.request(key, "-addext", f"subjectAltName=URI:{DEVICE},DNS:city.example"), 403, "alternative name")
    refused(trust.request(key, "-addext", "basicConstraints=critical,CA:TRUE"), 403, "authorities")
    refused(trust.request(key, "-addext", "extendedKeyUsage=serverAuth"), 403, "clients only")
    rsa = trust.folder / "rsa.key"
    run("openssl", "genrsa", "-out", rsa, "2048")
    refused(trust.request(rsa), 400, "P-256")
    large = trust.folder / "large.key"
    run("openssl", "ecparam", "-name", "secp384r1", "-genkey", "-noout", "-out", large)
    refused(trust.request(large), 400, "P-256")
    # Signed by another key than the one in it.
    good = bytearray(base64.b64decode(trust.request(key).read_bytes()))
    good[-1] ^= 1
    forged = trust.folder / "forged"
    forged.write_bytes(base64.encodebytes(bytes(good)))
    refused(forged, 400, "signature")
    for content in [b"", b"no base64 !", base64.encodebytes(b"\x30\x80" * 50), b"A" * 40_000]:
        forged.write_bytes(content)
        refused(forged, 400, "signing request")
    assert trust.post("simpleenroll", trust.request(key), "-u", f"{name}:{secret}", kind="text/plain")[0] == 400
    assert trust.post("simplereenroll", trust.request(key))[0] == 401
    assert trust.post("nothing", trust.request(key))[0] == 404
    # None of it used the secret up.
    assert trust.post("simpleenroll", trust.request(key), "-u", f"{name}:{secret}")[0] == 200
    # Only over TLS.
    plain = requests.get(f"{trust.city.url}/.well-known/est/cacerts", timeout=20)
    assert plain.status_code == 422 or plain.status_code == 400, plain.text
    for bad in ["noise", "urn:x:", "urn:a:b/c", "urn:a:#", "urn:ngsi-ld:" + "x" * 60]:
        trust.expect(bad, code=400)
    trust.expect(agency="Police", code=409)


def test_a_device_renews_with_its_certificate(trust):
    key, file = trust.enrolled()
    mine = ["--cert", file, "--key", key]
    renewed = trust.key("renewed")
    # As openssl makes a request out of a certificate: the same subject and alternative name (RFC 7030 section 4.2.2).
    text = run("openssl", "x509", "-x509toreq", "-in", file, "-signkey", key, "-copy_extensions", "copy").stdout
    old = trust.folder / "old.csr"
    old.write_bytes(text)
    code, _, body = trust.post("simplereenroll", old, *mine)
    assert code == 200, body
    assert load(trust.keep(body, "same")).subject == load(file).subject
    code, _, body = trust.post("simplereenroll", trust.request(renewed), *mine)
    assert code == 200
    second = trust.keep(body, "renewed")
    run("openssl", "verify", "-CAfile", trust.ca, second)
    assert load(second).serial_number != load(file).serial_number
    # The new one is good for the next.
    assert trust.post("simpleenroll", trust.request(renewed), "--cert", second, "--key", renewed)[0] == 200
    listed = requests.get(f"{trust.city.url}/admin/devices", timeout=20).json()
    assert [(one["name"], one["state"], len(one["certificates"])) for one in listed] == [(f"north/{DEVICE}", "enrolled", 4)]
    trust.expect("urn:ngsi-ld:Device:b")
    page = requests.get(f"{trust.city.url}/admin/devices?limit=1&offset=1&count=true", timeout=20)
    assert [one["state"] for one in page.json()] == ["enrolled"] and page.headers["NGSILD-Results-Count"] == "2"
    listed = requests.get(f"{trust.city.url}/admin/devices", timeout=20).json()
    # What was issued is known after a crash.
    trust.city.kill()
    trust.up()
    assert requests.get(f"{trust.city.url}/admin/devices", timeout=20).json() == listed
    assert trust.post("simplereenroll", trust.request(key), *mine)[0] == 200


def test_what_is_revoked_is_worth_nothing(trust):
    key, file = trust.enrolled()
    mine = ["--cert", file, "--key", key]
    good_key, good = trust.enrolled("urn:ngsi-ld:Device:good", file="good")
    empty = trust.revocations()
    assert len(empty) == 0
    assert trust.curl("/version", *mine).returncode == 0
    trust.revoke(f"north/{DEVICE}")
    for path in ["/version", "/ngsi-ld/v1/types", "/.well-known/est/cacerts"]:
        answer = trust.curl(path, "-w", "%{http_code}", *mine).stdout
        assert answer.endswith(b"403") and b"revoked" in answer
    assert trust.post("simplereenroll", trust.request(key), *mine)[0] == 403
    listed = trust.revocations()
    issuing = next(one for one in x509.load_pem_x509_certificates(trust.ca.read_bytes()) if one.issuer != one.subject)
    assert listed.is_signature_valid(issuing.public_key()) and listed.issuer == issuing.subject
    entry = listed.get_revoked_certificate_by_serial_number(load(file).serial_number)
    assert entry.extensions.get_extension_for_class(x509.CRLReason).value.reason == x509.ReasonFlags.key_compromise
    assert listed.get_revoked_certificate_by_serial_number(load(good).serial_number) is None
    number = [one.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number for one in (empty, listed)]
    assert number[0] < number[1]
    assert listed.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value.key_identifier == (
        issuing.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest)
    # openssl reads the file that brokers get.
    file_list = trust.data / "devices" / "revoked.pem"
    for _ in range(100):
        if x509.load_pem_x509_crl(file_list.read_bytes()) == listed:
            break
        time.sleep(0.05)
    check = ["openssl", "verify", "-crl_check", "-CRLfile", file_list, "-CAfile", trust.ca]
    assert b"certificate revoked" in run(*check, file, code=2).stderr
    run(*check, good)
    # It is remembered, and a new secret lets the device in again, with another certificate.
    trust.city.kill()
    trust.up()
    assert trust.curl("/version", "-w", "%{http_code}", *mine).stdout.endswith(b"403")
    assert trust.curl("/version", "-w", "%{http_code}", "--cert", good, "--key", good_key).stdout.endswith(b"200")
    assert trust.revocations().extensions.get_extension_for_class(x509.CRLNumber).value.crl_number > number[1]
    key, file = trust.enrolled(file="again")
    assert trust.curl("/version", "-w", "%{http_code}", "--cert", file, "--key", key).stdout.endswith(b"200")
    run(*check, file)


def handmade(trust, issuer_key, issuer_name, name=f"north/{DEVICE}", days=1, ago=0):
    """A certificate that the test makes, as a forger would; with the issuing key, one that has run out."""
    key = ec.generate_private_key(ec.SECP256R1())
    end = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=ago) + datetime.timedelta(days=days)
    made = (x509.CertificateBuilder().subject_name(x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, "north"),
                                                              x509.NameAttribute(NameOID.COMMON_NAME, name)]))
            .issuer_name(issuer_name).public_key(key.public_key()).serial_number(x509.random_serial_number())
            .not_valid_before(end - datetime.timedelta(days=days + 1)).not_valid_after(end)
            .add_extension(x509.SubjectAlternativeName([x509.UniformResourceIdentifier(DEVICE)]), critical=False)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
            .sign(issuer_key, hashes.SHA256()))
    files = trust.folder / "hand.pem", trust.folder / "hand.key"
    files[0].write_bytes(made.public_bytes(serialization.Encoding.PEM))
    files[1].write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                                           serialization.NoEncryption()))
    return ["--cert", files[0], "--key", files[1]]


def issuing(trust):
    text = (trust.data / "devices" / "issuing.pem").read_bytes()
    return serialization.load_pem_private_key(text, None), x509.load_pem_x509_certificate(text).subject


def test_certificates_of_others_and_old_ones_get_no_connection(trust):
    key, name = issuing(trust)
    assert trust.curl("/version", *handmade(trust, key, name)).returncode == 0
    assert trust.curl("/version", *handmade(trust, key, name, ago=2)).returncode != 0
    assert trust.curl("/version", *handmade(trust, ec.generate_private_key(ec.SECP256R1()), name)).returncode != 0
    stranger = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Other city issuing")])
    assert trust.curl("/version", *handmade(trust, ec.generate_private_key(ec.SECP256R1()), stranger)).returncode != 0
    # Names that do not agree.
    liar = handmade(trust, key, name, name=f"south/{DEVICE}")
    assert trust.curl("/version", "-w", "%{http_code}", *liar).stdout.endswith(b"403")


def test_the_api_and_the_pages_answer_over_tls(trust):
    api = f"{trust.url}/ngsi-ld/v1/entities"
    session = requests.Session()
    session.trust_env = False  # else a bundle of the environment would outweigh the next line
    session.verify = str(trust.ca)
    entities = [{"id": f"urn:ngsi-ld:T:{n}", "type": "T", "name": {"type": "Property", "value": "x" * 2000}}
                for n in range(200)]
    for entity in entities:
        assert session.post(api, json=entity, timeout=20).status_code == 201
    assert len(session.get(api, params={"type": "T", "limit": 200}, timeout=20).json()) == 200
    assert session.get(trust.url + "/", timeout=20).headers["Content-Type"].startswith("text/html")
    # TLS 1.1 is refused.
    old = run("openssl", "s_client", "-connect", f"localhost:{trust.tls}", "-tls1_1", "-cipher", "ALL:@SECLEVEL=0",
              text=b"", code=None)
    assert old.returncode != 0
    # Something that is no TLS.
    with pytest.raises(requests.exceptions.ConnectionError):
        requests.get(f"http://localhost:{trust.tls}/version", timeout=20)
    assert session.get(trust.url + "/version", timeout=20).status_code == 200


def test_a_given_certificate_is_shown(trust, start, tmp_path):
    key = trust.folder / "own.key"
    certificate = trust.folder / "own.pem"
    run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", key,
        "-out", certificate, "-subj", "/CN=hub.example", "-addext", "subjectAltName=DNS:localhost", "-days", "2")
    folder = tmp_path / "own"
    folder.mkdir()
    other = Trust.__new__(Trust)
    other.folder, other.data, other.port, other.tls = folder, folder / "city", free_port(), free_port()
    other.city = start("--empty", "--data", other.data, "--tls-port", str(other.tls), "--tls-certificate", certificate,
                       "--tls-key", key)
    other.url, other.ca = f"https://localhost:{other.tls}", certificate
    for _ in range(100):
        if (done := other.curl("/version")).returncode == 0:
            break
        time.sleep(0.05)
    assert done.returncode == 0, done.stderr


RULES = """
@id("devices of the environment report noise")
permit(principal in Agency::"Environment", action == Action::"create", resource in EntityType::"NoiseLevelObserved");
"""


def test_rules_know_a_device_by_its_certificate(start, tmp_path):
    """Scope out of the certificate: agency and tenant decide what a device may do, on both ports and at every door."""
    (tmp_path / "rules.cedar").write_text(RULES, encoding="utf-8")
    manifest = tmp_path / "kept.city.yaml"
    manifest.write_text(MANIFEST, encoding="utf-8")
    trust = Trust(start, tmp_path, what=(manifest, "--mode", "simulated"))  # open, without rules
    key, file = trust.enrolled()
    mine = ["--cert", file, "--key", key]
    trust.city.stop()
    manifest.write_text(MANIFEST + "access:\n  rules: rules.cedar\n", encoding="utf-8")
    trust.city = start(manifest, "--data", trust.data, "--port", str(trust.port), "--tls-port", str(trust.tls))

    def create(kind, tenant, *options):
        entity = trust.folder / "entity"
        entity.write_text(json.dumps({"id": f"urn:ngsi-ld:{kind}:{uuid.uuid4()}", "type": kind}), encoding="utf-8")
        for _ in range(100):
            done = trust.curl("/ngsi-ld/v1/entities", "-w", "%{http_code}", "-H", "Content-Type: application/json", "-H",
                              f"NGSILD-Tenant: {tenant}", "--data-binary", f"@{entity}", *options)
            if done.returncode != 7:  # not there yet
                return int(done.stdout[-3:])
            time.sleep(0.05)
        raise AssertionError("the port for TLS does not answer")

    assert create("NoiseLevelObserved", "north", *mine) == 201
    assert create("NoiseLevelObserved", "south", *mine) == 403  # of another tenant
    assert create("Streetlight", "north", *mine) == 403
    assert create("NoiseLevelObserved", "north") == 401
    for path in ["/admin/devices", "/admin/dead-letters"]:
        assert trust.curl(path, "-w", "%{http_code}", *mine).stdout.endswith(b"403"), path
        assert trust.curl(path, "-w", "%{http_code}").stdout.endswith(b"401"), path
        assert requests.get(trust.city.url + path, timeout=20).status_code == 401
    # Enrolment has proofs of its own, and what a certificate is checked with is for all.
    assert trust.post("simplereenroll", trust.request(key), *mine)[0] == 200
    assert "Basic" in trust.post("simpleenroll", trust.request(key))[1]
    assert len(trust.revocations()) == 0


class TrustedBroker(Broker):
    """A mosquitto that runs as the city tells it to."""

    def __init__(self, binary, trust):
        self.trust, self.port = trust, free_port()
        folder = trust.folder / "broker"
        run(binary, "devices", "mosquitto-conf", "--data", trust.data, "--out", folder, "--port", self.port)
        self.conf = folder / "mosquitto.conf"
        text = self.conf.read_text(encoding="utf-8").replace(f"listener {self.port}", f"listener {self.port} 127.0.0.1")
        self.conf.write_text(text + "user root\npersistence false\n", encoding="utf-8")
        self.start()

    def client(self, program, *options):
        return [program, "-h", "localhost", "-p", str(self.port), "--cafile", str(self.trust.ca), *map(str, options)]

    def heard(self, topic, *options):
        """Whether the city hears what a device publishes on a topic."""
        city = self.trust.data / "devices" / "city.pem"
        mine = self.client("mosquitto_sub", "--cert", city, "--key", city, "-t", "#", "-C", "1", "-W", "3", "-d")
        listener = subprocess.Popen(["stdbuf", "-oL", *mine], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        while "SUBACK" not in (line := listener.stdout.readline()):
            assert line, "the city is not let in"
        run(*self.client("mosquitto_pub", "-t", topic, "-m", "57.5", "-q", "1", *options), code=None)
        said = listener.communicate(timeout=20)[0].splitlines()
        return "57.5" in said


@pytest.mark.skipif(not BROKER, reason="devices: no mosquitto; make setup fetches it")
def test_a_broker_lets_each_device_publish_below_its_own_name(trust, binary):
    key, file = trust.enrolled()
    mine = ["--cert", file, "--key", key]
    south_key, south = trust.enrolled(tenant="south", file="south")
    default_key, default = trust.enrolled(tenant=None, file="default")
    issuer, name = issuing(trust)
    broker = TrustedBroker(binary, trust)
    try:
        place = f"madang/north/{DEVICE}/noise"
        assert broker.heard(place, *mine)
        assert broker.heard(f"madang/-/{DEVICE}/noise", "--cert", default, "--key", default_key)
        assert not broker.heard("madang/north/urn:ngsi-ld:Device:other/noise", *mine)
        assert not broker.heard("elsewhere", *mine)
        # Of another tenant, without a certificate, of nobody's authority, run out.
        assert not broker.heard(place, "--cert", south, "--key", south_key)
        assert not broker.heard(place, "--cert", default, "--key", default_key)
        assert not broker.heard(place)
        assert not broker.heard(place, *handmade(trust, ec.generate_private_key(ec.SECP256R1()), name))
        assert broker.heard(place, *handmade(trust, issuer, name))
        assert not broker.heard(place, *handmade(trust, issuer, name, ago=2))
        trust.revoke(f"north/{DEVICE}")
        listed = trust.revocations()
        while x509.load_pem_x509_crl((trust.data / "devices" / "revoked.pem").read_bytes()) != listed:
            time.sleep(0.05)
        broker.stop()
        broker.start()
        assert not broker.heard(place, *mine)
        assert broker.heard(f"madang/south/{DEVICE}/noise", "--cert", south, "--key", south_key)
        # The city hears and is heard through the same broker.
        receiver = broker.client("mosquitto_sub", "--cert", south, "--key", south_key, "-t",
                                 f"madang/south/{DEVICE}/in/#", "-C", "1", "-W", "20", "-d")
        listener = subprocess.Popen(["stdbuf", "-oL", *receiver], stdout=subprocess.PIPE, text=True)
        while "SUBACK" not in (line := listener.stdout.readline()):
            assert line, "the device is not let in"
        trust.city.stop()
        trust.options = ["--mqtt-authorities", trust.ca, "--mqtt-certificate", trust.data / "devices" / "city.pem"]
        trust.up()
        made = requests.post(f"{trust.city.api}/subscriptions", timeout=20, json={
            "type": "Subscription", "entities": [{"type": "T"}], "notification": {"endpoint": {
                "uri": f"mqtts://localhost:{broker.port}/madang/south/{DEVICE}/in/order", "accept": "application/json"}}})
        assert made.status_code == 201, made.text
        requests.post(f"{trust.city.api}/entities", timeout=20, json={
            "id": "urn:ngsi-ld:T:1", "type": "T", "order": {"type": "Property", "value": "open"}})
        said = listener.communicate(timeout=30)[0]
        assert "urn:ngsi-ld:T:1" in said, requests.get(f"{trust.city.api}/subscriptions", timeout=20).text
    finally:
        broker.stop()


@pytest.mark.skipif(not shutil.which("testssl"), reason="devices: no testssl; make setup fetches it")
def test_testssl_finds_nothing_above_low(trust):
    report = trust.folder / "testssl.json"
    # Protocols, suites, forward secrecy, preferences, certificate, headers, known weaknesses.
    run("testssl", "--quiet", "--warnings", "off", "--color", "0", "--nodns", "min", "-p", "-s", "-f", "-P", "-S", "-h", "-U",
        "--add-ca", trust.ca, "--jsonfile", report, "--ip", "127.0.0.1", f"localhost:{trust.tls}", code=None, seconds=600)
    found = json.loads(report.read_text(encoding="utf-8"))
    assert len(found) > 50, found
    above = [one for one in found if one["severity"] in ("MEDIUM", "HIGH", "CRITICAL", "FATAL")]
    assert not above, above
