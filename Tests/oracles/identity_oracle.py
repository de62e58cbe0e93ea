"""IDF1 of tracks by motmetrics: {"pictures": [{"truth": [[id, x, y, w, h]], "tracks": [[id, x, y, w, h]]}]} to {"idf1": number}."""

import json
import sys

import motmetrics
import numpy as np


def distances(ones, others):
    """1 - intersection over union; NaN for boxes that overlap too little. (motmetrics' own needs NumPy 1.)"""
    low = np.maximum(ones[:, None, :2], others[None, :, :2])
    high = np.minimum(ones[:, None, :2] + ones[:, None, 2:], others[None, :, :2] + others[None, :, 2:])
    shared = np.clip(high - low, 0, None).prod(axis=2)
    overlap = shared / (ones[:, 2:].prod(axis=1)[:, None] + others[:, 2:].prod(axis=1)[None, :] - shared)
    return np.where(overlap >= 0.5, 1 - overlap, np.nan)


def idf1(pictures):
    accumulator = motmetrics.MOTAccumulator(auto_id=True)
    for picture in pictures:
        truth, tracks = (np.array(picture[kind], dtype=float).reshape(-1, 5) for kind in ("truth", "tracks"))
        accumulator.update(truth[:, 0].astype(int), tracks[:, 0].astype(int), distances(truth[:, 1:], tracks[:, 1:]))
    return float(motmetrics.metrics.create().compute(accumulator, metrics=["idf1"]).iloc[0, 0])


if __name__ == "__main__":
    print(json.dumps({"idf1": idf1(json.load(sys.stdin)["pictures"])}))
