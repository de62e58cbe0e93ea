"""What is older than a dataset keeps it goes, whatever happens meanwhile."""

import subprocess
import threading
import time

import requests

SERIES, LENGTH = 40, 3000


def test_kill_minus_nine_in_the_middle_of_a_removal(start, binary, tmp_path):
    city = start("--empty", "--data", tmp_path / "city")
    for number in range(SERIES):
        instances = [{"type": "Property", "value": hour,
                      "observedAt": f"2020-{1 + hour // 720:02}-{1 + hour // 24 % 30 % 28:02}T{hour % 24:02}:00:00Z"}
                     for hour in range(LENGTH)]
        answer = requests.post(f"{city.api}/temporal/entities", timeout=60, json={
            "id": f"urn:ngsi-ld:Tank:{number}", "type": "Tank", "level": instances})
        assert answer.status_code == 201, answer.text
    answer = requests.post(f"{city.url}/city/v1/datasets", timeout=10, json={
        "id": "tanks", "title": "t", "description": "d", "publisher": {"name": "p"},
        "licence": "https://example.org/l", "entities": {"types": ["Tank"]}, "retention": {"days": 365}})
    assert answer.status_code == 201, answer.text

    def remove():
        try:
            requests.post(f"{city.url}/admin/retention", json={}, timeout=120)
        except requests.RequestException:
            pass

    def removed():
        return requests.get(f"{city.url}/city/v1/datasets/tanks", timeout=10).json()["retention"]["removedInstances"]

    kills = []
    for pause in (0.05, 0.15, 0.3):
        asked = threading.Thread(target=remove)
        asked.start()
        # Meanwhile others write as ever: a removal never holds the writer long.
        end, worst, number = time.monotonic() + pause, 0, 0
        while time.monotonic() < end:
            begun = time.monotonic()
            body = {"id": f"urn:ngsi-ld:Other:{number}:{pause}", "type": "Other", "n": {"type": "Property", "value": 1}}
            assert requests.post(f"{city.api}/entities", json=body, timeout=30).status_code == 201
            worst, number = max(worst, time.monotonic() - begun), number + 1
        city.kill()
        asked.join()
        told = subprocess.run([binary, "check", tmp_path / "city"], capture_output=True, text=True, timeout=120, check=False)
        assert told.returncode == 0, told.stdout
        city = start("--empty", "--data", tmp_path / "city")
        kills.append((removed(), round(worst, 3)))
    answer = requests.post(f"{city.url}/admin/retention", json={}, timeout=300).json()
    assert removed() == SERIES * LENGTH == kills[-1][0] + answer["removedInstances"], (kills, answer)
    # The entities never were; so their histories are gone whole.
    assert requests.get(f"{city.api}/temporal/entities/urn:ngsi-ld:Tank:7", timeout=30).status_code == 404
    assert city.stop() == 0
    told = subprocess.run([binary, "check", tmp_path / "city"], capture_output=True, text=True, timeout=120, check=False)
    assert told.returncode == 0, told.stdout
    print(f"retention: {SERIES * LENGTH} instances; removed at each kill, and the longest write meanwhile: {kills}")
