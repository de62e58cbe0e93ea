"""Real series come in by the normal way, and come out as they are in the file."""

import csv
import datetime
import gzip
import json
import os
import random
import signal
import subprocess
import time

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


def evolution(city, identifier, names):
    """Values by attribute and time; a value that came twice for an instant fails."""
    answer = requests.get(
        f"{city.api}/temporal/entities/{identifier}", timeout=300,
        params={"options": "temporalValues", "timerel": "after", "timeAt": "2001-01-01T00:00:00Z",
                "attrs": ",".join(names)})
    assert answer.status_code == 200, (answer.status_code, answer.headers)
    found = {}
    for name in names:
        pairs = answer.json().get(name, {"values": []})["values"]
        found[name] = {moment: value for value, moment in pairs}
        assert len(found[name]) == len(pairs), f"{identifier} {name}: an instant came twice"
    return found


def test_a_client_killed_again_and_again_stores_every_row_once(start, binary, tmp_path):
    """Killed in the middle of batches, also while the hub stands still with a batch that it has not carried out."""
    chance = random.Random(20261122)
    sensors, hours = 6, 6000
    expected = {}
    series = tmp_path / "series.csv"
    with open(series, "w", encoding="utf-8") as lines:
        lines.write("time,sensor,level,flow\n")
        for hour in range(hours):
            moment = datetime.datetime(2020, 1, 1) + datetime.timedelta(hours=hour)
            for sensor in range(sensors):
                level, flow = round(chance.uniform(0, 100), 3), hour * sensors + sensor
                broken = chance.random() < 0.01
                stamp = moment.strftime("%Y-%m-%dT%H:%M:%SZ")
                lines.write(f"{stamp},{sensor},{'broken' if broken else level},{flow}\n")
                if not broken:
                    expected.setdefault((sensor, "level"), {})[stamp] = level
                    expected.setdefault((sensor, "flow"), {})[stamp] = flow
    mapping = tmp_path / "mapping.yaml"
    mapping.write_text("""mapping: 1
format: csv
entity: {id: "urn:ngsi-ld:Gauge:{sensor}", type: Gauge}
observedAt: {from: "{time}", pattern: iso8601, timeZone: UTC}
attributes:
  level: {column: level}
  flow: {column: flow}
""", encoding="utf-8")
    city = start("--empty", "--data", tmp_path / "city")
    command = [binary, "replay", series, "--mapping", mapping, "--to", city.url, "--state", tmp_path / "position",
               "--refused", tmp_path / "refused.jsonl"]
    kills = 0
    stands_still = False
    while True:
        client = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        if stands_still:
            # The batches of the client before and the questions of this one come to the hub in the same moment.
            time.sleep(0.5)
            os.kill(city.process.pid, signal.SIGCONT)
        try:
            client.wait(timeout=chance.uniform(1.2, 2.0) if kills < 12 else 300)
            break
        except subprocess.TimeoutExpired:
            pass
        stands_still = kills % 3 != 2
        if stands_still:
            os.kill(city.process.pid, signal.SIGSTOP)
            time.sleep(0.05)
        client.kill()
        client.wait(timeout=30)
        kills += 1
    told = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert told.returncode == 0, told.stderr
    stored = sum(len(expected[sensor, "flow"]) for sensor in range(sensors))
    assert told.stdout.split("\n")[-2] == f"stored {stored} refused {sensors * hours - stored}"
    assert kills >= 3, "the client was through before it could be killed"
    for sensor in range(sensors):
        found = evolution(city, f"urn:ngsi-ld:Gauge:{sensor}", ["level", "flow"])
        for name in ("level", "flow"):
            assert found[name] == expected[sensor, name], (sensor, name)


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


BEIJING = {"pm25": "PM2.5", "pm10": "PM10", "so2": "SO2", "no2": "NO2", "co": "CO", "o3": "O3", "temperature": "TEMP",
           "atmosphericPressure": "PRES", "dewPoint": "DEWP", "precipitation": "RAIN", "windSpeed": "WSPM",
           "windSector": "wd"}


def test_beijing_comes_out_value_by_value(start, binary, data, tmp_path):
    """One station; all twelve with MADANG_ALL_STATIONS=1."""
    folder = data / "energy-eco" / "air-beijing"
    files = sorted(folder.glob("PRSA_Data_*.csv.gz"))
    assert len(files) == 12
    if not os.environ.get("MADANG_ALL_STATIONS"):
        files = files[3:4]
    city = start("--empty", "--data", tmp_path / "city")
    told = subprocess.run(
        [binary, "replay", *files, "--mapping", ROOT / "Examples" / "mappings" / "air-beijing.yaml", "--to", city.url,
         "--state", tmp_path / "position", "--refused", tmp_path / "refused.jsonl"],
        capture_output=True, text=True, timeout=1800, check=False)
    assert told.returncode == 0, told.stderr
    expected = {}
    rows = 0
    for file in files:
        with gzip.open(file, "rt", encoding="utf-8") as lines:
            for row in csv.DictReader(lines):
                rows += 1
                moment = datetime.datetime(*(int(row[part]) for part in ("year", "month", "day", "hour")))
                stamp = (moment - datetime.timedelta(hours=8)).strftime("%Y-%m-%dT%H:%M:%SZ")
                for name, column in BEIJING.items():
                    if row[column] not in ("", "NA"):
                        value = row[column] if name == "windSector" else float(row[column])
                        expected.setdefault((row["station"], name), {})[stamp] = value
    words = told.stdout.split("\n")[-2].split()
    assert int(words[1]) + int(words[3]) == rows == 35_064 * len(files)
    assert len(expected) == 12 * len(files)
    for (station, name), values in expected.items():
        found = evolution(city, f"urn:ngsi-ld:AirQualityObserved:Beijing:{station}", [name])[name]
        assert found == values, (station, name)
    print(f"{sum(map(len, expected.values()))} values of {len(files)} station(s) compared")
