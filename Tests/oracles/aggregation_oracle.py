"""Aggregates {"values": [[time, number], ...], "start": time, "period": time} by numpy, a list for each method."""
import json
import sys

import numpy as np

given = json.load(sys.stdin)
times = np.array([time for time, _ in given["values"]], dtype=np.int64)
numbers = np.array([number for _, number in given["values"]], dtype=np.float64)
piece = (times - given["start"]) // given["period"]
methods = {
    "totalCount": lambda v: v.size,
    "distinctCount": lambda v: np.unique(v).size,
    "sum": np.sum,
    "avg": np.mean,
    "min": np.min,
    "max": np.max,
    "stddev": np.std,
    "sumsq": lambda v: np.sum(v * v),
}
print(json.dumps({
    name: [float(method(numbers[piece == k])) for k in np.unique(piece)] for name, method in methods.items()
}))
