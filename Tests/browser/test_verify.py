"""The page where a proof is checked, against `madang verify` and another implementation of the formats (tlog-scales)."""

import base64
import hashlib
import random
import re
import subprocess
import unicodedata

import pytest
from conftest import find_binary
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from test_pages import CONTRAST, FAULTS
from tlog_scales import signing, tlog
from tlog_scales.backend import LocalBackend
from tlog_scales.reader import TilesReader
from tlog_scales.writer import TilesWriter

ORIGIN = "도시.example/évidence"
STATEMENT = ('{"action":"read","actor":"hmac-sha256:AAAA","agency":"police","kind":"access","number":%d,'
             '"purpose":"missing-child","time":"2026-11-23T12:00:00.000Z","v":1}')
SIZES = {"desktop": (1440, 900), "phone": (360, 740)}


def b64(data):
    return base64.b64encode(data).decode()


class Agency:
    def __init__(self, name):
        self.private = Ed25519PrivateKey.generate()
        raw = b"\x04" + self.private.public_key().public_bytes_raw()
        self.id = hashlib.sha256(f"{name}\n".encode() + raw).digest()[:4]
        self.name = name
        self.vkey = f"{name}+{self.id.hex()}+{b64(raw)}"

    def line(self, text, time=1_795_000_000):
        signature = self.private.sign(f"cosignature/v1\ntime {time}\n{text}".encode())
        return f"— {self.name} {b64(self.id + time.to_bytes(8) + signature)}\n"


class Log:
    """A log that tlog-scales wrote, three agencies that saw it, and the treaty between them."""

    def __init__(self, folder):
        self.signer = signing.PlainEd25519Signer(ORIGIN, Ed25519PrivateKey.generate())
        self.agencies = [Agency(f"agency{number}.example/witness") for number in range(3)]
        self.leaves = [(STATEMENT % number).encode() for number in range(701)]
        writer = TilesWriter.create(folder, ORIGIN)
        for leaf in self.leaves:
            writer.add_leaf(leaf)
        writer.commit([self.signer], gc=False)
        self.reader = TilesReader(LocalBackend(folder))
        self.checkpoint = self.reader.get_checkpoint()
        self.text = self.checkpoint.serialize_body()
        self.policy = f"log {self.signer.vkey.serialize()}\n" + "".join(
            f"witness w{number} {one.vkey}\n" for number, one in enumerate(self.agencies)) + "group two 2 w0 w1 w2\nquorum two\n"

    def path(self, index):
        return [b64(one) for one in self.reader.get_inclusion_proof(index, self.checkpoint.size).node_hashes]

    def proof(self, index=417, witnesses=(0, 2), entry=None, text=None):
        text = text or self.text
        signature = signing.NoteSignature.from_vkey_signature(self.signer.vkey, self.signer.key.sign(text.encode()))
        return ("c2sp.org/tlog-proof@v1\n" + f"extra {b64(self.leaves[index] if entry is None else entry)}\n"
                + f"index {index}\n" + "".join(f"{one}\n" for one in self.path(index)) + f"\n{text}\n{signature.serialize()}\n"
                + "".join(self.agencies[one].line(text) for one in witnesses))


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    return Log(tmp_path_factory.mktemp("verify") / "log")


@pytest.fixture(scope="module")
def saved(server, browser, tmp_path_factory):
    """The page as one file on this disk, in each language, as the browser keeps it."""
    folder = tmp_path_factory.mktemp("saved")
    context = browser.new_context(locale="en-US")
    page = context.new_page()
    files = {}
    for language in ("ko", "en"):
        page.goto(f"{server}/verify?lang={language}")
        with page.expect_download() as download:
            page.click("a[download]")
        files[language] = folder / download.value.suggested_filename
        download.value.save_as(files[language])
        assert page.inner_text("code.print") == hashlib.sha256(files[language].read_bytes()).hexdigest()
    context.close()
    return files


