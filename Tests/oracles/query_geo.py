"""Answers questions about geometries for QueryTests, one JSON document in, one out.

relations: [[target, reference], ...] -> for each pair null when either is not sound, else the names that hold (shapely).
           A polygon that is not valid is sound when mending it changes its area by no more than a thousandth.
points: [[lon, lat, lon, lat], ...] -> metres on WGS 84 (GeographicLib, Karney 2013).
distances: [[geometry, geometry], ...] -> least metres between the two by dense sampling of every line.
"""
import json
import sys

RELATIONS = ("within", "contains", "intersects", "equals", "disjoint", "overlaps")


def relations(pairs):
    from shapely import make_valid
    from shapely.geometry import shape

    def sound(geometry):
        if geometry.is_valid:
            return geometry
        if geometry.geom_type not in ("Polygon", "MultiPolygon"):
            return None
        mended = make_valid(geometry, method="structure", keep_collapsed=False)
        return mended if mended.area > 0 and abs(geometry.area - mended.area) <= 0.001 * mended.area else None

    answers = []
    for target, reference in pairs:
        a, b = sound(shape(target)), sound(shape(reference))
        if a is None or b is None:
            answers.append(None)
            continue
        answers.append([name for name in RELATIONS if bool(getattr(a, name)(b))])
    return answers


def metres(points):
    from geographiclib.geodesic import Geodesic

    return [Geodesic.WGS84.Inverse(a, o, b, p)["s12"] for o, a, p, b in points]


def parts(geometry):
    """Points and lines of a geometry, rings included."""
    kind, c = geometry["type"], geometry.get("coordinates")
    if kind == "Point":
        return [c], []
    if kind == "MultiPoint":
        return c, []
    if kind == "LineString":
        return [], [c]
    if kind in ("MultiLineString", "Polygon"):
        return [], c
    return [], [ring for polygon in c for ring in polygon]


def one_way(left, right):
    import numpy as np
    from geographiclib.geodesic import Geodesic

    points, lines = parts(left)
    vertices = list(points) + [p for line in lines for p in line]
    other_points, other_lines = parts(right)
    best = float("inf")
    for x, y in vertices:
        for ox, oy in other_points:
            best = min(best, Geodesic.WGS84.Inverse(y, x, oy, ox)["s12"])
        for line in other_lines:
            for (ax, ay), (bx, by) in zip(line, line[1:]):
                t = np.linspace(0, 1, 20001)
                lon, lat = ax + (bx - ax) * t, ay + (by - ay) * t
                h = (
                    np.sin(np.radians(lat - y) / 2) ** 2
                    + np.cos(np.radians(lat)) * np.cos(np.radians(y)) * np.sin(np.radians(lon - x) / 2) ** 2
                )
                k = int(np.argmin(h))
                for j in range(max(0, k - 150), min(len(t), k + 151), 10):
                    best = min(best, Geodesic.WGS84.Inverse(y, x, lat[j], lon[j])["s12"])
                best = min(best, Geodesic.WGS84.Inverse(y, x, lat[k], lon[k])["s12"])
    return best


def distances(pairs):
    from shapely.geometry import shape

    answers = []
    for a, b in pairs:
        answers.append(0.0 if shape(a).intersects(shape(b)) else min(one_way(a, b), one_way(b, a)))
    return answers


question = json.load(sys.stdin)
answer = {}
if "relations" in question:
    answer["relations"] = relations(question["relations"])
if "points" in question:
    answer["points"] = metres(question["points"])
if "distances" in question:
    answer["distances"] = distances(question["distances"])
json.dump(answer, sys.stdout)
