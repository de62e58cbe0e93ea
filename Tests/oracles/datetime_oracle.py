"""Microseconds since 1970 by Python's datetime: {"texts": [...]} → [integer or null]."""

import datetime
import json
import sys

EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)


def microseconds(text):
    try:
        return (datetime.datetime.fromisoformat(text) - EPOCH) // datetime.timedelta(microseconds=1)
    except ValueError:
        return None


json.dump([microseconds(text) for text in json.load(sys.stdin)["texts"]], sys.stdout)