class Page:
    """The page with files in its fields; it may speak to nobody."""

    def __init__(self, browser, address, language="en", size=(1280, 900), dark=False, offline=True, script=None):
        self.context = browser.new_context(locale="ko-KR" if language == "ko" else "en-US", reduced_motion="reduce",
                                           viewport={"width": size[0], "height": size[1]},
                                           color_scheme="dark" if dark else "light")
        if script:
            self.context.add_init_script(script)
        self.page = self.context.new_page()
        self.faults = []
        self.page.on("pageerror", lambda error: self.faults.append(str(error)))
        self.page.on("console", lambda one: one.type in ("error", "warning") and self.faults.append(one.text))
        self.page.goto(address)
        self.page.wait_for_selector("body[data-ready]")
        self.requests = []
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.context.set_offline(offline)
        self.turn = 0

    def give(self, role, content, name=None):
        content = content.encode() if isinstance(content, str) else content
        self.page.set_input_files(f"#{role}-file", {"name": name or f"one.{role}", "mimeType": "", "buffer": content})

    def verdict(self):
        self.page.wait_for_selector(f"#result[data-turn='{self.turn}']")
        return self.page.get_attribute("#result", "data-verdict") == "proved"

    def judges(self, policy, proof):
        """Whether it believes; both files are new."""
        for role, content in (("policy", policy), ("proof", proof)):
            if getattr(self, role, None) != content:
                setattr(self, role, content)
                self.give(role, content)
                self.turn += 1
                self.page.wait_for_function(
                    "turn => document.getElementById('result').hidden || document.getElementById('result').dataset.turn === turn",
                    arg=str(self.turn))
        return self.verdict()

    def close(self):
        self.context.close()
        assert not self.requests, self.requests
        assert not self.faults, self.faults


def theirs(log, proof, thresholds=2):
    """What tlog-scales makes of a proof: it reads more loosely, and has the same arithmetic."""
    try:
        head, note = proof.decode().split("\n\n", 1)
        lines = head.split("\n")
        entry = base64.b64decode(lines[1].split(" ")[1])
        checkpoint = tlog.Checkpoint.from_text(note)
        if checkpoint.origin != ORIGIN:
            return False
        checkpoint.verify(log.signer.vkey)
        seen = 0
        for one in log.agencies:
            key = signing.Vkey.from_string(one.vkey)
            if any(key.match(signature) for signature in checkpoint.signatures):
                checkpoint.verify(key)
                seen += 1
        index = int(lines[2].split(" ")[1])
        tlog.InclusionProof(index, checkpoint.size, [base64.b64decode(one) for one in lines[3:]]).check(
            hashlib.sha256(b"\0" + entry).digest(), checkpoint.root_hash)
        return seen >= thresholds
    except (Exception, InvalidSignature):  # noqa: B014 - whatever it says no with
        return False


