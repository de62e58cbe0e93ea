"""What jsonschema says of values.

{"cases": [{"draft": 7 | 2019 | 2020, "schema": …, "documents": {URI: …}, "values": […]}]} → [[bool, …], …]
{"metaschemas": true} → {URI: metaschema}
"""

import json
import sys

import jsonschema
from jsonschema_specifications import REGISTRY
from referencing import Registry
from referencing.jsonschema import DRAFT7, DRAFT201909, DRAFT202012

VALIDATORS = {
    7: (jsonschema.Draft7Validator, DRAFT7),
    2019: (jsonschema.Draft201909Validator, DRAFT201909),
    2020: (jsonschema.Draft202012Validator, DRAFT202012),
}


def answer(case):
    kind, specification = VALIDATORS[case["draft"]]
    registry = Registry().with_resources(
        (uri, specification.create_resource(document)) for uri, document in case.get("documents", {}).items()
    )
    kind.check_schema(case["schema"])
    validator = kind(case["schema"], registry=registry)
    return [validator.is_valid(value) for value in case["values"]]


given = json.load(sys.stdin)
if given.get("metaschemas"):
    json.dump({uri: REGISTRY[uri].contents for uri in REGISTRY}, sys.stdout)
else:
    json.dump([answer(case) for case in given["cases"]], sys.stdout)
