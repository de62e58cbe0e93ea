"""What adapters may write in a city whose access is not open: what the manifest has them make, as far as rules let them."""

import subprocess
import time

import pytest
from conftest import audited
from test_access import Guarded
from test_adapters import MAPPING, eventually, source  # noqa: F401 (a fixture)

ENTRIES = """
adapters:
- id: tanks
  format: csv
  mapping: tanks.yaml
  pull: {{url: {url}/tanks.csv, every: 1s}}
- id: kinds
  format: csv
  mapping: kinds.yaml
  pull: {{url: {url}/kinds.csv, every: 1s}}
"""
KINDS = MAPPING.replace('"urn:ngsi-ld:Tank:{tank}", type: Tank', '"urn:ngsi-ld:Kind:{tank}", type: "Kind{tank}"')


class Fed(Guarded):
    def __init__(self, binary, folder, url):
        self.feeds = url
        (folder / "tanks.yaml").write_text(MAPPING, encoding="utf-8")
        (folder / "kinds.yaml").write_text(KINDS, encoding="utf-8")
        super().__init__(binary, folder)

    def start(self, port=0):
        text = self.manifest.read_text(encoding="utf-8")
        if "adapters:" not in text:
            self.manifest.write_text(text + ENTRIES.format(url=self.feeds), encoding="utf-8")
        super().start(port)

    def ask(self, path):
        answer = self.administrator.session.get(self.url + path, timeout=30)
        return answer.json() if answer.status_code == 200 else answer.status_code

    def state(self, name):
        return self.ask("/city/v1/adapters/" + name)

    def level(self, name):
        entity = self.ask(f"/ngsi-ld/v1/entities/urn:ngsi-ld:{name}?options=keyValues")
        return entity["level"] if isinstance(entity, dict) else entity

    def reasons(self, name):
        return [line["detail"] for line in self.ask(f"/city/v1/refusals?door=adapter%20{name}") if "may not" in line["detail"]]

    def rule(self, text):
        answer = self.administrator.session.put(self.url + "/city/v1/rules", json={"rules": text}, timeout=30)
        assert answer.status_code < 300, answer.text


@pytest.fixture
def fed(binary, source, tmp_path):  # noqa: F811
    source.rows = ["2026-01-01T00:00:00Z,1,3.50\n", "2026-01-01T00:00:00Z,2,4.50\n"]
    city = Fed(binary, tmp_path, f"http://127.0.0.1:{source.server_address[1]}")
    yield city
    city.stop()


def test_an_adapter_writes_what_its_mapping_makes_and_no_more(fed, source):  # noqa: F811
    # Without a rule: the manifest says what it makes.
    assert eventually(lambda: fed.state("tanks")["stored"] == 2), fed.state("tanks")
    assert (fed.level("Tank:1"), fed.level("Tank:2")) == (3.5, 4.5) and fed.reasons("tanks") == []
    # Types that its rows say are not said by the manifest: a rule has to permit them.
    assert eventually(lambda: fed.state("kinds")["refused"] == 2), fed.state("kinds")
    assert fed.level("Kind:1") == 404 and fed.state("kinds")["state"] == "partly"
    assert all("no rule permits it" in one for one in fed.reasons("kinds")) and fed.reasons("kinds")
    # Nor may it change what is of another type, though a row names it.
    vault = {"id": "urn:ngsi-ld:Tank:9", "type": "Vault", "level": {"type": "Property", "value": 7}}
    assert fed.administrator.session.post(fed.api + "/entities", json=vault, timeout=30).status_code == 201
    source.rows.append("2026-01-01T01:00:00Z,9,0.5\n")
    assert eventually(lambda: fed.reasons("tanks"))
    assert fed.level("Tank:9") == 7

    # What a rule forbids it does not write, neither now nor into the past; the rest of the same file it does.
    fed.rule("""
        @id("tank 2 is read by hand")
        forbid(principal == Adapter::"tanks", action in Action::"write", resource == Entity::"urn:ngsi-ld:Tank:2");
        @id("kinds of one") @evidence("command")
        permit(principal == Adapter::"kinds", action in Action::"write", resource in EntityType::"Kind1");
        """)
    before = fed.state("tanks")
    source.rows += ["2025-12-31T23:00:00Z,2,9.5\n", "2025-12-31T23:00:00Z,1,2.5\n", "2026-01-01T03:00:00Z,2,9.0\n",
                    "2026-01-01T03:00:00Z,1,3.0\n"]
    assert eventually(lambda: fed.level("Tank:1") == 3), fed.state("tanks")
    assert eventually(lambda: fed.state("tanks")["stored"] == before["stored"] + 2), fed.state("tanks")
    assert fed.level("Tank:2") == 4.5
    history = fed.ask("/ngsi-ld/v1/temporal/entities/urn:ngsi-ld:Tank:2?options=temporalValues")
    assert [value for value, _ in history["level"]["values"]] == [4.5]
    history = fed.ask("/ngsi-ld/v1/temporal/entities/urn:ngsi-ld:Tank:1?options=temporalValues")
    assert sorted(value for value, _ in history["level"]["values"]) == [2.5, 3, 3.5]
    assert any("forbidden by tank 2 is read by hand" in one for one in fed.reasons("tanks")), fed.reasons("tanks")
    # What a rule permits it does, and is recorded with its name where the rule wants that.
    assert eventually(lambda: fed.level("Kind:1") == 3), fed.state("kinds")
    assert fed.level("Kind:2") == 404
    report = subprocess.run([fed.binary, "audit", "--month", time.strftime("%Y-%m", time.gmtime()), "--data", fed.data],
                            capture_output=True, text=True, timeout=60)
    rows = [row for row in audited(report.stdout) if row["kind"] == "command"]
    assert {(row["account"], row["subject"]) for row in rows} == {("kinds", "urn:ngsi-ld:Kind:1")}
