"""The stops of a GTFS feed by Python's zipfile and csv: {"path": …} → [{"name": …, "position": [lon, lat]}, …]"""

import csv
import io
import json
import sys
import zipfile

with zipfile.ZipFile(json.load(sys.stdin)["path"]) as feed:
    rows = list(csv.DictReader(io.TextIOWrapper(feed.open("stops.txt"), "utf-8-sig")))
json.dump(
    [{"name": r["stop_name"], "position": [float(r["stop_lon"]), float(r["stop_lat"])]} for r in rows], sys.stdout
)
