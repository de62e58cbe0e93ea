"""Expansion and compaction of names by pyld (JSON-LD 1.1) on random contexts.

Input: {"core": {term: definition}, "seed": n, "cases": n}.
Output: [{"context": …, "error": bool, "expanded": {name: IRI or null}, "compacted": {IRI: name}}].
The core context stands before and after the user's, as NGSI-LD reads it.
"""

import json
import random
import sys

from pyld import jsonld

WORDS = ["temp", "name", "Vehicle", "speed", "colour", "room", "air-q", "x", "owner", "type2", "location", "status"]
PREFIXES = {
    "ex": ["https://example.org/", "https://example.org/ns#", "https://example.org/plain"],
    "sdm": ["https://smartdatamodels.org/", "urn:sdm:"],
    "o": ["https://other.example/vocab?"],
}


def definition(random, word, prefixes):
    """One term definition of a kind that real contexts have."""
    target = random.choice(
        [f"{p}:{word}" for p in prefixes]
        + [f"https://data.example/{word}", f"https://data.example/{random.choice(WORDS)}", f"urn:t:{word}",
           random.choice(WORDS), "ngsi-ld:" + word]
    )
    kind = random.random()
    if kind < 0.45:
        return target
    if kind < 0.5:
        return None
    if kind < 0.55:
        return {"@type": "@id"}
    result = {"@id": target}
    if random.random() < 0.4:
        result["@type"] = random.choice(["@id", "@vocab"])
    if random.random() < 0.1:
        result["@prefix"] = random.choice([True, False])
    return result


def context_object(random):
    context = {}
    prefixes = random.sample(sorted(PREFIXES), random.randint(0, 3))
    for prefix in prefixes:
        iri = random.choice(PREFIXES[prefix])
        context[prefix] = {"@id": iri, "@prefix": True} if random.random() < 0.2 else iri
    if random.random() < 0.2:
        context["@vocab"] = random.choice(["https://vocab.example/", "ex:v/", "https://vocab.example/v#"])
    for word in random.sample(WORDS, random.randint(0, 7)):
        context[word] = definition(random, word, prefixes or ["ex"])
    if random.random() < 0.2:
        context["ex:thing"] = {"@type": "@id"}
    if random.random() < 0.1:
        context["@language"] = "en"
    items = list(context.items())
    random.shuffle(items)
    return dict(items)


def nodes(keys):
    return [{"@id": f"urn:n:{i}", key: [{"http://v.example/v": 1}]} for i, key in enumerate(keys)]


def by_node(graph, keys, id_key):
    """The one other member of each node; a node that lost its member is dropped by pyld."""
    found = {node[id_key]: next((k for k in node if k != id_key), None) for node in graph}
    return {key: found.get(f"urn:n:{i}") for i, key in enumerate(keys)}


def without_types(context):
    """Madang gives an attribute the name of any term for its IRI, whatever the term's coercion."""
    return {
        term: {k: v for k, v in entry.items() if k != "@type"} if isinstance(entry, dict) else entry
        for term, entry in context.items()
    }


def case(random, core):
    contexts = [context_object(random) for _ in range(2 if random.random() < 0.3 else 1)]
    names = WORDS + ["ex:thing", "ex:other", "sdm:A", "o:b", "nowhere:x", "ngsi-ld:zzz", "unknown", "observedAt"]
    result = {"context": contexts, "error": False, "expanded": {}, "compacted": {}}
    try:
        whole = [core, *contexts, core]
        result["expanded"] = by_node(jsonld.expand({"@context": whole, "@graph": nodes(names)}), names, "@id")
        iris = {iri for iri in result["expanded"].values() if iri}
        iris |= {"https://example.org/unseen", "urn:sdm:unseen", "https://example.org/ns#a/b", "https://data.example/q",
                 "https://uri.etsi.org/ngsi-ld/default-context/unseen", "https://uri.etsi.org/ngsi-ld/unseen"}
        iris = sorted(iris)
        untyped = [core, *map(without_types, contexts), core]
        compacted = jsonld.compact(nodes(iris), untyped, {"graph": True})
        result["compacted"] = by_node(compacted["@graph"], iris, "id")
    except jsonld.JsonLdError:
        result["error"] = True
    return result


def main():
    task = json.load(sys.stdin)
    generator = random.Random(task["seed"])
    json.dump([case(generator, task["core"]) for _ in range(task["cases"])], sys.stdout)


main()
