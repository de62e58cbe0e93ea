"""Backup, restore, check: a city's data folder is carried away while it runs, and whatever is wrong with one is told."""

import json
import os
import re
import shutil
import sqlite3
import subprocess
import threading
import time

import pytest
import requests

from conftest import ROOT

ENTITIES = 40


def madang(binary, *arguments, **options):
    return subprocess.run([binary, *map(str, arguments)], capture_output=True, text=True, timeout=300, check=False,
                          **options)


def entity(number, value):
    return {"id": f"urn:ngsi-ld:Gauge:{number}", "type": ["Gauge", "Thing"], "scope": "/a/b",
            "level": {"type": "Property", "value": value, "observedAt": f"2026-01-01T{value % 24:02}:00:00Z"},
            "place": {"type": "GeoProperty", "value": {"type": "Point", "coordinates": [number / 10, 37.5]}},
            "name": {"type": "LanguageProperty", "languageMap": {"ko": "수위", "en": "level"}}}


def fill(city, rounds=1, numbers=range(ENTITIES)):
    for value in range(1, rounds + 1):
        answer = requests.post(f"{city.api}/entityOperations/upsert", timeout=30,
                               json=[entity(number, value) for number in numbers])
        assert answer.status_code in (201, 204), answer.text


def subscribe(city, port=9):
    answer = requests.post(
        f"{city.api}/subscriptions", timeout=30,
        json={"id": "urn:ngsi-ld:Subscription:1", "type": "Subscription", "entities": [{"type": "Gauge"}],
              "notification": {"endpoint": {"uri": f"http://127.0.0.1:{port}/"}}})
    assert answer.status_code == 201, answer.text


@pytest.fixture
def stopped(start, tmp_path):
    """The data folder of a city that was filled and stopped: entities, histories, a subscription, its outbox."""
    city = start("--empty", "--data", tmp_path / "city")
    subscribe(city)
    fill(city, 3)
    assert city.stop() == 0
    return tmp_path / "city"


def state(city):
    """Everything a client can see of the entities, their histories and the subscription."""
    entities = requests.get(f"{city.api}/entities?type=Gauge&limit=1000&options=sysAttrs", timeout=60)
    histories = requests.get(f"{city.api}/temporal/entities?type=Gauge&limit=1000&timerel=after"
                             "&timeAt=2001-01-01T00:00:00Z&options=sysAttrs", timeout=60)
    subscription = requests.get(f"{city.api}/subscriptions/urn:ngsi-ld:Subscription:1", timeout=60).json()
    subscription.pop("status", None)
    subscription["notification"] = {"endpoint": subscription["notification"]["endpoint"]}
    return entities.json(), histories.json(), subscription


def test_a_running_city_is_backed_up_and_comes_back_whole(start, binary, tmp_path):
    """While batches go in. A batch is one transaction, so that the backup must hold all of it or nothing."""
    city = start("--empty", "--data", tmp_path / "city")
    subscribe(city)
    fill(city)
    acknowledged, asked, over = 1, 1, threading.Event()

    def write():
        nonlocal acknowledged, asked
        session = requests.Session()
        while not over.is_set():
            asked = acknowledged + 1
            answer = session.post(f"{city.api}/entityOperations/upsert", timeout=30,
                                  json=[entity(number, asked) for number in range(ENTITIES)])
            assert answer.status_code in (201, 204), answer.text
            acknowledged = asked
            # What came meanwhile is read back several times.
            time.sleep(0.05)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for round in range(2):
            backup, restored = tmp_path / f"backup{round}", tmp_path / f"restored{round}"
            time.sleep(0.3)
            before = acknowledged
            told = madang(binary, "backup", tmp_path / "city", backup)
            after = asked
            assert told.returncode == 0, told.stderr
            assert f"{ENTITIES} entities" in told.stdout
            assert sorted(os.listdir(backup)) == ["backup.json", "city.sqlite", "evidence", "identity"]
            told = madang(binary, "check", tmp_path / "city")
            assert told.returncode == 0, (told.stdout, told.stderr)
            told = madang(binary, "check", backup)
            assert told.returncode == 0, (told.stdout, told.stderr)
            told = madang(binary, "restore", backup, restored)
            assert told.returncode == 0, (told.stdout, told.stderr)
            assert sorted(os.listdir(restored)) == ["city.sqlite", "evidence", "identity"]
            # The city's own keys come along, and nobody else may read them there either.
            assert {oct(one.stat().st_mode & 0o777) for one in [*(restored / "evidence").iterdir(), *(restored / "identity").iterdir()]} == {"0o600"}
            again = start("--empty", "--data", restored)
            entities, histories, subscription = state(again)
            levels = {one["level"]["value"] for one in entities}
            assert len(entities) == ENTITIES and len(levels) == 1, "a batch is there in part"
            level = levels.pop()
            assert before <= level <= after, (before, level, after)
            for history in histories:
                # Half a hundred values at most share the 24 instants: every one is there.
                assert sorted(one["value"] for one in history["level"]) == list(range(1, level + 1))
            assert subscription["notification"]["endpoint"]["uri"] == "http://127.0.0.1:9/"
            assert again.stop() == 0
            assert madang(binary, "check", restored).returncode == 0
    finally:
        over.set()
        writer.join()
    assert acknowledged > 8, "too few writes came meanwhile to prove anything"
    assert city.stop() == 0
    assert not [name for name in os.listdir(tmp_path) if "partial" in name]


