"""What jsonschema makes of city manifests, and Python's own canonical JSON of them.

{"schema": {...}, "texts": [YAML, ...]} → [{"valid": bool, "canonical": text, "error": text}]

The canonical form follows RFC 8785: members sorted by UTF-16 code units, numbers as ECMAScript writes them.
"""

import json
import sys

import jsonschema
import yaml


def number(value):
    if value == int(value) and abs(value) < 1e21:
        return str(int(value))
    text = repr(float(value))
    if "e" not in text:
        return text
    mantissa, exponent = text.split("e")
    power = int(exponent)
    digits = mantissa.lstrip("-").replace(".", "")
    sign = "-" if value < 0 else ""
    if -7 <= power < 0:
        return sign + "0." + "0" * (-power - 1) + digits
    return f"{mantissa}e{power:+d}"


def canonical(value):
    if isinstance(value, dict):
        names = sorted(value, key=lambda name: name.encode("utf-16-be"))
        return "{" + ",".join(f"{json.dumps(n, ensure_ascii=False)}:{canonical(value[n])}" for n in names) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(canonical, value)) + "]"
    if isinstance(value, bool) or value is None or isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    return number(value)


def answer(validator, text):
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError as error:
        return {"valid": False, "error": str(error)}
    problem = next(validator.iter_errors(value), None)
    if problem is not None:
        return {"valid": False, "error": f"{list(problem.path)}: {problem.message[:300]}"}
    return {"valid": True, "canonical": canonical(value)}


given = json.load(sys.stdin)
jsonschema.Draft202012Validator.check_schema(given["schema"])
check = jsonschema.Draft202012Validator(given["schema"])
json.dump([answer(check, text) for text in given["texts"]], sys.stdout)
