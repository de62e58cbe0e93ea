"""numpy's percentiles of the numbers on standard input.

Input: {"numbers": [...], "shares": [0..1, ...]}; output: a list, one value for each share.
"""
import json
import sys

import numpy

given = json.load(sys.stdin)
json.dump([float(numpy.percentile(given["numbers"], share * 100)) for share in given["shares"]], sys.stdout)
