"""The operations centre as an operator works in it: by keyboard, in both languages, with others at work beside."""

import json
import time
import urllib.error
import urllib.request
import uuid
from urllib.parse import quote

import pytest
from conftest import until
from test_pages import CONTRAST, FAULTS, SIZES


@pytest.fixture
def desk(server):
    """Opens incidents by the API."""

    def post(path, body):
        request = urllib.request.Request(server + path, json.dumps(body).encode(), {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)

    class Desk:
        def report(self, category, severity=None, place=(129.06, 35.158), channel="voice", **more):
            body = {"source": f"test-{uuid.uuid4()}", "number": "1", "channel": channel, "category": category, **more}
            if place:
                body["position"] = {"longitude": place[0], "latitude": place[1], "uncertainty": 40}
            if severity:
                body["severity"] = severity
            return post("/city/v1/safety/reports", body)["incident"]

        def command(self, incident, name, **more):
            return post(f"/city/v1/safety/incidents/{incident}/commands",
                        {"id": str(uuid.uuid4()), "command": name, **more})

        def incident(self, incident):
            with urllib.request.urlopen(f"{server}/city/v1/safety/incidents/{incident}", timeout=30) as answer:
                return json.load(answer)["incident"]

        def end(self, incident):
            """Brings it to its end, whatever its state."""
            for dispatch in self.incident(incident)["dispatches"]:
                self.command(incident, "unit", unit=dispatch["unit"], status="cancelled")
            for name, more in [("acknowledge", {}), ("resolve", {"outcome": "false-alarm", "text": "test"}),
                               ("close", {"summary": "test"})]:
                try:
                    self.command(incident, name, **more)
                except urllib.error.HTTPError:
                    pass

    desk = Desk()
    before = queue(server)
    yield desk
    for incident in queue(server):
        if incident not in before:
            desk.end(incident)


def queue(server):
    with urllib.request.urlopen(server + "/city/v1/safety/incidents?limit=1000", timeout=30) as answer:
        return [item["incident"]["id"] for item in json.load(answer)]


def ready(page):
    page.wait_for_selector("#stream[data-state=live]", timeout=60000)
    if page.query_selector("#map"):
        page.wait_for_selector("#map[data-ready]", timeout=90000)


def incident_path(incident):
    return "/operations/incidents/" + quote(incident, safe="")


def test_an_intrusion_from_alarm_to_close_without_the_mouse(city, desk, visit, shots):
    page = visit("/operations", "ko", wait=False)
    ready(page)
    incident = desk.report("intrusion", channel="camera", place=(129.0605, 35.1577))
    row = f".op-row[data-id='{incident}']"
    page.wait_for_selector(row, timeout=10000)
    assert "경보" in page.text_content(row)
    until(page, "document.title.startsWith('(')")
    assert "침입" in page.text_content("#say")
    page.keyboard.press("j")
    for _ in range(50):
        if page.evaluate("document.activeElement.closest('.op-row')?.dataset.id") == incident:
            break
        page.keyboard.press("j")
    page.keyboard.press("Enter")
    page.wait_for_url("**/operations/incidents/**")
    ready(page)
    page.keyboard.press("a")
    page.wait_for_selector(".notice.good")
    assert desk.incident(incident)["status"] == "acknowledged"
    ready(page)
    page.keyboard.press("t")
    page.wait_for_selector(".notice.good")
    for step in ("verify", "tell-112"):
        ready(page)
        page.wait_for_selector(f"#step-{step}[data-key='1']")
        page.keyboard.press("1")
        page.wait_for_selector(f"#step-{step}", state="detached")
    ready(page)
    page.keyboard.press("r")
    until(page, "document.activeElement.name === 'outcome'")
    page.keyboard.press("Tab")
    page.keyboard.type("순찰조가 확인, 침입자 없음")
    page.keyboard.press("Enter")
    page.wait_for_selector("#close")
    ready(page)
    page.screenshot(path=str(shots / "operations-resolved.png"), full_page=True)
    page.keyboard.press("c")
    until(page, "document.activeElement.name === 'summary'")
    page.keyboard.type("112 통보 후 종결")
    page.keyboard.press("Enter")
    page.wait_for_selector("#reopen")
    ended = desk.incident(incident)
    assert ended["status"] == "closed" and ended["outcome"]["text"] == "순찰조가 확인, 침입자 없음"
    ready(page)
    page.keyboard.press("q")
    page.wait_for_url("**/operations")
    ready(page)
    assert not page.query_selector(row)


def test_what_others_do_appears_and_nothing_typed_is_lost(city, desk, visit):
    incident = desk.report("fire", "Extreme")
    page = visit(incident_path(incident), "en", wait=False)
    ready(page)
    page.keyboard.press("w")
    page.keyboard.type("smoke from the third")
    desk.command(incident, "acknowledge")
    desk.command(incident, "note", text="neighbour's call: <b>all out</b>")
    page.wait_for_selector("#timeline .entry-note", timeout=10000)
    assert "<b>all out</b>" in page.text_content("#timeline"), "as text, never as markup"
    assert page.input_value("#note-text") == "smoke from the third"
    assert page.evaluate("document.activeElement.id") == "note-text"
    assert not page.query_selector("#do-acknowledge")


def test_an_alarm_sounds_until_it_is_heard_and_can_be_muted(city, desk, visit):
    page = visit("/operations", "en", wait=False)
    ready(page)
    page.click("#sound summary")
    desk.report("medical", "Severe")
    until(page, "document.documentElement.dataset.sounded === 'Severe'", 20)
    page.uncheck("[name=sound][value=Severe]")
    page.evaluate("delete document.documentElement.dataset.sounded")
    page.wait_for_timeout(6000)
    assert page.evaluate("document.documentElement.dataset.sounded ?? ''") == ""
    page.reload()
    ready(page)
    assert not page.is_checked("[name=sound][value=Severe]"), "it stays muted on this screen"


def test_a_refusal_is_told_and_keeps_what_was_typed(city, desk, visit):
    incident = desk.report("fire", "Severe")
    desk.command(incident, "acknowledge")
    desk.command(incident, "dispatch", unit="pump 1", agency="119", task="water")
    desk.command(incident, "resolve", outcome="handled", text="out")
    page = visit(incident_path(incident), "en", wait=False, allowed_status=(409,))
    ready(page)
    page.fill("#close input[name=summary]", "all done")
    page.click("#close button")
    page.wait_for_selector("#fault")
    assert "tell-119" in page.text_content("#fault") or "pump 1" in page.text_content("#fault")
    assert page.input_value("#close input[name=summary]") == "all done"
    until(page, "document.activeElement.id === 'fault'")


def test_a_report_is_taken_with_a_click_on_the_map(city, desk, visit):
    page = visit("/operations/report", "en", wait=False)
    page.wait_for_selector("#map[data-ready]", timeout=90000)
    page.select_option("#category", "flood")
    page.fill("#text", "water in the underpass")
    box = page.locator("#map").bounding_box()
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    assert abs(float(page.input_value("#longitude")) - 129.06) < 0.002
    page.click(".report-form button[type=submit]")
    page.wait_for_url("**/operations/incidents/**")
    assert "water in the underpass" in page.text_content("#reports")
    assert "A new incident is open." in page.text_content(".notice.good")


def test_an_incident_is_played_again(city, desk, visit):
    incident = desk.report("intrusion")
    for name, more in [("acknowledge", {}), ("note", {"text": "one"}), ("note", {"text": "two"})]:
        desk.command(incident, name, **more)
    page = visit(incident_path(incident) + "/replay?step=1", "en", wait=False)
    assert "nobody has heard" in page.text_content("#replay-state")
    page.fill("#replay-speed", "1000")
    page.click("#replay-play")
    until(page, "document.getElementById('replay-slider').value === '5'")
    until(page, "document.getElementById('replay-state').textContent.includes('two')")
    page.keyboard.press("Escape")
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("ArrowLeft")
    until(page, "!document.getElementById('replay-state').textContent.includes('two')")


def test_the_shift_is_handed_over(city, desk, visit, shots):
    incident = desk.report("gas-leak")
    false = desk.report("intrusion", channel="camera")
    desk.end(false)
    page = visit("/operations/shift", "en", wait=False)
    text = page.text_content("main")
    assert "Gas leak " + incident.split(":")[-1] in text
    assert "False alarm" in text
    page.emulate_media(media="print")
    assert page.is_visible(".signature") and not page.is_visible(".period")
    page.screenshot(path=str(shots / "operations-shift-print.png"), full_page=True)
    page = visit("/operations/figures", "ko", wait=False)
    page.wait_for_selector("table")
    assert "오경보" in page.text_content("main")


@pytest.mark.parametrize("language", ["ko", "en"])
@pytest.mark.parametrize("name", SIZES)
def test_pages_fit_and_can_be_read(city, desk, visit, shots, language, name):
    width, height = SIZES[name]
    incident = desk.report("fire", "Extreme", text="긴 신고 내용 " * 20, address="부산광역시 부산진구 중앙대로 692 " * 2,
                           contact="010-0000-0000")
    desk.report("intrusion", channel="camera")
    desk.command(incident, "acknowledge")
    desk.command(incident, "dispatch", unit="부산진 펌프 1", agency="119", task="화재 진압")
    paths = {"queue": "/operations", "incident": incident_path(incident), "report": "/operations/report",
             "shift": "/operations/shift", "figures": "/operations/figures",
             "replay": incident_path(incident) + "/replay?step=2"}
    for kind, path in paths.items():
        page = visit(path, language, width, height, wait=False)
        if kind in ("queue", "incident"):
            ready(page)
        page.wait_for_timeout(300)
        page.screenshot(path=str(shots / f"operations-{kind}-{language}-{name}.png"), full_page=kind != "queue")
        assert page.evaluate(FAULTS) == [], f"{kind} {language} {name}"
        assert page.evaluate(CONTRAST) == [], f"{kind} {language} {name}"
        page.close()