def test_other_files_of_the_folder_come_along(stopped, start, binary, tmp_path):
    (stopped / "keys").mkdir()
    (stopped / "keys" / "own.pem").write_bytes(b"not really a key")
    os.mkfifo(stopped / "pipe")
    told = madang(binary, "backup", stopped, tmp_path / "backup")
    assert told.returncode == 0, told.stderr
    assert "neither a file nor a folder" in told.stderr
    record = json.loads((tmp_path / "backup" / "backup.json").read_text(encoding="utf-8"))
    assert {name for name in record["files"] if not name.startswith(("evidence/", "identity/"))} == {"city.sqlite", "keys/own.pem"}
    assert madang(binary, "restore", tmp_path / "backup", tmp_path / "again").returncode == 0
    assert (tmp_path / "again" / "keys" / "own.pem").read_bytes() == b"not really a key"
    before, after = start("--empty", "--data", stopped), start("--empty", "--data", tmp_path / "again")
    assert state(before) == state(after)
    # One byte of any file of a backup is missed.
    (tmp_path / "backup" / "keys" / "own.pem").write_bytes(b"not really a kez")
    for told in (madang(binary, "check", tmp_path / "backup"),
                 madang(binary, "restore", tmp_path / "backup", tmp_path / "third")):
        assert told.returncode == 1 and "keys/own.pem is damaged: its hash is not that of the backup." in told.stdout
    assert not (tmp_path / "third").exists()


def test_nothing_is_overwritten(stopped, start, binary, tmp_path):
    assert madang(binary, "backup", stopped, tmp_path / "backup").returncode == 0
    told = madang(binary, "backup", stopped, tmp_path / "backup")
    assert told.returncode != 0 and "is there already; a backup overwrites nothing" in told.stderr
    told = madang(binary, "restore", tmp_path / "backup", stopped)
    assert told.returncode != 0 and "is not empty" in told.stderr
    city = start("--empty", "--data", tmp_path / "running")
    told = madang(binary, "restore", tmp_path / "backup", tmp_path / "running")
    assert told.returncode != 0 and "A city is running on" in told.stderr
    assert city.stop() == 0
    (tmp_path / "file").write_text("x", encoding="utf-8")
    told = madang(binary, "restore", tmp_path / "backup", tmp_path / "file")
    assert told.returncode != 0 and "is a file" in told.stderr
    # An empty folder may be filled.
    (tmp_path / "empty").mkdir()
    told = madang(binary, "restore", tmp_path / "backup", tmp_path / "empty")
    assert told.returncode == 0, told.stderr


