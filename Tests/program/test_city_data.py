"""What a manifest says of the city's data, and how data of other standards comes in."""

import json
from pathlib import Path

import requests

ROOT = Path(__file__).resolve().parents[2]
ENTRIES = """
adapters:
- {id: lora, format: senml, type: Tank}
- {id: orion, format: ngsiv2}
- {id: frost, format: sensorthings, datastreams: {"7": {entity: "urn:ngsi-ld:Tank:7", type: Tank, attribute: level}}}
dataModels:
  mode: strict
  schemas: [{url: "https://example.org/common.json", file: common.json}]
  types: [{type: Tank, schema: tank.json}]
datasets:
- id: tanks
  title: {ko: 물탱크, en: Tanks}
  description: {ko: 수위, en: Levels}
  publisher: {name: {ko: 마당시, en: City of Madang}, email: water@example.org}
  licence: http://publications.europa.eu/resource/authority/licence/CC_BY_4_0
  types: [Tank]
  retention: 2y
  expected: {attributes: [level], within: 1h}
catalogue:
  title: {ko: 마당시 데이터, en: Data of Madang}
  description: {ko: 모두, en: All}
  publisher: {name: {ko: 마당시, en: City of Madang}}
"""


def manifest(folder):
    """The demo's with entries of its own, and the schemas that they name."""
    text = (ROOT / "Examples/demo.city.yaml").read_text()
    for key in ("file", "mapping"):
        text = text.replace(f"    {key}: ", f"    {key}: {ROOT}/Examples/").replace("plan: demo", f"plan: {ROOT}/Examples/demo")
    path = folder / "data.city.yaml"
    path.write_text(text + ENTRIES)
    (folder / "common.json").write_text(json.dumps({"$defs": {"level": {"type": "number", "minimum": 0}}}))
    (folder / "tank.json").write_text(json.dumps(
        {"properties": {"level": {"$ref": "https://example.org/common.json#/$defs/level"}}}))
    return path


def test_a_manifest_opens_doors_and_its_models_hold_at_each(start, tmp_path):
    city = start(manifest(tmp_path))
    door = f"{city.url}/city/v1/ingest"
    senml = {"Content-Type": "application/senml+json"}
    pack = [{"bn": "urn:dev:mac:01:", "bt": 1.7e9, "bu": "m", "n": "level", "v": 3.5}, {"n": "level", "t": 60, "v": 3.25}]
    assert requests.post(f"{door}/lora", json=pack, headers=senml, timeout=30).status_code == 204
    tank = requests.get(f"{city.api}/entities/urn:ngsi-ld:Tank:urn:dev:mac:01", timeout=30).json()
    assert tank["level"]["value"] == 3.25 and tank["level"]["unitCode"] == "MTR"
    history = requests.get(f"{city.api}/temporal/entities/{tank['id']}?options=temporalValues", timeout=30).json()
    assert [value[0] for value in history["level"]["values"]] in ([3.5, 3.25], [3.25, 3.5])

    notification = {"subscriptionId": "1", "data": [{"id": "T2", "type": "Tank", "level": {"type": "Number", "value": 1}}]}
    assert requests.post(f"{door}/orion", json=notification, timeout=30).status_code == 204
    observation = {"phenomenonTime": "2026-01-01T00:00:00Z", "result": 2, "Datastream": {"@iot.id": 7}}
    assert requests.post(f"{door}/frost", json=observation, timeout=30).status_code == 204
    ids = {entity["id"] for entity in requests.get(f"{city.api}/entities?type=Tank", timeout=30).json()}
    assert ids == {tank["id"], "urn:ngsi-ld:Tank:T2", "urn:ngsi-ld:Tank:7"}

    # The model is strict, whichever way the value comes.
    assert requests.post(f"{door}/frost", json={**observation, "result": -1}, timeout=30).status_code == 400
    assert requests.post(f"{door}/lora", json=[{"n": "a:level", "vs": "high"}], headers=senml, timeout=30).status_code == 400
    refused = requests.post(f"{city.api}/entities", timeout=30,
                            json={"id": "urn:t:1", "type": "Tank", "level": {"type": "Property", "value": "x"}})
    assert refused.status_code == 400 and "expected number" in refused.json()["detail"]
    lines = requests.get(f"{city.url}/city/v1/refusals", timeout=30).json()
    assert {line["door"] for line in lines} == {"ingest frost", "ingest lora", "POST /entities"}
    assert all(line["source"] == "127.0.0.1" and line["count"] == 1 for line in lines)

    catalogue = requests.get(f"{city.url}/city/v1/catalogue", headers={"Accept": "text/turtle"}, timeout=30)
    assert catalogue.headers["Content-Type"].startswith("text/turtle") and f"{city.url}/ngsi-ld/v1" in catalogue.text
    quality = requests.get(f"{city.url}/city/v1/datasets/tanks", timeout=30).json()["quality"]
    assert quality["entities"] == 3 and quality["completeness"] == 1 and 0 < quality["validity"] < 1
    page = requests.get(f"{city.url}/data", headers={"Accept-Language": "ko"}, timeout=30).text
    assert "물탱크" in page and "ingest frost" in page and "엄격" in page


def test_a_manifest_whose_schema_is_missing_says_which(binary, tmp_path):
    import subprocess

    path = manifest(tmp_path)
    (tmp_path / "common.json").unlink()
    run = subprocess.run([binary, "up", path, "--port", "0"], capture_output=True, text=True, timeout=60, check=False)
    assert run.returncode != 0 and "common.json" in run.stderr
