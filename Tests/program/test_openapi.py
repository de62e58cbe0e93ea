"""The description of the API, held against the running city by schemathesis: no 5xx, nothing that is not described."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import requests
from test_limits import make

CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"
# What the hub is told to reach lies on this machine, where nothing answers.
NOBODY = "http://127.0.0.1:9/"
# Registrations of sources that do not answer make later answers those of a source that is away (502, 504); requests for
# certificates and CAP are of media types that schemathesis cannot write (test_devices.py has openssl write them).
LEFT_OUT = r"^/ngsi-ld/v1/csourceRegistrations|^/.well-known/est/simple|^/city/v1/safety/cap"
# Texts with a grammar, of which chance would write hardly one that can be read.
GRAMMAR = {
    "q": ["a>1", 'b=="x";!c', "a.b[c]!=3", "(a|b);c~=x.*", "a==1..5"], "georel": ["near;maxDistance==1000", "within"],
    "coordinates": ["[8,40]", "[[[0,0],[0,9],[9,9],[0,0]]]"], "scopeQ": ["/a/#", "/a,/b/+"], "idPattern": ["urn:.*", "[0-9]+"],
    "orderBy": ["id", "a;desc", "a.b,c"], "collation": ["ko"], "lang": ["ko", "en;q=0.5,*"], "type": ["A", "(A|B),C"],
    "join": ["flat", "inline", "@none"], "attrs": ["a", "a,b"], "pick": ["id,type", "a{b}"], "omit": ["a", "type"],
    "aggrMethods": ["totalCount,max", "avg"], "aggrPeriodDuration": ["PT1H", "P1D"], "timeproperty": ["observedAt", "modifiedAt"],
    "geometryProperty": ["location"], "geoproperty": ["location"], "keep": ["a"], "drop": ["b"], "details": ["true", "false"],
    "options": ["keyValues", "sysAttrs", "concise,sysAttrs", "temporalValues", "noOverwrite", "update", "replace"],
    "entityMap": ["true", "false"], "count": ["true", "false"], "local": ["true", "false"],
}


def described(city, folder):
    document = requests.get(city.url + "/openapi.json", timeout=30).json()
    schemas = document["components"]["schemas"]
    schemas["Endpoint"]["properties"]["uri"] = {"const": NOBODY}
    schemas["Registration"]["properties"]["endpoint"] = {"const": NOBODY}
    for operations in document["paths"].values():
        for operation in operations.values():
            for parameter in operation.get("parameters", []):
                if parameter.get("name") in GRAMMAR:
                    parameter["schema"] = {"enum": GRAMMAR[parameter["name"]]}
    file = Path(folder) / "openapi.json"
    file.write_text(json.dumps(document), encoding="utf-8")
    return file


def run(city, folder, *options):
    """Short in each test run; `MADANG_OPENAPI` gives other numbers of examples for each operation."""
    examples = os.environ.get("MADANG_OPENAPI", "1")
    phases = "examples,coverage,fuzzing,stateful" if "MADANG_OPENAPI" in os.environ else "examples,fuzzing"
    command = [str(Path(sys.executable).with_name("schemathesis")), "run", str(described(city, folder)), "--url", city.url,
               "--checks", CHECKS, "--phases", phases, "--max-examples", examples, "--exclude-path-regex", LEFT_OUT,
               "--workers", "4", "--seed", "20261123", "--continue-on-failure", "--no-color", "--generation-database", "none",
               "--request-timeout", "30", *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=3600, cwd=folder)
    (Path(folder) / "schemathesis.log").write_text(done.stdout + done.stderr, encoding="utf-8")
    assert done.returncode == 0, (done.stdout + done.stderr)[-6000:]
    return done.stdout


def test_the_document_is_served_and_sound(start):
    city = start("--empty")
    answer = requests.get(city.url + "/openapi.json", timeout=30)
    assert answer.headers["Content-Type"] == "application/json"
    document = answer.json()
    assert document["openapi"].startswith("3.1")
    for path, operations in document["paths"].items():
        # What is described is there: another method is refused as one, or the path is one of the pages' own.
        filled = re.sub(r"\{[^}]*\}", "urn:x:1", path.replace("{decision}", "approve"))
        for method in operations:
            answer = requests.request(method, city.url + filled, timeout=30, allow_redirects=False)
            known = "there is no resource" not in answer.text
            assert answer.status_code != 405 and known, (method, path, answer.status_code, answer.text[:200])


def test_an_open_city_answers_as_described(start, tmp_path):
    city = start("--empty", "--data", tmp_path / "data")
    run(city, tmp_path)


def test_a_closed_city_answers_as_described(binary, tmp_path):
    unlimited = "limits: {requests: {client: {reads: 100000, writes: 100000}, source: {reads: 100000, writes: 100000}}}\n"
    city = make(binary, tmp_path, unlimited)
    try:
        if "MADANG_OPENAPI" in os.environ:
            run(city, tmp_path)  # nobody: refused, and as described
        administrator, _ = city.client("administrator", scope="city:read city:write city:admin")
        run(city, tmp_path, "--header", "Authorization: " + administrator["Authorization"])
    finally:
        city.stop()
