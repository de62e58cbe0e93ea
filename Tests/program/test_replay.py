"""Real series come in by the normal way, and come out as they are in the file."""

import csv
import datetime
import gzip
import json
import subprocess

import requests

from conftest import ROOT

COLUMNS = {"pm25": 2, "pm10": 3, "o3": 4, "no2": 5, "co": 6, "so2": 7}
"""Column of each attribute; the file calls NO2 이산화탄소 (carbon dioxide)."""

MISSING = ("", "-")


def utc(text):
    """`2018-01-01 24:00` in Seoul as UTC: hour 24 is the next day's first."""
    day, hour = text.split(" ")
    moment = datetime.datetime.strptime(day, "%Y-%m-%d") + datetime.timedelta(hours=int(hour.split(":")[0]) - 9)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def test_five_years_of_seoul_air_are_stored_row_by_row(start, binary, data, tmp_path):
    series = data / "energy-eco" / "air-seoul" / "seoul_city_hourly_2018_2022.csv.gz"
    city = start("--empty", "--data", tmp_path / "city")
    refused = tmp_path / "refused.jsonl"
    told = subprocess.run(
        [binary, "replay", series, "--mapping", ROOT / "Examples" / "mappings" / "air-seoul.yaml", "--to", city.url,
         "--speed", "max", "--state", tmp_path / "position", "--refused", refused],
        capture_output=True, text=True, timeout=600, check=False)
    assert told.returncode == 0, told.stderr
    words = told.stdout.split("\n")[-2].split()
    assert words[0] == "stored" and words[2] == "refused"
    stored, turned_away = int(words[1]), int(words[3])
    with gzip.open(series, "rt", encoding="utf-8") as lines:
        rows = list(csv.reader(lines))[1:]
    assert stored + turned_away == len(rows) == 43_800
    reasons = [json.loads(line) for line in refused.read_text(encoding="utf-8").splitlines()]
    assert len(reasons) == turned_away and all(entry["reason"] for entry in reasons)
    kept_out = {entry["row"] for entry in reasons}
    answer = requests.get(
        f"{city.api}/temporal/entities/urn:ngsi-ld:AirQualityObserved:Seoul:city",
        params={"options": "temporalValues", "timerel": "after", "timeAt": "2017-01-01T00:00:00Z"}, timeout=300)
    assert answer.status_code == 200
    found = answer.json()
    for name, column in COLUMNS.items():
        expected = {}
        for number, row in enumerate(rows, 1):
            if number not in kept_out and row[column].strip() not in MISSING:
                expected[utc(row[1])] = float(row[column])
        assert {time: value for value, time in found[name]["values"]} == expected, name
