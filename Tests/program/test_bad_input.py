"""What the socket lets in: bodies without end, requests without end, and people who mistype."""

import concurrent.futures
import json
import resource
import socket
import subprocess
import time

import pytest
import requests

from conftest import ROOT


@pytest.fixture
def city(start):
    return start("--empty")


def answers(city):
    begun = time.monotonic()
    assert requests.get(f"{city.api}/types", timeout=20).status_code == 200
    return time.monotonic() - begun


def test_a_body_of_100_mb_is_refused_within_bounded_memory(city):
    before = city.memory()

    def body():
        for _ in range(100):
            yield b" " * (1 << 20)

    try:
        answer = requests.post(f"{city.api}/entities", data=body(), timeout=60,
                               headers={"Content-Type": "application/json"})
        assert answer.status_code == 413
    except requests.ConnectionError:
        pass  # The server may close while the client still sends.
    answers(city)
    assert city.memory() - before < 150


def test_half_sent_requests_are_let_go_and_hold_up_nobody(city):
    host, port = city.url.removeprefix("http://").split(":")
    half = []
    for number in range(200):
        connection = socket.create_connection((host, int(port)), timeout=10)
        connection.sendall(b"POST /ngsi-ld/v1/entities HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                           + (b"" if number % 2 else b"Content-Length: 1000\r\n\r\n{\"id\":"))
        half.append(connection)
    assert answers(city) < 10
    half[0].settimeout(60)
    assert half[0].recv(1) in (b"", b"H")  # Closed, or answered with a refusal; never silent for ever.
    for connection in half:
        connection.close()


def test_ten_thousand_idle_connections_slow_nobody_down(city):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < 10_500:
        pytest.skip(f"idle connections: the system allows {hard} open files; 10,500 are needed")
    resource.setrlimit(resource.RLIMIT_NOFILE, (10_500, hard))
    host, port = city.url.removeprefix("http://").split(":")
    before = city.memory()
    idle = []
    try:
        begun = time.monotonic()
        # Within the idle time, so that all of them are open at once.
        while len(idle) < 10_000:
            idle.append(socket.create_connection((host, int(port)), timeout=20))
        opened = time.monotonic() - begun
        health = requests.get(f"{city.url}/health.json", timeout=20).json()["connections"]["open"]
        assert health["value"] > 10_000 or opened > 25
        assert health["bound"] > 10_000
        assert max(answers(city) for _ in range(5)) < 2
        assert city.memory() - before < 250
    finally:
        for connection in idle:
            connection.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_a_wrong_manifest_is_told_with_line_and_key(binary, tmp_path):
    good = (ROOT / "Examples" / "demo.city.yaml").read_text(encoding="utf-8")
    wrong = tmp_path / "wrong.city.yaml"
    wrong.write_text(good.replace("population:", "populaton:", 1), encoding="utf-8")
    line = 1 + good[: good.index("population:")].count("\n")
    told = subprocess.run([binary, "up", wrong], capture_output=True, text=True, timeout=60, check=False)
    assert told.returncode != 0
    assert f"wrong.city.yaml:{line}" in told.stderr and "populaton" in told.stderr and "population" in told.stderr


def test_a_taken_port_is_told_in_a_sentence(binary, city):
    port = city.url.rsplit(":", 1)[1]
    told = subprocess.run([binary, "up", "--empty", "--port", port], capture_output=True, text=True, timeout=60,
                          check=False)
    assert told.returncode != 0
    assert f"Port {port} is taken" in told.stderr


def test_memory_of_many_large_bodies_is_given_back(city):
    body = json.dumps([{"id": f"urn:ngsi-ld:Load:{number}", "type": "Load",
                        "text": {"type": "Property", "value": "x" * 2000}} for number in range(2000)])

    def send(_):
        answer = requests.post(f"{city.api}/entityOperations/upsert", data=body, timeout=120,
                               headers={"Content-Type": "application/json"})
        assert answer.status_code in (201, 204)

    before = city.memory()
    most = before
    with concurrent.futures.ThreadPoolExecutor(12) as pool:
        sent = [pool.submit(send, number) for number in range(24)]
        while not all(one.done() for one in sent):
            most = max(most, city.memory())
            time.sleep(0.1)
    for one in sent:
        one.result()
    deadline = time.monotonic() + 30
    while city.memory() - before > (most - before) / 2 and time.monotonic() < deadline:
        time.sleep(0.5)
    held = city.memory()
    assert held - before <= (most - before) / 2, f"{before} MB before, {most} MB at most, {held} MB still held"
