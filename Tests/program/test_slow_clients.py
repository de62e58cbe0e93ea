"""Clients that send or read so slowly that they are hardly there cost the others nothing, and go in the end.

MADANG_SLOW_CLIENTS (300) are there at once; 10000 is the long form. It needs as many open files as that in this process.
"""

import asyncio
import multiprocessing
import os
import resource
import time

import pytest
import requests

CLIENTS = int(os.environ.get("MADANG_SLOW_CLIENTS", "300"))
SECONDS = 6 if CLIENTS <= 1000 else 60
PAGE = 1000


class Slow:
    """One client; comes again when it is let go."""

    manners = ("silent", "head", "body", "reads", "listens")

    def __init__(self, number, host, port):
        self.manner = self.manners[number % len(self.manners)]
        self.number, self.host, self.port = number, host, port
        self.connections = 0
        self.refused = 0

    async def run(self):
        while True:
            try:
                reader, writer = await asyncio.open_connection(self.host, self.port, limit=1024)
            except OSError:
                self.refused += 1
                await asyncio.sleep(1)
                continue
            self.connections += 1
            try:
                await getattr(self, self.manner)(reader, writer)
            except (OSError, asyncio.IncompleteReadError):
                pass
            finally:
                writer.close()
            await asyncio.sleep(0.5)

    async def silent(self, reader, _):
        await reader.read(1)

    async def drip(self, reader, writer, data):
        async def send():
            for byte in data:
                writer.write(bytes([byte]))
                await writer.drain()
                await asyncio.sleep(5)

        sending = asyncio.ensure_future(send())
        try:
            await reader.read(1)
        finally:
            sending.cancel()

    async def head(self, reader, writer):
        await self.drip(reader, writer, b"GET /ngsi-ld/v1/types HTTP/1.1\r\nHost: city\r\nX-Slow: " + b"x" * 1000)

    async def body(self, reader, writer):
        writer.write(b"POST /ngsi-ld/v1/entities HTTP/1.1\r\nHost: city\r\nContent-Type: application/json\r\n"
                     b"Content-Length: 1000\r\n\r\n")
        await self.drip(reader, writer, b'{"id": "urn:x:' + b"x" * 900)

    async def reads(self, reader, writer):
        # Twenty ask for what is long: to make the answer costs the city more than to wait for the reader.
        limit = PAGE if self.number < 100 else 1
        writer.write(b"GET /ngsi-ld/v1/entities?type=Bench&limit=%d HTTP/1.1\r\nHost: city\r\n\r\n" % limit)
        while await reader.read(100):
            await asyncio.sleep(2)

    async def listens(self, reader, writer):
        writer.write(b"GET /ngsi-ld/v1/types HTTP/1.1\r\nHost: city\r\n\r\n")
        while await reader.read(1000):
            await asyncio.sleep(5)


def test_slow_clients_cost_the_others_nothing(start):
    files = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = CLIENTS + 200
    if files[1] != resource.RLIM_INFINITY and files[1] < wanted:
        pytest.skip(f"{CLIENTS} slow clients: this process may have {files[1]} files open")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(files[0], wanted), files[1]))
    try:
        city = start("--empty")
        text = "x" * 1000
        for part in range(4):
            answer = requests.post(f"{city.api}/entityOperations/create", timeout=60, json=[
                {"id": f"urn:ngsi-ld:Bench:{part * 250 + number}", "type": "Bench",
                 "text": {"type": "Property", "value": text}} for number in range(250)])
            assert answer.status_code == 201
        before = city.memory()
        # In processes of their own, so that the others are not kept waiting by their own side.
        parts = [range(CLIENTS)[part::max(1, CLIENTS // 2000)] for part in range(max(1, CLIENTS // 2000))]
        crowd = [multiprocessing.get_context("fork").Process(target=come, args=(city.url, part), daemon=True)
                 for part in parts]
        for part in crowd:
            part.start()
        try:
            worst, asked, most = others(city)
            memory = city.memory()
        finally:
            for part in crowd:
                part.kill()
                part.join()
        print(f"{CLIENTS} slow clients: {most} connected at once, {asked} requests of others meanwhile, "
              f"the longest {worst:.2f} s, memory {before:.0f} to {memory:.0f} MB")
        assert most >= CLIENTS * 0.8, "they were not there"
        assert asked > 10 and worst < 5
        # A connection has about 8 KB, and the answers that are read slowly are bounded by who asks for them.
        assert memory - before < 60 + CLIENTS * 0.05
        # When they are gone nothing is left of them.
        end = time.monotonic() + 60
        while connections(city) > 5 and time.monotonic() < end:
            time.sleep(0.5)
        assert connections(city) <= 5
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, files)


def connections(city, by=requests):
    return by.get(f"{city.url}/health.json", timeout=60).json()["connections"]["open"]["value"]


def come(url, numbers):
    asyncio.run(stay(url, numbers))


async def stay(url, numbers):
    host, port = url.removeprefix("http://").split(":")
    tasks = []
    for count, number in enumerate(numbers):
        tasks.append(asyncio.ensure_future(Slow(number, host, int(port)).run()))
        # They come over some twenty seconds: how fast connections are taken is another question than what they cost.
        if count % 50 == 49:
            await asyncio.sleep(0.5)
    await asyncio.gather(*tasks)


def others(city):
    """What others see meanwhile: the longest two answers, how many were asked for, and how many slow ones were there."""
    worst, asked, most = 0.0, 0, 0
    begin = time.monotonic()
    session = requests.Session()
    while (past := time.monotonic() - begin) < SECONDS or most < CLIENTS * 0.8 and past < 3 * SECONDS:
        begun = time.monotonic()
        body = {"id": f"urn:ngsi-ld:Other:{asked}", "type": "Other", "n": {"type": "Property", "value": asked}}
        assert session.post(f"{city.api}/entities", json=body, timeout=60).status_code == 201
        assert session.get(f"{city.api}/entities/{body['id']}", timeout=60).status_code == 200
        worst = max(worst, time.monotonic() - begun)
        asked += 1
        # By the connection that is there: a new one would wait for its turn behind the crowd.
        most = max(most, connections(city, session))
        time.sleep(0.1)
    return worst, asked, most
