"""IDF1 of tracks by motmetrics: {"pictures": [{"truth": [[id, x, y, w, h]], "tracks": [[id, x, y, w, h]]}]} to {"idf1": number}."""

import json
import sys

import motmetrics
import numpy as np


def idf1(pictures):
    accumulator = motmetrics.MOTAccumulator(auto_id=True)
    for picture in pictures:
        truth, tracks = (np.array(picture[kind], dtype=float).reshape(-1, 5) for kind in ("truth", "tracks"))
        # Distances of boxes that overlap too little are NaN.
        distances = motmetrics.distances.iou_matrix(truth[:, 1:], tracks[:, 1:], max_iou=0.5)
        accumulator.update(truth[:, 0].astype(int), tracks[:, 0].astype(int), distances)
    return float(motmetrics.metrics.create().compute(accumulator, metrics=["idf1"]).iloc[0, 0])


if __name__ == "__main__":
    print(json.dumps({"idf1": idf1(json.load(sys.stdin)["pictures"])}))