def mutants(log):
    """Proofs that are good, and proofs that are not quite: name, bytes, whether it is good (None: whatever they agree on)."""
    made = random.Random(20261123)
    good = log.proof()
    yield "as it is", good, True
    for index in (0, 1, 255, 256, 511, 512, 699, 700):
        yield f"entry {index}", log.proof(index), True
    yield "all witnesses", log.proof(witnesses=(0, 1, 2)), True
    yield "a stranger's signature", good + Agency("stranger.example").line(log.text), True
    yield "a witness twice", log.proof(witnesses=(0, 0, 2)), True
    yield "one witness", log.proof(witnesses=(1,)), False
    yield "one witness twice", log.proof(witnesses=(1, 1)), False
    yield "no witness", log.proof(witnesses=()), False
    yield "a witness of another checkpoint", good + log.agencies[1].line(log.text.replace("701", "702")), False
    yield "another entry", log.proof(entry=log.leaves[416]), False
    yield "an inner node as entry", log.proof(entry=b"\1" * 64), False
    yield "extensions", log.proof(text=log.text + "more\n"), True
    yield "another root", log.proof(text=log.text.replace(log.text.split("\n")[2], b64(bytes(32)))), False
    yield "a size that the path does not tell", log.proof(text=log.text.replace("701", "702")), None
    yield "a size above all", log.proof(text=log.text.replace("701", "9223372036854775808")), False
    yield "the origin spelled otherwise", log.proof(text=unicodedata.normalize("NFD", log.text)), False
    yield "all spelled otherwise", unicodedata.normalize("NFD", good), False
    yield "a time of its own", good.replace(log.agencies[0].line(log.text), log.agencies[0].line(log.text, 0)), True
    yield "a time above all", good.replace(log.agencies[0].line(log.text), log.agencies[0].line(log.text, 1 << 63)), False
    for place in ("\n\n", "\nindex ", "\n— ", " ", "@v1\n", "\nextra "):
        yield f"a combining mark after {place!r}", good.replace(place, place + "\u0301", 1), False
    for old, new in (("\n", "\r\n"), ("index 417", "index 0417"), ("index 417", "index +417"), ("index 417", "index 417 "),
                     ("index 417", "index ٤١٧"), ("index 417", "index 418"), ("index 417", "index 18446744073709552033"),
                     ("\n701\n", "\n0701\n"), ("\n701\n", "\n701 \n"), ("@v1", "@v2"), ("extra ", "extra  "), ("— ", "- "),
                     ("\n\n", "\n\n\n"), ("=\n", "\n"), ("=\n", "==\n"), ("extra ", "EXTRA "), ("c2sp", "\ufeffc2sp")):
        yield f"{old!r} as {new!r}", good.replace(old, new, 1), False
    yield "no last line break", good[:-1], False
    yield "one line break more", good + "\n", False
    yield "no UTF-8", good.encode().replace(b"c2sp", b"\xffc2sp"), False
    yield "a NUL", good.replace("index", "\0index"), False
    yield "nothing", "", False
    lines = good.splitlines(keepends=True)
    for place in range(len(lines)):
        yield f"line {place} gone", "".join(lines[:place] + lines[place + 1:]), False
        yield f"line {place} twice", "".join(lines[:place + 1] + lines[place:]), None
        if place + 1 < len(lines):
            yield f"line {place} after the next", "".join(lines[:place] + [lines[place + 1], lines[place]] + lines[place + 2:]), None
    whole = good.encode()
    for _ in range(120):
        at, bit = made.randrange(len(whole)), 1 << made.randrange(8)
        yield f"bit {bit} of byte {at}", whole[:at] + bytes([whole[at] ^ bit]) + whole[at + 1:], False
    # Base 64 that says the same bytes with other unused bits.
    for match in re.finditer(r"([A-Za-z0-9+/])=\n", good):
        letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
        other = letters[letters.index(match[1]) ^ 1]
        yield f"unused bits at {match.start()}", good[:match.start()] + other + good[match.start() + 1:], False


def policies(log):
    """Policies under which the good proof is judged: name, bytes."""
    good = log.policy
    names = ["w0", "w1", "w2"]
    yield "nobody asked", good.replace("quorum two", "quorum none")
    yield "one that did not sign", good.replace("quorum two", "quorum w1")
    yield "one that signed", good.replace("quorum two", "quorum w2")
    yield "all", good.replace("two 2", "two all")
    yield "any", good.replace("two 2", "two any")
    yield "groups of groups", good.replace("group two 2 w0 w1 w2\n", "group one any w0 w1\ngroup two all one w2\n")
    yield "tabs, comments, addresses", "# é\n\n \t\n" + good.replace(" ", "\t ").replace("\nwitness", " http://x\n\twitness", 1)
    yield "another log", good.replace(log.signer.vkey.serialize(), signing.PlainEd25519Signer(
        ORIGIN, Ed25519PrivateKey.generate()).vkey.serialize())
    yield "look-alike names", good.replace("w1", "\u00e9").replace("w2", "e\u0301")
    yield "look-alike names, all of them", good.replace("w1", "\u00e9").replace("w2", "e\u0301").replace("two 2", "two 3")
    for old, new in (("two 2", "two 0"), ("two 2", "two 4"), ("two 2", "two 02"), ("two 2", "two constructor"),
                     ("quorum two", "quorum three"), ("quorum two\n", ""), ("quorum two\n", "quorum two"), ("two 2", "none 2"),
                     ("group", "grup"), ("\n", "\r\n"), ("w0 w1 w2", "w0 w0 w2"), ("w0 w1 w2", "w0 w1 w9"), ("witness w1", "witness w0"),
                     ("log ", "log \u0301"), (" ", "\u00a0"), ("quorum two\n", "quorum two\nquorum two\n"), ("log ", "\x7flog "),
                     ("witness w0 ", "witness w0 x "), ("group two 2 ", "group two 2 two "), ("# ", "#\u0301"),
                     ("log ", "#\u0301 log x\nlog ")):
        yield f"{old!r} as {new!r}", good.replace(old, new, 1)
    for one in names:
        yield f"{one} left out of the group", good.replace(f" {one}\n", "\n").replace(f" {one} ", " ", 2)
    yield "no UTF-8", good.encode().replace(b"two", b"\xff")
    yield "nothing", ""