def test_a_killed_city_is_read_with_its_log(start, binary, tmp_path):
    city = start("--empty", "--data", tmp_path / "city")
    subscribe(city)
    fill(city, 2)
    city.kill()
    assert (tmp_path / "city" / "city.sqlite-wal").stat().st_size > 0
    shutil.copytree(tmp_path / "city", tmp_path / "copied")
    for folder in ("city", "copied"):
        told = madang(binary, "check", tmp_path / folder)
        assert told.returncode == 0 and f"sound: {ENTITIES} entities" in told.stdout, (told.stdout, told.stderr)
    told = madang(binary, "restore", tmp_path / "copied", tmp_path / "restored")
    assert told.returncode == 0, told.stderr
    assert "has no backup.json" in told.stderr
    entities, _, _ = state(start("--empty", "--data", tmp_path / "restored"))
    assert {one["level"]["value"] for one in entities} == {2}


def version1():
    """The store that the Swift tests keep as version 1 wrote it."""
    text = (ROOT / "Tests" / "StoreSQLiteTests" / "Version1.swift").read_text(encoding="utf-8")
    return re.search(r'"""\n(.*)\n  """', text, re.DOTALL).group(1)


@pytest.mark.parametrize("version", [1, 2])
def test_older_versions_are_checked_restored_and_brought_forward(start, binary, tmp_path, version):
    (tmp_path / "old").mkdir()
    file = tmp_path / "old" / "city.sqlite"
    with sqlite3.connect(file) as database:
        database.executescript(version1())
        if version == 2:
            database.execute("INSERT INTO attribute_value(attribute, value, pk) VALUES (3, x'0000', 1)")
            database.execute("PRAGMA user_version = 2")
    database.close()
    before = file.read_bytes()
    told = madang(binary, "check", tmp_path / "old")
    assert told.returncode == 0, (told.stdout, told.stderr)
    assert f"sound: 1 entities, 2 instances of history, 0 documents, 0 waiting notifications (version {version}, " \
        in told.stdout
    assert file.read_bytes() == before, "a check changes nothing"
    assert madang(binary, "backup", tmp_path / "old", tmp_path / "backup").returncode == 0
    told = madang(binary, "restore", tmp_path / "backup", tmp_path / "new")
    assert told.returncode == 0, (told.stdout, told.stderr)
    with sqlite3.connect(tmp_path / "new" / "city.sqlite") as database:
        assert database.execute("PRAGMA user_version").fetchone() == (4,)
    database.close()
    with sqlite3.connect(tmp_path / "backup" / "city.sqlite") as database:
        assert database.execute("PRAGMA user_version").fetchone() == (version,), "a backup stays as it was made"
    database.close()
    city = start("--empty", "--data", tmp_path / "new")
    found = requests.get(f"{city.api}/entities/urn:e:1", timeout=30).json()
    assert found["urn:a"]["value"] == 42 and found["scope"] == "/a/b"
    history = requests.get(f"{city.api}/temporal/entities/urn:e:1?timerel=after&timeAt=2001-01-01T00:00:00Z"
                           "&timeproperty=createdAt",
                           timeout=30).json()
    assert history["urn:a"][0]["value"] == 42
    assert city.stop() == 0
    assert madang(binary, "check", tmp_path / "new").returncode == 0


