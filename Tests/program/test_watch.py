"""`madang safety watch` on the video of Debian's opencv-doc against its true boxes: detections counted here anew, identities by motmetrics."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from conftest import ROOT

VIDEO = Path("/usr/share/doc/opencv-doc/examples/data/vtest.avi")
TRUTH = "safety/pets09-s2l1-truth-frames-1-400.txt"
ZONES = """
zones:
  - {id: middle, rule: intrusion, area: [[0.38, 0.28], [0.62, 0.28], [0.62, 0.55], [0.38, 0.55]], dwell: 0.5}
  - {id: road, rule: intrusion, area: [[0.6, 0.3], [1, 0.3], [1, 0.8], [0.6, 0.6]], dwell: 0.5}
  - {id: path, rule: intrusion, area: [[0, 0.3], [0.35, 0.3], [0.35, 0.6], [0, 0.6]], dwell: 0.5}
  - {id: stay, rule: loitering, area: [[0.38, 0.28], [0.7, 0.28], [0.7, 0.6], [0.38, 0.6]], dwell: 5}
  - {id: stay-left, rule: loitering, area: [[0.2, 0.2], [0.6, 0.2], [0.6, 0.6], [0.2, 0.6]], dwell: 5}
  - {id: left, rule: lineCrossing, line: [[0.4, 0.1], [0.4, 0.9]]}
  - {id: centre, rule: lineCrossing, line: [[0.65, 0.1], [0.65, 0.9]]}
  - {id: right, rule: lineCrossing, line: [[0.8, 0.1], [0.8, 0.9]]}
  - {id: across, rule: lineCrossing, line: [[0.3, 0.4], [1, 0.4]]}