def weak(log):
    """A policy that trusts a point of order 4, and a proof with what passes for its signature by arithmetic alone."""
    key = b"\x04" + bytes(32)
    identity = hashlib.sha256(b"weak.example\n" + key).digest()[:4]
    policy = log.policy.replace("quorum two", f"witness w9 weak.example+{identity.hex()}+{b64(key)}\nquorum w9")
    for time in range(64):
        for point in (b"\1" + bytes(31), bytes(32), bytes(31) + b"\x80", b"\xec" + b"\xff" * 30 + b"\x7f"):
            signature = point + bytes(32)
            try:
                Ed25519PublicKey.from_public_bytes(key[1:]).verify(
                    signature, f"cosignature/v1\ntime {time}\n{log.text}".encode())
            except InvalidSignature:
                continue
            return policy, log.proof() + f"— weak.example {b64(identity + time.to_bytes(8) + signature)}\n"
    raise AssertionError("no such signature was found")


def test_it_decides_as_the_command_does(browser, log, saved, tmp_path):
    binary = find_binary()
    page = Page(browser, saved["en"].as_uri())
    policy_file, proof_file = tmp_path / "policy", tmp_path / "proof"

    def compare(name, policy, proof):
        policy, proof = ((one.encode() if isinstance(one, str) else one) for one in (policy, proof))
        policy_file.write_bytes(policy)
        proof_file.write_bytes(proof)
        verified = subprocess.run([binary, "verify", proof_file, "--policy", policy_file], capture_output=True, timeout=60)
        assert verified.returncode in (0, 64), verified.stderr
        said = page.judges(policy, proof)
        assert said == (verified.returncode == 0), (name, said, verified.stderr)
        return said, proof

    decided = {True: 0, False: 0}
    try:
        for name, proof, is_good in mutants(log):
            said, raw = compare(name, log.policy, proof)
            assert is_good is None or said == is_good, name
            # What stands in lines that tlog-scales does not look at, or how it is spelled, is nothing to it.
            if name != "extensions":
                assert not said or theirs(log, raw), name
            decided[said] += 1
        for name, policy in policies(log):
            decided[compare(name, policy, log.proof())[0]] += 1
        compare("a weak key", *weak(log))
        assert decided[True] >= 20 and decided[False] >= 250, decided
    finally:
        page.close()


@pytest.mark.parametrize("language", ["ko", "en"])
@pytest.mark.parametrize("place", ["served", "saved"])
def test_it_says_what_is_proved_and_what_is_not(browser, server, log, saved, shots, language, place):
    address = f"{server}/verify?lang={language}" if place == "served" else saved[language].as_uri()
    for dark in (False, True):
        page = Page(browser, address, language, SIZES["desktop"], dark=dark)
        one = page.page
        assert one.evaluate("document.documentElement.lang") == language
        for step in ("empty", "proved", "refused"):
            if step == "proved":
                page.give("policy", log.policy, "treaty.policy")
                page.give("proof", log.proof(), "417.tlog-proof")
                one.wait_for_selector("#result[data-verdict=proved]")
                said = one.inner_text("#result")
                for word in (ORIGIN, "w0, w2", "agency2.example/witness", "2026-11-18 11:06:40 UTC", "missing-child", "701"):
                    assert word in said, word
                assert one.inner_text("#verdict") == {"ko": "증명되었습니다", "en": "Proved"}[language]
                assert hashlib.sha256(log.policy.encode()).hexdigest() in said
                assert not one.is_visible("#city-warning")
            if step == "refused":
                page.give("proof", log.proof(witnesses=(1,)), "417.tlog-proof")
                one.wait_for_selector("#result[data-verdict=refused]")
                assert "w1" in one.inner_text("#verdict-text")
                assert not one.is_visible("#details")
            for size, (width, height) in SIZES.items():
                one.set_viewport_size({"width": width, "height": height})
                assert one.evaluate(FAULTS) == [], (step, size)
                assert one.evaluate(CONTRAST) == [], (step, size)
                assert one.evaluate("document.documentElement.scrollWidth") <= width, (step, size)
                if not dark:
                    one.screenshot(path=shots / f"verify-{place}-{step}-{language}-{size}.png", full_page=True)
        page.close()


