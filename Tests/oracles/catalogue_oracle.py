"""What rdflib and pyshacl make of a catalogue.

{"turtle": text, "jsonld": text} → {"triples": n, "isomorphic": bool, "violations": [text], "warnings": [text]}
"""

import json
import sys
from pathlib import Path

import pyshacl
import rdflib
from rdflib.compare import isomorphic

SH = rdflib.Namespace("http://www.w3.org/ns/shacl#")

given = json.load(sys.stdin)
turtle = rdflib.Graph().parse(data=given["turtle"], format="turtle")
linked = rdflib.Graph().parse(data=given["jsonld"], format="json-ld")
shapes = rdflib.Graph().parse(Path(__file__).with_name("dcat_ap_shapes.ttl"))
_, report, _ = pyshacl.validate(turtle, shacl_graph=shapes, allow_warnings=True)


def told(severity):
    results = report.subjects(SH.resultSeverity, severity)
    return sorted(
        f"{report.value(r, SH.focusNode)} {report.value(r, SH.resultPath)} {report.value(r, SH.resultMessage)}"
        for r in results
    )


json.dump(
    {
        "triples": len(turtle),
        "isomorphic": isomorphic(turtle, linked),
        "violations": told(SH.Violation),
        "warnings": told(SH.Warning),
    },
    sys.stdout,
)
