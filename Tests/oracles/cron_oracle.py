"""Times of cron expressions by croniter and zoneinfo: [{"cron", "zone", "after", "count"}] → [[seconds since 1970]].

croniter walks the clock on the wall; zoneinfo, with IANA's data, says which instants that clock shows. A time that says an
hour and is left out comes at the end of the gap, one that comes twice counts first; where the hour begins with `*`, both
instants of a doubled time count and none of one that is left out.
"""

import json
import sys
from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo

from croniter import croniter

UTC = timezone.utc


def instants(wall, zone, hourly):
    found = set()
    for fold in (0, 1):
        one = wall.replace(tzinfo=zone, fold=fold).astimezone(UTC)
        if one.astimezone(zone).replace(tzinfo=None) == wall:
            found.add(one)
    if found:
        return found if hourly else {min(found)}
    if hourly:
        return set()
    # The end of the gap: the first minute whose clock is not behind this one.
    one = (wall - timedelta(hours=3)).replace(tzinfo=zone).astimezone(UTC)
    while one.astimezone(zone).replace(tzinfo=None) < wall:
        one += timedelta(minutes=1)
    return {one}


def times(case):
    zone = ZoneInfo(case["zone"])
    after = datetime.fromtimestamp(case["after"], UTC)
    wall = after.astimezone(zone).replace(tzinfo=None) - timedelta(hours=26)
    hourly = case["cron"].split()[1].startswith("*")
    walk = croniter(case["cron"], wall)
    found = set()
    # A doubled hour brings instants later than walls after it: some more than asked for, then the first of them.
    while len([one for one in found if one > after]) < case["count"] + 130:
        found |= instants(walk.get_next(datetime), zone, hourly)
    return [int(one.timestamp()) for one in sorted(one for one in found if one > after)[:case["count"]]]


json.dump([times(case) for case in json.load(sys.stdin)], sys.stdout)