# What is done to a sound store, and what the check says of it.
DAMAGE = [
    ("UPDATE entity SET document = substr(document, 1, length(document) - 3) WHERE pk = 7", "cannot be decoded"),
    ("UPDATE entity SET id = 'urn:other' WHERE pk = 7", "is stored with the document of urn:ngsi-ld:Gauge:6"),
    ("UPDATE entity SET expires = 1 WHERE pk = 7", "differ in when it expires"),
    ("UPDATE entity SET tenant = 99 WHERE pk = 7", "belongs to tenant 99, which is not there"),
    ("DELETE FROM entity WHERE pk = 7", "rows that belong to nothing"),
    ("DELETE FROM entity_type WHERE pk = 7", "is not listed under its type"),
    ("INSERT INTO entity_type VALUES (9999, 7)", "entity_type has 1 rows that belong to nothing"),
    ("DELETE FROM entity_scope WHERE pk = 7", "is not listed under its scope /a/b"),
    ("UPDATE attribute_value SET value = 4.5 WHERE pk = 7 AND typeof(value) = 'real'",
     "is not listed under a value of its attribute"),
    ("INSERT INTO attribute_value VALUES (1, 4.5, 7)", "attribute_value has 1 rows that belong to nothing"),
    ("DELETE FROM geometry WHERE id >> 20 = 7", "is not listed where its attribute"),
    ("UPDATE geometry SET west = 120, east = 121 WHERE id >> 20 = 7", "is not listed where its attribute"),
    ("UPDATE summary SET count = count + 1 WHERE type = 0 AND attribute = 0", "1 counts of types and attributes differ"),
    ("UPDATE name SET tenant = 5 WHERE id = 1", "belongs to tenant 5"),
    ("UPDATE piece SET last = last + 1 WHERE id = 1", "holds other times than its row says"),
    ("UPDATE piece SET body = x'ffff' WHERE id = 1", "has a piece (1) that cannot be decoded"),
    ("DELETE FROM series WHERE id = 1", "Pieces that belong to no history: 1"),
    ("UPDATE arrival SET body = x'01ff'", "cannot be decoded"),
    ("UPDATE arrival SET number = number + 100000", "holds another number"),
    ("UPDATE counter SET next = 2", "cannot be decoded"),
    ("DELETE FROM evolution WHERE pk = 1", "that belong to no history"),
    ("DELETE FROM evolution_type WHERE pk = 1", "is not listed under its type"),
    ("UPDATE document SET body = x'09' WHERE collection = 'subscriptions'", "cannot be decoded"),
    ("INSERT INTO document(tenant, collection, id, body) VALUES (1, 'delivery-records', 'urn:x', x'0800')",
     "The delivery record of urn:x belongs to no subscription"),
    ("UPDATE outbox SET tenant = 99", "belongs to tenant 99"),
    ("UPDATE outbox SET payload = x'5b'", "cannot be read"),
]


def test_every_kind_of_damage_is_told(start, binary, tmp_path):
    city = start("--empty", "--data", tmp_path / "city")
    subscribe(city)
    # More than 64 changes of a history, so that there are pieces and arrivals.
    fill(city, 66, range(8))
    city.kill()
    folder = tmp_path / "city"
    with sqlite3.connect(folder / "city.sqlite") as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        assert all(database.execute(f"SELECT count(*) FROM {table}").fetchone()[0] > 0
                   for table in ("piece", "arrival", "outbox", "geometry", "entity_scope"))
    database.close()
    assert madang(binary, "check", folder).returncode == 0
    for number, (statement, finding) in enumerate(DAMAGE):
        broken = tmp_path / "broken"
        shutil.copytree(folder, broken)
        with sqlite3.connect(broken / "city.sqlite") as database:
            changed = database.execute(statement).rowcount
        database.close()
        assert changed != 0, f"{statement}: changes nothing"
        told = madang(binary, "check", broken)
        assert told.returncode == 1, statement
        assert finding in told.stdout, (statement, told.stdout[:2000])
        if number % 9 == 0:
            told = madang(binary, "backup", broken, tmp_path / "backup")
            assert told.returncode == 1 and "is damaged: no backup was made" in told.stderr, (statement, told.stderr)
            assert not (tmp_path / "backup").exists()
        shutil.rmtree(broken)
    assert not [name for name in os.listdir(tmp_path) if "partial" in name]


