"""Contexts that the hub serves, read by a JSON-LD processor that is not ours, and kept through a kill."""

# Clauses: 5.13.2, 5.13.3, 5.13.4

import pytest
import requests

pyld = pytest.importorskip("pyld", reason="context hosting: pyld is missing; make setup fetches it")
from pyld import jsonld  # noqa: E402

CONTEXT = {"Station": "https://example.org/Station", "pm10": {"@id": "https://example.org/pm10"}}


def load(url, _=None):
    """What a JSON-LD processor gets at an address."""
    answer = requests.get(url, headers={"Accept": "application/ld+json, application/json"}, timeout=10)
    answer.raise_for_status()
    return {"contentType": answer.headers["Content-Type"], "contextUrl": None, "documentUrl": url,
            "document": answer.json()}


def test_a_hosted_context_serves_others_and_survives_a_kill(start, tmp_path):
    city = start("--empty", "--data", tmp_path)
    added = requests.post(f"{city.api}/jsonldContexts", json={"@context": CONTEXT}, timeout=10)
    assert added.status_code == 201 and not added.content
    path = added.headers["Location"]
    station = {"id": "urn:x:1", "type": "Station", "pm10": {"type": "Property", "value": 3}}

    def link(url):
        return {"Link": f'<{url}>; rel="http://www.w3.org/ns/json-ld#context"; type="application/ld+json"'}

    created = requests.post(f"{city.api}/entities", json=station, headers=link(city.url + path), timeout=10)
    assert created.status_code == 201, created.text
    city.kill()

    city = start("--empty", "--data", tmp_path)
    url = city.url + path
    shown = requests.get(f"{city.api}/entities/urn:x:1", headers=link(url) | {"Accept": "application/ld+json"},
                         timeout=10).json()
    assert shown["pm10"]["value"] == 3
    # The answer names the context where it is served, so that whoever got the answer can read it.
    own = {"@context": url, "@id": shown["id"], "@type": shown["type"], "pm10": "3"}
    assert url in shown["@context"]
    expanded = jsonld.expand(own, {"documentLoader": load})
    assert expanded == [{"@id": "urn:x:1", "@type": ["https://example.org/Station"],
                         "https://example.org/pm10": [{"@value": "3"}]}]
    listed = requests.get(f"{city.api}/jsonldContexts?kind=Hosted", timeout=10).json()
    assert listed == [url] and load(listed[0])["document"] == {"@context": CONTEXT}


def test_a_context_of_50_megabytes_is_refused(start):
    city = start("--empty")
    before = city.memory()
    body = b'{"@context": {"a": "https://example.org/' + b"x" * (50 << 20) + b'"}}'
    answer = requests.post(f"{city.api}/jsonldContexts", data=body, headers={"Content-Type": "application/json"},
                           timeout=60)
    assert answer.status_code == 413 and answer.json()["detail"], answer.text[:200]
    middling = requests.post(f"{city.api}/jsonldContexts", data=body[:3 << 20] + b'"}}', timeout=60,
                             headers={"Content-Type": "application/json"})
    assert middling.status_code == 413 and "2097152" in middling.json()["detail"]
    assert requests.get(f"{city.api}/jsonldContexts?kind=Hosted", timeout=10).json() == []
    assert city.memory() < before + 200
