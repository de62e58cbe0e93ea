"""Writes what Madang is made of as a CycloneDX 1.6 bill of materials: sbom.py FILE.

The Swift packages come from SwiftPM's own resolution (Package.swift, Package.resolved), the Debian packages, Python
oracles and browser libraries from the lists that `make setup` installs by, the licences from THIRD-PARTY.md. The same
tree gives the same bytes: the time is that of the commit, the serial number a hash of the rest.

Scope: `required` is compiled in, linked or served; `excluded` serves tests and measurements only.
"""

import json
import os
import re
import subprocess
import sys
import uuid
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def run(*command):
    return subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True, env=os.environ | {"TZ": "UTC"}).stdout


def rows(heading):
    """The rows below a table's head in THIRD-PARTY.md, by their first cell."""
    text = (ROOT / "THIRD-PARTY.md").read_text(encoding="utf-8").split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line.startswith("|")]
    return {one[0]: one for one in cells[2:]}


def component(name, version, purl, scope, licence=None, kind="library", **more):
    made = {"type": kind, "bom-ref": purl, "name": name, "version": version, "scope": scope}
    if licence:
        made["licenses"] = [{"expression": licence}]
    return made | {"purl": purl} | more


def swift_packages():
    """The components, and what each package depends on; under `None` what Madang itself names."""
    tree = json.loads(run("swift", "package", "show-dependencies", "--format", "json"))
    pins = json.loads((ROOT / "Package.resolved").read_text(encoding="utf-8"))["pins"]
    states = {pin["identity"]: pin["state"] for pin in pins}
    licences = rows("Swift packages")
    found, edges, references = {}, {}, {}

    def visit(node, parent):
        address = node["url"].removesuffix(".git")
        name = address.rsplit("/", 1)[1]
        state = states[node["identity"]]
        reference = f"pkg:swift/{address.removeprefix('https://')}@{state['version']}"
        references[name] = reference
        edges.setdefault(parent, set()).add(reference)
        if name not in licences:
            sys.exit(f"sbom: THIRD-PARTY.md does not say under which licence {name} is")
        found[reference] = component(
            name, state["version"], reference, "required", licences[name][1],
            externalReferences=[{"type": "vcs", "url": node["url"]}],
            pedigree={"commits": [{"uid": state["revision"]}]})
        edges.setdefault(reference, set())
        for below in node["dependencies"]:
            visit(below, reference)

    for node in tree["dependencies"]:
        visit(node, None)
    unknown = set(licences) - set(references)
    if unknown:
        sys.exit(f"sbom: THIRD-PARTY.md lists Swift packages that are not used: {', '.join(sorted(unknown))}")
    return list(found.values()), edges


def debian_packages():
    """Linked libraries are those of which THIRD-PARTY.md says so."""
    linked = {one[4].strip("`"): one for one in rows("Beside Madang").values() if one[3] == "Debian"}
    for line in (ROOT / "scripts" / "debian-packages.txt").read_text(encoding="utf-8").splitlines():
        if not line or line.startswith("#"):
            continue
        name, _, version, purpose = line.split(None, 3)
        row = linked.pop(name, None)
        yield component(
            name, version, f"pkg:deb/debian/{name}@{version}?distro=bookworm", "required" if row else "excluded",
            row and row[2], kind="library" if row else "application", description=purpose)
    if linked:
        sys.exit(f"sbom: scripts/debian-packages.txt lacks {', '.join(sorted(linked))}")


def python_packages():
    text = (ROOT / "Tests" / "oracles" / "requirements.txt").read_text(encoding="utf-8")
    for name, version in re.findall(r"^([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==(\S+)", text, re.MULTILINE):
        yield component(name, version, f"pkg:pypi/{name.lower().replace('_', '-')}@{version}", "excluded")


def browser_libraries():
    """Each file that is served, and the network that finds people, with its hash, under the library that THIRD-PARTY.md names."""
    hashes = {}
    for pins in ("web-assets.sha256", "person-model.sha256"):
        for line in (ROOT / "scripts" / pins).read_text(encoding="utf-8").splitlines():
            digest, name = line.split()
            hashes[name] = digest
    for title, version, licence, _, files in (one[:5] for one in rows("Beside Madang").values() if one[3] != "Debian"):
        names = re.findall(r"`([^`]+)`", files)
        name = re.sub(r"[^a-z.]+", "-", title.lower())
        parts = [
            {"type": "file", "bom-ref": "file:" + file, "name": file,
             "hashes": [{"alg": "SHA-256", "content": hashes.pop(file)}]} for file in names]
        yield component(title, version, f"pkg:generic/{name}@{version}", "required", licence, components=parts)
    if hashes:
        sys.exit(f"sbom: THIRD-PARTY.md does not name {', '.join(sorted(hashes))}")


def bill():
    version = re.search(r'static let version = "([^"]+)"', (ROOT / "Sources/madang/Madang.swift").read_text())[1]
    swift, edges = swift_packages()
    components = swift + list(debian_packages()) + list(browser_libraries()) + list(python_packages())
    components.sort(key=lambda one: one["bom-ref"])
    program = f"pkg:generic/madang@{version}"
    direct = edges.pop(None) | {one["bom-ref"] for one in components if not one["bom-ref"].startswith("pkg:swift/")
                                and one["scope"] == "required"}
    graph = [{"ref": program, "dependsOn": sorted(direct)}]
    graph += [{"ref": one, "dependsOn": sorted(below)} for one, below in sorted(edges.items())]
    made = {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "timestamp": run("git", "log", "-1", "--date=format-local:%Y-%m-%dT%H:%M:%SZ", "--format=%cd").strip(),
            "component": {
                "type": "application", "bom-ref": program, "name": "madang", "version": version, "purl": program,
                "licenses": [{"expression": "Apache-2.0"}],
            },
        },
        "components": components,
        "dependencies": graph,
        # Of Debian's packages and of the oracles only what is named here is known, not what those need.
        "compositions": [{"aggregate": "incomplete", "assemblies": [program]}],
    }
    made["serialNumber"] = "urn:uuid:" + str(uuid.uuid5(uuid.NAMESPACE_URL, json.dumps(made, sort_keys=True)))
    return made


def main():
    file = Path(sys.argv[1])
    file.parent.mkdir(parents=True, exist_ok=True)
    made = bill()
    file.write_text(json.dumps(made, indent=2, sort_keys=True, ensure_ascii=False) + "\n", encoding="utf-8")
    print(f"sbom: {len(made['components'])} components in {file}")


if __name__ == "__main__":
    main()