def half(file):
    os.truncate(file, os.path.getsize(file) // 8192 * 4096)


def holed(file):
    """Bytes in the middle of every sixth page become others."""
    with open(file, "r+b") as pages:
        for page in range(6, os.path.getsize(file) // 4096, 6):
            pages.seek(page * 4096 + 1000)
            pages.write(b"\xa5" * 512)


def garbage(file):
    file.write_bytes(os.urandom(1 << 16))


def newer(file):
    with sqlite3.connect(file) as database:
        database.execute("PRAGMA user_version = 99")
    database.close()


def foreign(file):
    file.unlink()
    with sqlite3.connect(file) as database:
        database.execute("CREATE TABLE bookmark(url TEXT)")
    database.close()


@pytest.mark.parametrize("harm, sentence", [
    (half, "malformed|SQLite: |cannot be read"), (holed, "SQLite: |malformed"),
    (garbage, "file is not a database"), (newer, "the store has version 99; this program knows versions up to 4"),
    (foreign, "the file belongs to another program"), (lambda file: file.write_bytes(b""), "is empty"),
    (lambda file: file.unlink(), "holds no city")])
def test_files_that_are_no_store_are_refused_with_the_reason(stopped, binary, tmp_path, harm, sentence):
    assert madang(binary, "backup", stopped, tmp_path / "backup").returncode == 0
    for folder, command in ((stopped, ["check", stopped]), (stopped, ["backup", stopped, tmp_path / "other"]),
                            (tmp_path / "backup", ["restore", tmp_path / "backup", tmp_path / "restored"])):
        if (folder / "city.sqlite").exists():
            harm(folder / "city.sqlite")
        (folder / "backup.json").unlink(missing_ok=True)
        told = madang(binary, *command)
        assert told.returncode != 0
        assert re.search(sentence, told.stdout + told.stderr), (command[0], told.stdout, told.stderr)
        assert "Fatal" not in told.stderr
    assert not (tmp_path / "other").exists() and not (tmp_path / "restored").exists()


def test_a_city_is_not_made_in_another_programs_file(stopped, binary):
    foreign(stopped / "city.sqlite")
    before = (stopped / "city.sqlite").read_bytes()
    told = madang(binary, "up", "--empty", "--data", stopped)
    assert told.returncode != 0 and "belongs to another program" in told.stderr
    assert (stopped / "city.sqlite").read_bytes() == before


def test_paths_that_are_none_are_told(stopped, binary, tmp_path):
    (tmp_path / "file").write_text("x", encoding="utf-8")
    for command, sentence in (
            (["check", tmp_path / "nowhere"], "There is no folder"),
            (["check", tmp_path / "file"], "is a file. Give the folder"),
            (["backup", stopped, tmp_path / "no" / "where"], "No such file or directory"),
            (["backup", stopped, tmp_path / "file" / "x"], "Not a directory"),
            (["restore", tmp_path / "nowhere", tmp_path / "x"], "There is no folder")):
        told = madang(binary, *command)
        assert told.returncode != 0 and sentence in told.stderr, (command, told.stderr)


def test_a_disk_without_space_is_told(stopped, start, binary, tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    if os.geteuid() != 0 or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", disk],
                                           capture_output=True, check=False).returncode != 0:
        pytest.skip("a disk without space: mounting a small one is not allowed here")
    try:
        told = madang(binary, "backup", stopped, disk / "backup")
        assert told.returncode == 1 and "No space is left on the disk" in told.stderr, told.stderr
        assert os.listdir(disk) == []
        assert madang(binary, "backup", stopped, tmp_path / "backup").returncode == 0
        told = madang(binary, "restore", tmp_path / "backup", disk / "city")
        assert told.returncode == 1 and "No space is left on the disk" in told.stderr, told.stderr
        assert os.listdir(disk) == []
    finally:
        subprocess.run(["umount", disk], check=True)


def test_folders_that_may_not_be_used_are_told(stopped, binary, tmp_path):
    if os.geteuid() != 0:
        pytest.skip("folders that may not be used: becoming another user is not allowed here")
    program = tmp_path / "madang"
    shutil.copy(binary, program)
    for folder in (tmp_path, *tmp_path.parents):
        if folder.stat().st_uid == 0 and folder != folder.parent and not os.access(folder, os.F_OK):
            pytest.skip("folders that may not be used: the folder of the test is closed")
    os.chmod(stopped / "city.sqlite", 0o600)
    # The city's keys are for its own user only.
    shutil.rmtree(stopped / "identity")
    opened = [folder for folder in (tmp_path, *tmp_path.parents) if not folder.stat().st_mode & 0o001]
    for folder in opened:
        os.chmod(folder, folder.stat().st_mode | 0o011)
    told = madang(program, "check", stopped, user=65534, group=65534)
    assert told.returncode == 1 and "may not be read" in told.stderr, told.stderr
    # Readable, but nothing may be made beside it.
    os.chmod(stopped / "city.sqlite", 0o644)
    os.chmod(stopped, 0o755)
    told = madang(program, "check", stopped, user=65534, group=65534)
    assert told.returncode == 0, (told.stdout, told.stderr)
    told = madang(program, "backup", stopped, tmp_path / "backup", user=65534, group=65534)
    assert told.returncode == 1 and "Permission denied" in told.stderr, told.stderr
