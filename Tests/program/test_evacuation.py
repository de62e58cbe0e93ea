"""`madang safety evacuate` on the streets of central Helsinki: its plan checked here anew, and against OR-Tools."""

import collections
import json
import os
import subprocess
import sys

import pytest

from conftest import ROOT

HELSINKI = "geo/helsinki-centre.osm.pbf"


@pytest.fixture
def evacuate(binary, data):
    street_file = data / HELSINKI
    if not street_file.exists():
        pytest.skip(f"evacuation: {street_file} is absent")

    def run(*arguments, osm=street_file):
        return subprocess.run([binary, "safety", "evacuate", "--osm", str(osm), *map(str, arguments)],
                              capture_output=True, text=True, timeout=300, cwd=ROOT)

    return run


def check(file):
    """The last arrival of a written plan, after everything about it was asserted."""
    entered, left, placed, last = collections.Counter(), collections.Counter(), collections.Counter(), 0
    for group in file["groups"]:
        node, _, step = file["sources"][group["source"]]
        placed[group["source"]] += group["people"]
        for arc, at in group["moves"]:
            begin, end, transit, _ = file["arcs"][arc]
            assert begin == node and at >= step
            entered[arc, at] += group["people"]
            node, step = end, at + transit
        assert file["exits"][group["exit"]][0] == node and group["arrival"] == step
        left[group["exit"]] += group["people"]
        last = max(last, step)
    assert all(people <= file["arcs"][arc][3] for (arc, _), people in entered.items())
    assert all(room is None or left[exit] <= room for exit, (_, room) in enumerate(file["exits"]))
    assert all(placed[index] == people for index, (_, people, _) in enumerate(file["sources"]))
    return last


def test_the_plan_is_the_optimum(evacuate, tmp_path):
    pytest.importorskip("ortools")
    sys.path.insert(0, str(ROOT / "Tests/oracles"))
    from evacuation_oracle import arrived

    full = "release" in os.environ.get("MADANG", "")
    people, step = (20_000, 5) if full else (2_000, 20)
    answer = evacuate("--people", people, "--step", step, "--json", "--convergent", "--write", tmp_path / "plan.json")
    assert answer.returncode == 0, answer.stderr
    said = json.loads(answer.stdout)
    file = json.loads((tmp_path / "plan.json").read_text())
    assert sum(source[1] for source in file["sources"]) == people
    assert said["check"] == {"passed": True, "violations": []}
    assert said["convergent"]["check"]["passed"]
    assert check(file) == said["makespanSteps"]
    # The least step by which a maximum flow lets all out.
    optimum = said["makespanSteps"]
    assert arrived(file, optimum) == people
    while arrived(file, optimum - 1) == people:
        optimum -= 1
    assert said["boundSteps"] <= optimum
    assert said["makespanSteps"] <= 1.02 * optimum
    if full:
        assert said["seconds"]["plan"] <= 5


def test_signs_lead_everybody_out(evacuate, tmp_path):
    answer = evacuate("--people", 1_000, "--step", 20, "--json", "--signs", tmp_path / "signs.json", "--write", tmp_path / "plan.json")
    assert answer.returncode == 0, answer.stderr
    signs = json.loads((tmp_path / "signs.json").read_text())["features"]
    assert len(signs) == json.loads(answer.stdout)["convergent"]["signs"] > 300
    assert len({sign["properties"]["node"] for sign in signs}) == len(signs)
    assert all(0 <= sign["properties"]["bearing"] <= 360 and sign["properties"]["people"] > 0 for sign in signs)
    assert max(sign["properties"]["people"] for sign in signs) < 1_000
    assert any(sign["properties"].get("street") == "Mannerheimintie" for sign in signs)


def test_a_closed_road_makes_a_new_plan(evacuate):
    answer = evacuate("--people", 1_000, "--step", 20, "--json", "--close", 4247500, "--close-at", 60)
    if "no street with that id" in answer.stderr:
        answer = evacuate("--people", 1_000, "--step", 20, "--json", "--close", 4236349, "--close-at", 60)
    assert answer.returncode == 0, answer.stderr
    said = json.loads(answer.stdout)
    assert said["replan"]["check"]["passed"]
    assert said["replan"]["makespanSteps"] >= said["makespanSteps"]
    assert said["replan"]["kept"] > 0


def test_shelters_take_as_many_as_they_can(evacuate, tmp_path):
    def shelters(*rooms):
        places = [(24.9414, 60.1710), (24.9450, 60.1690), (24.9500, 60.1745)]
        features = [{"type": "Feature", "geometry": {"type": "Point", "coordinates": place},
                     "properties": {"capacity": room}} for place, room in zip(places, rooms)]
        file = tmp_path / "exits.geojson"
        file.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
        return file

    answer = evacuate("--people", 300, "--step", 30, "--exits", shelters(100, 150, None), "--json", "--write",
                      tmp_path / "plan.json")
    assert answer.returncode == 0, answer.stderr
    assert check(json.loads((tmp_path / "plan.json").read_text())) == json.loads(answer.stdout)["makespanSteps"]
    answer = evacuate("--people", 300, "--step", 30, "--exits", shelters(100, 150, 10))
    assert answer.returncode != 0
    assert "no room for 40 people" in answer.stderr


def test_bad_input_is_refused_with_a_sentence(evacuate, tmp_path):
    garbage = tmp_path / "garbage.osm.pbf"
    garbage.write_bytes(bytes(range(256)) * 8)
    far = tmp_path / "far.geojson"
    far.write_text('{"type": "FeatureCollection", "features": [{"geometry": {"type": "Point", "coordinates": [0, 0]}}]}')
    good = ("--people", 10, "--step", 5)
    for arguments, osm, sentence in [
        (("--people", 0, "--step", 5), None, "--people must be from 1"),
        (("--people", 1_000_001, "--step", 5), None, "--people must be from 1"),
        (("--people", 10, "--step", 0), None, "--step must be from 0.5"),
        (("--people", 10, "--step", -3), None, "--step"),
        (("--people", 10, "--step", "nan"), None, "--step must be from 0.5"),
        (("--people", "many", "--step", 5), None, "people"),
        (good, tmp_path / "absent.pbf", "there is no file"),
        (good, tmp_path, "is no file"),
        (good, garbage, "no OpenStreetMap PBF"),
        ((*good, "--exits", tmp_path / "absent"), None, "neither"),
        ((*good, "--exits", garbage), None, "no GeoJSON"),
        ((*good, "--exits", far), None, "more than 250 m"),
        ((*good, "--close", 1), None, "no street with that id"),
    ]:
        answer = evacuate(*arguments, osm=osm) if osm else evacuate(*arguments)
        assert answer.returncode not in (0, -6, -11, -4), (arguments, answer)
        assert sentence in answer.stderr, (arguments, answer.stderr)
        assert not answer.stdout
