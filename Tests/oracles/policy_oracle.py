"""Decides requests with Cedar's own engine: [{policies, entities, requests}] -> [[{allow, reasons, errors}]]."""

import json
import re
import sys

import cedarpy


def decided(result):
    errors = [re.search(r"policy `([^`]*)`", error) for error in result.diagnostics.errors]
    return {
        "allow": result.decision == cedarpy.Decision.Allow,
        "reasons": sorted(result.diagnostics.reasons),
        "errors": sorted({error.group(1) if error else "?" for error in errors}),
        "isReadable": result.decision != cedarpy.Decision.NoDecision,
    }


cases = json.load(sys.stdin)
json.dump([[decided(result) for result in
            cedarpy.is_authorized_batch(case["requests"], case["policies"], case["entities"])] for case in cases],
          sys.stdout)
