"""A recorded series as Python's csv reads it: {"path": …, "kind": "seoul" | "beijing", "every": n} → every nth row,
{"rows": total, "kept": [[time in UTC, {attribute: number or text}], …]}; later rows of an hour are left out.
"""

import csv
import datetime
import gzip
import json
import sys

given = json.load(sys.stdin)
SEOUL = {"초미세먼지": "pm25", "미세먼지": "pm10", "오존": "o3", "이산화탄소": "no2", "일산화탄소": "co", "아황산가스": "so2"}
BEIJING = {
    "PM2.5": "pm25", "PM10": "pm10", "SO2": "so2", "NO2": "no2", "CO": "co", "O3": "o3", "TEMP": "temperature",
    "PRES": "atmosphericPressure", "DEWP": "dewPoint", "RAIN": "precipitation", "WSPM": "windSpeed",
    "wd": "windSector",
}
names = SEOUL if given["kind"] == "seoul" else BEIJING


def utc(row):
    if given["kind"] == "seoul":
        date, hour = row["일시"].split(" ")
        day, hour = datetime.datetime.fromisoformat(date), int(hour[:2])
        local = day + datetime.timedelta(hours=hour - 9)
    else:
        local = datetime.datetime(*(int(row[k]) for k in ("year", "month", "day", "hour"))) - datetime.timedelta(hours=8)
    return local.strftime("%Y-%m-%dT%H:%M:%SZ")


rows, seen, kept = 0, set(), []
with gzip.open(given["path"], "rt", encoding="utf-8") as file:
    for row in csv.DictReader(file):
        rows += 1
        time = utc(row)
        if time in seen:
            continue
        seen.add(time)
        if (len(seen) - 1) % given["every"] == 0:
            values = {n: row[c] for c, n in names.items() if row[c] not in ("", "-", "NA")}
            kept.append([time, {n: v if n == "windSector" else float(v) for n, v in values.items()}])
json.dump({"rows": rows, "distinct": len(seen), "kept": kept}, sys.stdout)
