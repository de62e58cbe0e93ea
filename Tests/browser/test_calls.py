"""Calls for help from a phone: one tap, with the phone's place, without a voice, with a photo, and answered."""

import base64
import json
import urllib.error
import urllib.parse
import urllib.request

import pytest
from conftest import Watch, until
from test_operations import desk, incident_path, ready  # noqa: F401
from test_pages import CONTRAST, FAULTS

# A picture as phones take them: larger than what a call takes.
LARGE_JPEG = """() => {
  const canvas = Object.assign(document.createElement('canvas'), {width: 3000, height: 2000});
  const pen = canvas.getContext('2d');
  const image = pen.createImageData(3000, 2000);
  let state = 1;
  for (let i = 0; i < image.data.length; i++) {
    state = (state * 1103515245 + 12345) % 2147483648;
    image.data[i] = i % 4 === 3 ? 255 : state >> 16;
  }
  pen.putImageData(image, 0, 0);
  return canvas.toDataURL('image/jpeg', 0.9).split(',')[1];
}"""
PHONE = {"width": 390, "height": 800}


@pytest.fixture
def phone(browser, server):
    """`phone(accuracy)` is a page on a phone that says where it is; without it the phone does not say."""
    contexts = []

    def take(accuracy=None, language="ko", script=True):
        more = {"geolocation": {"longitude": 129.0612, "latitude": 35.1571, "accuracy": accuracy}} if accuracy else {}
        context = browser.new_context(viewport=PHONE, locale="ko-KR" if language == "ko" else "en-US",
                                      java_script_enabled=script, color_scheme="dark", **more)
        if accuracy:
            context.grant_permissions(["geolocation"], origin=server)
        contexts.append(context)
        page = context.new_page()
        page.watch = Watch(page)
        page.goto(server + "/call")
        return page

    yield take
    for context in contexts:
        context.close()


def opened(server, number):
    with urllib.request.urlopen(f"{server}/city/v1/safety/incidents/urn:ngsi-ld:Incident:{number}", timeout=30) as answer:
        return json.load(answer)["incident"]


def number(page):
    return page.text_content("#call-stage strong").strip()


def test_one_tap_calls_and_the_place_gets_better(city, server, desk, phone, visit, shots):
    page = phone(accuracy=80)
    page.screenshot(path=str(shots / "call-ko-phone.png"))
    assert page.evaluate(FAULTS) == [] and page.evaluate(CONTRAST) == []
    page.check("[name=silent]")
    page.click(".call-first")
    page.wait_for_url("**/call/*")
    incident = opened(server, number(page))
    assert incident["category"] == "emergency-call" and incident["alarming"]
    report = incident["reports"][0]
    assert report["channel"] == "page" and report["silent"]
    assert report["position"]["uncertainty"] == 80 and abs(report["position"]["longitude"] - 129.0612) < 1e-6
    page.context.set_geolocation({"longitude": 129.0613, "latitude": 35.1572, "accuracy": 12})
    city.wait_until(lambda: opened(server, number(page))["position"].get("uncertainty") == 12, 20)

    operator = visit(incident_path(incident["id"]), "ko", wait=False)
    ready(operator)
    assert "전화를 걸지 마십시오" in operator.text_content("#reports")
    operator.keyboard.press("a")
    operator.wait_for_selector(".notice.good")
    page.wait_for_selector(".stage-heard", timeout=10000)
    ready(operator)
    operator.keyboard.press("e")
    operator.keyboard.type("순찰차가 갑니다. 문을 잠그고 기다리세요")
    operator.keyboard.press("Enter")
    page.wait_for_selector(".words .city", timeout=10000)
    assert "순찰차가 갑니다" in page.text_content(".words")
    page.fill("#say", "2층 <b>안방</b>입니다")
    page.click("#call-more button[type=submit]")
    page.wait_for_selector(".words .mine")
    assert "<b>안방</b>" in page.text_content(".words .mine")
    desk.command(incident["id"], "dispatch", unit="순찰 3", agency="112")
    desk.command(incident["id"], "unit", unit="순찰 3", status="en-route")
    page.wait_for_selector(".stage-on-the-way", timeout=10000)
    page.screenshot(path=str(shots / "call-status-ko-phone.png"), full_page=True)
    assert page.evaluate(FAULTS) == [] and page.evaluate(CONTRAST) == []
    assert page.watch.faults == []


def test_a_photo_comes_along_and_only_photos_do(city, server, desk, phone, visit):
    page = phone(language="en")
    page.click("button[value=fire]")
    page.wait_for_url("**/call/*")
    data = base64.b64decode(page.evaluate(LARGE_JPEG))
    assert len(data) > 1_000_000
    page.set_input_files("#photo", {"name": "fire.jpg", "mimeType": "image/jpeg", "buffer": data})
    until(page, "document.getElementById('call-wait').textContent.includes('is sent')", 30)
    incident = opened(server, number(page))
    operator = visit(incident_path(incident["id"]), "en", wait=False)
    operator.wait_for_selector("#photos img")
    until(operator, "document.querySelector('#photos img').naturalWidth > 700")
    ticket = page.url.split("/")[-1]
    for body, status in [(b"<svg onload=alert(1)>", 400), (b"\xff\xd8\xff" + b"x" * 800_000, 413)]:
        request = urllib.request.Request(f"{server}/call/{ticket}/photo", body, {"Content-Type": "image/jpeg"})
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(request, timeout=30)
        assert refused.value.code == status


def test_it_works_without_script_and_without_a_place(city, server, desk, phone):
    page = phone(language="en", script=False)
    page.click("summary")
    page.fill("#call-text", "somebody fell down the stairs")
    page.fill("#call-contact", "010-1234-5678")
    page.click("button[value=medical]")
    page.wait_for_url("**/call/*")
    assert "No place was sent" in page.text_content("#call-stage")
    report = opened(server, number(page))["reports"][0]
    assert report["text"] == "somebody fell down the stairs" and report["contact"] == "010-1234-5678"
    page.fill("#say", "building 7")
    page.click("#call-more button[type=submit]")
    assert "building 7" in page.text_content(".words")


def test_a_ticket_opens_one_call_and_nothing_else(city, server, desk, phone):
    page = phone(language="en")
    page.click(".call-first")
    page.wait_for_url("**/call/*")
    incident = opened(server, number(page))
    ticket = page.url.split("/")[-1]
    record = json.dumps(incident)
    assert ticket not in record, "who reads the record does not learn the secret of who called"
    desk.command(incident["id"], "note", text="caller is known to us")
    page.reload()
    assert "known to us" not in page.content()
    page.goto(server + "/call/" + ticket[:-1] + "x")
    assert "There is no such call" in page.text_content("main")
    desk.end(incident["id"])
    page.goto(server + "/call/" + ticket)
    assert "This call is over" in page.text_content("#call-stage")
    body = urllib.parse.urlencode({"text": "again"}).encode()
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(urllib.request.Request(f"{server}/call/{ticket}", body), timeout=30)
    assert refused.value.code == 409
