"""The sun's height by NOAA's spreadsheet formulas (after Meeus, "Astronomical Algorithms", chapter 25), which are more
precise than the almanac's: {"samples": [[seconds since 1970, longitude, latitude], ...]} → [degrees, ...].
"""

import json
import math
import sys


def elevation(seconds, longitude, latitude):
    rad = math.radians
    century = (seconds / 86400 + 2440587.5 - 2451545) / 36525
    mean_long = (280.46646 + century * (36000.76983 + century * 0.0003032)) % 360
    anomaly = 357.52911 + century * (35999.05029 - 0.0001537 * century)
    eccentricity = 0.016708634 - century * (0.000042037 + 0.0000001267 * century)
    centre = (
        math.sin(rad(anomaly)) * (1.914602 - century * (0.004817 + 0.000014 * century))
        + math.sin(rad(2 * anomaly)) * (0.019993 - 0.000101 * century)
        + math.sin(rad(3 * anomaly)) * 0.000289
    )
    omega = 125.04 - 1934.136 * century
    apparent = mean_long + centre - 0.00569 - 0.00478 * math.sin(rad(omega))
    mean_obliquity = 23 + (26 + (21.448 - century * (46.815 + century * (0.00059 - century * 0.001813))) / 60) / 60
    obliquity = mean_obliquity + 0.00256 * math.cos(rad(omega))
    declination = math.asin(math.sin(rad(obliquity)) * math.sin(rad(apparent)))
    y = math.tan(rad(obliquity / 2)) ** 2
    equation = 4 * math.degrees(
        y * math.sin(2 * rad(mean_long))
        - 2 * eccentricity * math.sin(rad(anomaly))
        + 4 * eccentricity * y * math.sin(rad(anomaly)) * math.cos(2 * rad(mean_long))
        - 0.5 * y * y * math.sin(4 * rad(mean_long))
        - 1.25 * eccentricity**2 * math.sin(2 * rad(anomaly))
    )
    solar = (seconds % 86400 / 60 + equation + 4 * longitude) % 1440
    hour = solar / 4 - 180
    height = math.sin(rad(latitude)) * math.sin(declination) + math.cos(rad(latitude)) * math.cos(declination) * math.cos(
        rad(hour)
    )
    return math.degrees(math.asin(max(-1, min(1, height))))


json.dump([elevation(*sample) for sample in json.load(sys.stdin)["samples"]], sys.stdout)