"""


@pytest.fixture
def watch(binary):
    if not VIDEO.exists():
        pytest.skip(f"watch: {VIDEO} is absent (Debian package opencv-doc)")
    if not (ROOT / ".models/person.pb").exists():
        pytest.skip("watch: the network is absent (make setup)")

    def run(*arguments, video=VIDEO):
        return subprocess.run([binary, "safety", "watch", str(video), *map(str, arguments)], capture_output=True,
                              text=True, timeout=300, cwd=ROOT)

    return run


@pytest.fixture
def truth(data):
    file = data / TRUTH
    if not file.exists():
        pytest.skip(f"watch: {file} is absent")
    return file


def rows(lines):
    """Boxes by frame: (id, x, y, width, height, whether it counts)."""
    found = {}
    for line in lines:
        values = [float(value) for value in line.split(",")]
        found.setdefault(int(values[0]), []).append((int(values[1]), *values[2:6], values[6] != 0))
    return found


def test_people_and_what_they_do_are_found(watch, truth, tmp_path):
    (tmp_path / "zones.yaml").write_text(ZONES)
    answer = watch("--pictures", 400, "--truth", truth, "--zones", tmp_path / "zones.yaml", "--json")
    assert answer.returncode == 0, answer.stderr
    said = json.loads(answer.stdout)
    assert said["pictures"] == 400 and (said["width"], said["height"]) == (768, 576)
    figures = said["truth"]
    assert (figures["firstPicture"], figures["lastPicture"]) == (1, 400)
    assert figures["f1"] >= 0.86 and figures["precision"] >= 0.85 and figures["recall"] >= 0.8
    assert figures["idf1"] >= 0.65
    assert figures["headsHidden"] >= 0.95 and figures["bodiesShown"] >= 0.85
    # Few people stay for long: each that is missed is a fifteenth.
    for rule, least in {"intrusion": 0.88, "lineCrossing": 0.95, "loitering": 0.8}.items():
        assert figures["events"][rule]["f1"] >= least, (rule, figures["events"])

    # The same counted by other code, with all rows of the truth and with those alone that are to be considered.
    pytest.importorskip("motmetrics")
    sys.path.insert(0, str(ROOT / "Tests/oracles"))
    from identity_oracle import distances, idf1
    import numpy as np
    from scipy.optimize import linear_sum_assignment

    mine, real = rows(said["detections"]), rows(truth.read_text().splitlines())
    found = wrong = missed = 0
    pictures = []
    for frame in range(1, 401):
        tracks, people = mine.get(frame, []), real.get(frame, [])
        overlap = 1 - distances(*(np.array([one[1:5] for one in some]).reshape(-1, 4) for some in (people, tracks)))
        pairs = zip(*linear_sum_assignment(-np.nan_to_num(overlap)))
        pairs = [(person, track) for person, track in pairs if overlap[person, track] >= 0.5]
        found += len(pairs)
        wrong += len(tracks) - len(pairs)
        missed += len(people) - len(pairs)
        pictures.append({"truth": [one[:5] for one in people], "tracks": [one[:5] for one in tracks]})
    assert 2 * found / (2 * found + wrong + missed) >= 0.86
    assert abs(idf1(pictures) - figures["idf1"]) < 0.05


def test_lines_of_the_challenge_and_figures_are_printed(watch, truth):
    answer = watch("--pictures", 12, "--truth", truth)
    assert answer.returncode == 0, answer.stderr
    lines = answer.stdout.splitlines()
    detections = [line for line in lines if not line.startswith("#")]
    assert detections and all(re.fullmatch(r"\d+,\d+(,-?\d+(\.\d+)?){5},-1,-1,-1", line) for line in detections)
    assert {int(line.split(",")[0]) for line in detections} <= set(range(1, 13))
    assert re.search(r"# truth, pictures 1 to 12, .* F1 0\.\d{3} at IoU 0\.5; IDF1", answer.stdout)


def test_another_model_is_taken(watch, truth, data):
    model = data / "safety/yolox_nano.onnx"
    if not model.exists():
        pytest.skip(f"watch: {model} is absent")
    pictures = 400 if "release" in os.environ.get("MADANG", "") else 60
    answer = watch("--pictures", pictures, "--truth", truth, "--model", model, "--json")
    assert answer.returncode == 0, answer.stderr
    assert json.loads(answer.stdout)["truth"]["recall"] >= 0.75


def test_bad_input_is_refused_with_a_sentence(watch, tmp_path):
    garbage = tmp_path / "garbage.avi"
    garbage.write_bytes(bytes(range(256)) * 64)
    wrong = tmp_path / "zones.yaml"
    wrong.write_text("zones:\n  - {id: a, rule: intrusion}\n")
    lines = tmp_path / "truth.txt"
    lines.write_text("1,1,0,0,10,10,1\nnonsense\n")
    for arguments, video, says in [
        ([], garbage, "no video that can be read"),
        ([], tmp_path / "absent.avi", "no readable file"),
        ([], "http://example.org/video", "neither a file nor an rtsp"),
        (["--model", garbage], VIDEO, "no network that can be run"),
        (["--model", tmp_path / "absent.onnx"], VIDEO, "no readable file"),
        (["--zones", wrong], VIDEO, "zones.yaml:2"),
        (["--truth", lines], VIDEO, "line 2"),
        (["--pictures", 0], VIDEO, "at least 1"),
    ]:
        answer = watch(*arguments, video=video)
        assert answer.returncode != 0, arguments
        assert says in answer.stderr, (arguments, answer.stderr)
        assert "Fatal error" not in answer.stderr


@pytest.fixture
def camera(tmp_path):
    """Makes cameras of people; they are gone after the test."""
    if not VIDEO.exists() or not Path("/usr/bin/ffmpeg").exists():
        pytest.skip(f"watch: {VIDEO} or /usr/bin/ffmpeg is absent")
    from rtsp_camera import Camera

    stream = tmp_path / "people.h264"
    subprocess.run(["/usr/bin/ffmpeg", "-nostdin", "-loglevel", "error", "-i", VIDEO, "-frames:v", "60", "-c:v", "libx264",
                    "-slices", "1", "-x264-params", "repeat-headers=1:keyint=10:slices=1:sliced-threads=0", "-bf", "0", stream], check=True)
    made = []

    def make(**options):
        made.append(Camera(stream.read_bytes(), **options))
        return made[-1]

    yield make
    for one in made:
        one.close()


def test_a_camera_is_watched_over_rtsp(watch, camera):
    one = camera(rate=10)
    answer = watch("--pictures", 30, "--json", video=one.url)
    assert answer.returncode == 0, answer.stderr
    said = json.loads(answer.stdout)
    assert (said["codec"], said["width"], said["height"], said["pictures"]) == ("h264", 768, 576, 30)
    assert len(said["detections"]) > 40
    assert one.sessions == 2  # once to learn what it is, once to see


def test_a_camera_that_falls_silent_or_wants_a_password_is_said(watch, camera):
    answer = watch("--pictures", 30, video=camera(wants_password=True).url)
    assert answer.returncode != 0 and "another name and password" in answer.stderr
    silent = camera()
    silent.silent = True
    answer = watch("--pictures", 30, video=silent.url)
    assert answer.returncode != 0 and "Fatal error" not in answer.stderr
