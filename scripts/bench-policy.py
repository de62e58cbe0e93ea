#!/usr/bin/env python3
"""What rules of access cost: the hub's benchmark against an open city and closed ones, beside one another.

    bench-policy.py [PROGRAM] [--rounds 5] [--duration 0.5] [--entities 2000] [--clients 16]

Each round asks every city the same, one after the other; the table has the medians of the rounds: processor time of an
operation in the open city in microseconds, and how many times that the others take. A token is half a kilobyte more to read:
the open city is asked with one too, and the last column has roles beside that."""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "Tests" / "program"))

from conftest import City  # noqa: E402
from test_access import MANIFEST, Guarded  # noqa: E402

ROLES = """roles:
  - {id: operator, name: {ko: 운영자, en: Operator}, may: [read, write]}
limits: {requests: {client: {reads: 10000000, writes: 10000000}}}
"""
PATIENTS = """
@id("names are for doctors")
forbid(principal, action == Action::"read", resource in EntityType::"Patient")
when { context has attribute && context.attribute == "name" } unless { principal in Role::"doctor" };
"""
# Of the type that is measured, by its name in the benchmark.
OWN = """
@id("lots are for auditors")
forbid(principal, action == Action::"read", resource in EntityType::"BenchDevice")
when { context has attribute && context.attribute == "lot" } unless { principal in Role::"auditor" };
"""
OPERATIONS = "get,page,q-range,q-text,patch,batch"


class Closed(Guarded):
    """A live city whose operators may read and write, with further rules."""

    def __init__(self, binary, folder, rules):
        folder.mkdir()
        (folder / "rules.cedar").write_text(rules, encoding="utf-8")
        self.manifest = folder / "closed.city.yaml"
        self.manifest.write_text(MANIFEST + ROLES + "access: {rules: rules.cedar}\n", encoding="utf-8")
        super(Guarded, self).__init__(binary, folder / "data")
        self.api = self.url + "/ngsi-ld/v1"
        self.administrator = self.enter()
        headers, _ = self.client("operator")
        self.token = folder / "token"
        self.token.write_text(headers["Authorization"].split()[1], encoding="utf-8")


class Bearing:
    """The open city, asked with a token that it does not look at: what the bytes alone cost."""

    def __init__(self, city, token):
        self.url, self.process, self.token = city.url, city.process, token


def measure(program, city, options, *more):
    token = ["--token-file", str(city.token)] if hasattr(city, "token") else []
    done = subprocess.run(
        [program, "bench", "hub", "--to", city.url, "--json", "--entities", str(options.entities), "--clients",
         str(options.clients), "--duration", str(options.duration), *token, *more],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=600, check=False,
        env={"MADANG_SERVER_PID": str(city.process.pid), "PATH": "/usr/bin:/bin"})
    if done.returncode != 0:
        raise SystemExit(done.stderr)
    return {point["operation"]: point["figures"] for point in json.loads(done.stdout)["points"]}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("program", nargs="?", default=str(ROOT / ".build" / "release" / "madang"))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--duration", type=float, default=0.5)
    parser.add_argument("--entities", type=int, default=2000)
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--operations", default=OPERATIONS)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        cities = {"open": City(options.program, "--empty", "--data", folder / "open")}
        try:
            cities["roles only"] = Closed(options.program, folder / "roles", "")
            cities["a rule on attributes of another type"] = Closed(options.program, folder / "other", PATIENTS)
            cities["a rule on an attribute of this type"] = Closed(options.program, folder / "own", OWN)
            for city in cities.values():
                measure(options.program, city, options, "--keep", "--operations", "get")
            cities["open, a token in each request"] = Bearing(cities["open"], cities["roles only"].token)
            found = {name: {} for name in cities}
            for _ in range(options.rounds):
                for name, city in cities.items():
                    figures = measure(options.program, city, options, "--keep", "--reuse", "--operations", options.operations)
                    for operation, figure in figures.items():
                        found[name].setdefault(operation, []).append(figure["cpu"])
        finally:
            for city in cities.values():
                city.process.kill()
    others = [name for name in cities if name != "open"]
    print("| operation | open, µs | " + " | ".join(others) + " | roles beside open with a token |")
    print("| --- | --- |" + " --- |" * (len(others) + 1))
    for operation, alone in found["open"].items():
        # Each beside the open one of its own round: the machine is not the same from round to round.
        pairs = [(name, "open") for name in others] + [("roles only", "open, a token in each request")]
        factors = [
            statistics.median(theirs / ours for theirs, ours in zip(found[name][operation], found[anchor][operation]))
            for name, anchor in pairs]
        print(f"| `{operation}` | {statistics.median(alone):.1f} | " + " | ".join(f"{factor:.2f} ×" for factor in factors) + " |")


if __name__ == "__main__":
    main()