def test_the_citys_own_policy_is_no_more_than_that(browser, server, log):
    page = Page(browser, f"{server}/verify?lang=en")
    page.give("proof", log.proof(), "417.tlog-proof")
    # By keyboard: from the field before it to the button.
    page.page.focus("#policy-file")
    page.page.keyboard.press("Tab")
    assert page.page.evaluate("document.activeElement.id") == "city-policy"
    page.page.keyboard.press("Enter")
    page.page.wait_for_selector("#result[data-verdict=refused]")
    assert page.page.is_visible("#city-warning")
    assert ORIGIN in page.page.inner_text("#verdict-text")
    page.give("policy", log.policy)
    page.page.wait_for_selector("#result[data-verdict=proved]")
    assert not page.page.is_visible("#city-warning")
    page.close()


def test_files_are_dropped_in_any_order(browser, saved, log):
    page = Page(browser, saved["en"].as_uri())
    bare = re.sub(r"extra .*\n", "", log.proof())
    drop = """([files]) => {
      const data = new DataTransfer();
      for (const [name, text] of files) data.items.add(new File([text], name));
      document.body.dispatchEvent(new DragEvent("drop", { bubbles: true, cancelable: true, dataTransfer: data }));
    }"""
    page.page.evaluate(drop, [[["417.tlog-proof", bare], ["treaty", log.policy]]])
    page.page.wait_for_selector("#result[data-verdict=refused]")
    assert "does not carry its entry" in page.page.inner_text("#verdict-text")
    page.page.evaluate(drop, [[["entry.json", log.leaves[417].decode()]]])
    page.page.wait_for_selector("#result[data-verdict=proved]")
    page.page.evaluate(drop, [[["entry.json", log.leaves[418].decode()]]])
    page.page.wait_for_selector("#result[data-verdict=refused]")
    page.close()


def test_nothing_that_is_shown_is_run(browser, saved, log):
    page = Page(browser, saved["en"].as_uri())
    nasty = '<img src=x onerror="document.title=1"><script>document.title=2</script>$&{names}'
    leaf = ('{"kind":"%s"}' % nasty.replace('"', "'")).encode()
    signer = signing.PlainEd25519Signer("<b>x</b>{names}", Ed25519PrivateKey.generate())
    root = b64(hashlib.sha256(b"\0" + leaf).digest())
    text = f"<b>x</b>{{names}}\n1\n{root}\n"
    signature = signing.NoteSignature.from_vkey_signature(signer.vkey, signer.key.sign(text.encode()))
    page.give("policy", f"log {signer.vkey.serialize()}\nquorum none\n", name="<i>policy</i>")
    page.give("proof", f"c2sp.org/tlog-proof@v1\nextra {b64(leaf)}\nindex 0\n\n{text}\n{signature.serialize()}\n")
    page.page.wait_for_selector("#result[data-verdict=proved]")
    assert "<b>x</b>{names}" in page.page.inner_text("#verdict-text") and "<i>policy</i>" in page.page.inner_text("#policy-state")
    assert page.page.locator("main b, main i, main img, main script").count() == 0
    assert page.page.title().startswith("Check a proof")
    page.close()


@pytest.mark.parametrize("lack, words", [
    ("SubtleCrypto.prototype.importKey = async () => { throw new DOMException('', 'NotSupportedError'); };", "Ed25519"),
    ("SubtleCrypto.prototype.verify = async () => true;", "Ed25519"),
    ("Object.defineProperty(Crypto.prototype, 'subtle', { get: () => undefined });", "https"),
])
def test_a_browser_that_cannot_says_so(browser, saved, lack, words):
    page = Page(browser, saved["en"].as_uri(), script=lack)
    assert words in page.page.inner_text("#cannot")
    assert page.page.is_disabled("#proof-file")
    page.close()


def test_it_prints(browser, saved, log, shots):
    page = Page(browser, saved["ko"].as_uri(), "ko", (800, 1100), dark=True)
    page.give("policy", log.policy, "treaty.policy")
    page.give("proof", log.proof(), "417.tlog-proof")
    page.page.wait_for_selector("#result[data-verdict=proved]")
    page.page.emulate_media(media="print", color_scheme="light")
    for there in ("#verdict", "#limit-items", "#witness-table", "#entry-text", "#file-hashes"):
        assert page.page.is_visible(there), there
    assert not page.page.is_visible("#proof-file") and not page.page.is_visible("#own-title")
    page.page.screenshot(path=shots / "verify-print.png", full_page=True)
    page.close()
