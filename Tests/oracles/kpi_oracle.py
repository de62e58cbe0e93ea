"""Computes KPI formulas by Python's own parser and arithmetic, numpy for percentiles.

Input: {"facts": {name: number}, "counts": {type: n}, "values": {"Type.attribute": [number or word, ...]},
"formulas": [text, ...]}; output: a list with a number for each formula, null where it cannot be computed.
"""
import json
import math
import re
import statistics
import sys

import numpy


class Gap(Exception):
    pass


class Judged(list):
    pass


class Reading(list):
    def judge(self, other, holds):
        alike = [one for one in self if isinstance(one, str) == isinstance(other, str)]
        if not alike:
            raise Gap
        return Judged(holds(one, other) for one in alike)

    __lt__ = lambda self, other: self.judge(other, lambda a, b: a < b)
    __le__ = lambda self, other: self.judge(other, lambda a, b: a <= b)
    __gt__ = lambda self, other: self.judge(other, lambda a, b: a > b)
    __ge__ = lambda self, other: self.judge(other, lambda a, b: a >= b)
    __eq__ = lambda self, other: self.judge(other, lambda a, b: a == b)

    def numbers(self):
        found = [one for one in self if not isinstance(one, str)]
        if not found:
            raise Gap
        return found


class Type:
    def __init__(self, name):
        self.name = name

    def __getattr__(self, attribute):
        return Reading(given["values"].get(f"{self.name}.{attribute}", []))


def count(what):
    if isinstance(what, Type):
        return given["counts"].get(what.name, 0)
    return sum(what) if isinstance(what, Judged) else len(what)


class Names(dict):
    def __missing__(self, name):
        return Type(name) if name[0].isupper() else name


given = json.load(sys.stdin)
names = Names(
    {"__builtins__": {}}, count=count, share=statistics.fmean,
    mean=lambda r: statistics.fmean(r.numbers()), sum=lambda r: math.fsum(r.numbers()), min=lambda r: min(r.numbers()),
    max=lambda r: max(r.numbers()), median=lambda r: statistics.median(r.numbers()),
    percentile=lambda r, percentage: float(numpy.percentile(r.numbers(), percentage)), **given["facts"])


def value(formula):
    try:
        return float(eval(re.sub(r"(?<![<>])=", "==", formula), names))
    except (Gap, ZeroDivisionError):
        return None


json.dump([value(formula) for formula in given["formulas"]], sys.stdout)
