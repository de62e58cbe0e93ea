"""What Madang is made of, and that no secret is among it, held against CycloneDX's schema and detect-secrets."""

import json
import subprocess
import sys

import pytest
from conftest import ROOT
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packageurl import PackageURL


@pytest.fixture(scope="module")
def bills(tmp_path_factory):
    """The bill of materials, made twice."""
    files = [tmp_path_factory.mktemp("sbom") / "madang.cdx.json" for _ in range(2)]
    for file in files:
        subprocess.run([sys.executable, ROOT / "scripts" / "sbom.py", file], check=True, capture_output=True)
    return [file.read_text(encoding="utf-8") for file in files]


def test_the_bill_of_materials_is_valid_cyclonedx(bills):
    validator = JsonStrictValidator(SchemaVersion.V1_6)
    assert validator.validate_str(bills[0]) is None
    spoilt = json.loads(bills[0])
    spoilt["components"][0]["scope"] = "now and then"
    assert validator.validate_str(json.dumps(spoilt)) is not None


def test_the_same_tree_gives_the_same_bill(bills):
    assert bills[0] == bills[1]


def test_the_bill_names_everything(bills):
    bill = json.loads(bills[0])
    components = {one["bom-ref"]: one for one in bill["components"]}
    assert len(components) == len(bill["components"])
    purls = {name: PackageURL.from_string(one["purl"]) for name, one in components.items()}
    assert all(purls[name].version == one["version"] for name, one in components.items())
    pins = json.loads((ROOT / "Package.resolved").read_text(encoding="utf-8"))["pins"]
    swift = {one["pedigree"]["commits"][0]["uid"] for one in components.values() if "pedigree" in one}
    assert swift == {pin["state"]["revision"] for pin in pins}
    kinds = {purl.type for purl in purls.values()}
    assert kinds == {"swift", "deb", "pypi", "generic"}
    # What is passed on has its licence; what only tests is said to be that.
    for name, one in components.items():
        assert one["scope"] == "excluded" or one["licenses"], name
        assert one["scope"] == "excluded" or purls[name].type != "pypi"
    graph = {one["ref"]: set(one["dependsOn"]) for one in bill["dependencies"]}
    program = bill["metadata"]["component"]["bom-ref"]
    reached, open_ = set(), {program}
    while open_:
        reached |= open_
        open_ = {below for one in open_ for below in graph.get(one, ())} - reached
    assert reached == {program} | {name for name, one in components.items() if one["scope"] == "required"}


def test_the_licences_are_those_of_the_packages(bills):
    words = {"Apache-2.0": "Apache License", "MIT": "Permission is hereby granted, free of charge"}
    looked = 0
    for one in json.loads(bills[0])["components"]:
        folder = ROOT / ".build" / "checkouts" / one["name"]
        if not one["purl"].startswith("pkg:swift/"):
            continue
        text = next(file.read_text(encoding="utf-8") for file in sorted(folder.glob("LICENSE*")))
        assert words[one["licenses"][0]["expression"]] in text, one["name"]
        looked += 1
    assert looked > 20


class Tree:
    """A repository to be searched."""

    def __init__(self, folder):
        self.folder = folder
        self.git("init", "-q")

    def git(self, *arguments):
        who = ["-c", "user.name=Test", "-c", "user.email=test@example.org", "-c", "commit.gpgsign=false"]
        subprocess.run(["git", *who, *arguments], cwd=self.folder, check=True, capture_output=True)

    def write(self, name, text):
        (self.folder / name).write_text(text, encoding="utf-8")

    def commit(self):
        self.git("add", "-A")
        self.git("commit", "-qm", "a change")

    def search(self):
        done = subprocess.run([sys.executable, ROOT / "scripts" / "find-secrets.py", self.folder], text=True,
                              capture_output=True, check=False)
        assert done.returncode in (0, 1), done.stderr
        return done.returncode, [line for line in done.stdout.splitlines() if ": " in line and "(" in line]


@pytest.fixture
def tree(tmp_path):
    tree = Tree(tmp_path)
    tree.write(".gitignore", ".build-*/\n")
    tree.write("Plain.swift", 'let name = "Madang"\nlet empty = ""\n')
    tree.commit()
    return tree


def planted():
    """Secrets of several kinds, made here so that none stands in this file: name of a file, text."""
    key = ec.generate_private_key(ec.SECP256R1())
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    locked = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                               serialization.BestAvailableEncryption(b"x"))
    yield "device.pem", pem.decode()
    yield "locked.pem", locked.decode()
    yield "note.txt", "PRIVATE+KEY+city.example/log+" + "0a1b2c3d+" + "AQ" * 22 + "\n"
    yield "Token.swift", 'let token = "' + "gh" + "p_" + "aB3d" * 9 + '"\n'
    yield "cloud.py", "key = '" + "AKIA" + "Q7XZ2MPL4NRT6WBV" + "'\n"
    yield "config.yaml", "pass" + "word: 'correct horse battery'\n"


@pytest.mark.parametrize("name, text", list(planted()), ids=[name for name, _ in planted()])
def test_a_planted_secret_is_found(tree, name, text):
    assert tree.search() == (0, [])
    tree.write(name, text)
    code, found = tree.search()
    assert code == 1 and any(name in line for line in found), found


def test_a_secret_that_was_taken_out_again_is_still_found(tree):
    name, text = next(planted())
    tree.write(name, text)
    tree.commit()
    (tree.folder / name).unlink()
    tree.commit()
    assert tree.search()[0] == 1
    # It is not forgotten by having been looked at.
    code, found = tree.search()
    assert code == 1 and len(found) == 1 and f"{name} in commit" in found[0]
