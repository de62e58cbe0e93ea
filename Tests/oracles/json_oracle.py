"""What Python's json module makes of texts: {"texts": [...]} → [{"valid": bool, "value": …}].

Texts come as lists of bytes, so that broken UTF-8 can be asked about. NaN and Infinity, which Python reads, and
objects with a name twice count as invalid.
"""

import json
import sys


def refuse(name):
    raise ValueError(name)


def unique(pairs):
    if len({name for name, _ in pairs}) != len(pairs):
        raise ValueError("a name twice")
    return dict(pairs)


def answer(octets):
    try:
        text = bytes(octets).decode("utf-8")
        value = json.loads(text.lstrip("\ufeff"), parse_constant=refuse, object_pairs_hook=unique)
        # Lone surrogates and infinite numbers cannot be passed on.
        json.dumps(value, ensure_ascii=False, allow_nan=False).encode("utf-8")
        return {"valid": True, "value": value}
    except (ValueError, RecursionError):
        return {"valid": False}


json.dump([answer(text) for text in json.load(sys.stdin)["texts"]], sys.stdout)
