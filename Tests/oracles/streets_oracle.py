"""The streets of an OpenStreetMap file as pyosmium reads them: {"file": path} gives counts, and metres of each whole way."""

import json
import sys

import osmium
from osmium.geom import Coordinates, haversine_distance

request = json.load(sys.stdin)
ways, used, names = [], set(), 0
for way in osmium.FileProcessor(request["file"], osmium.osm.WAY):
    if "highway" in way.tags:
        ways.append((way.id, [node.ref for node in way.nodes]))
        used.update(ways[-1][1])
        names += len(way.tags.get("name", "").encode())
places = {}
for node in osmium.FileProcessor(request["file"], osmium.osm.NODE):
    if node.id in used:
        places[node.id] = Coordinates(node.location.lon, node.location.lat)
lengths = {}
for way, nodes in ways:
    found = 0.0
    for a, b in zip(nodes, nodes[1:]):
        if a in places and b in places:
            found += haversine_distance(places[a], places[b])
    lengths[str(way)] = found
print(json.dumps({
    "ways": len(ways), "nodes": len(places), "names": names, "lengths": lengths,
    "missing": sum(node not in places for _, nodes in ways for node in nodes),
}))
