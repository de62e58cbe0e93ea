"""Exceptional access as people ask for it, decide it, end it and review it, in a closed city, by the pages alone."""

import os
import re
import subprocess

import pytest
import requests
from conftest import ROOT, Watch, find_binary, settle
from test_pages import CONTRAST, FAULTS, SIZES

PASSWORD = "four words of mine"
MANIFEST = """
madang: 1
id: granting
kind: downtown-redevelopment
mode: live
seed: 1
sampling: 1
site:
  name: {ko: 마당시, en: Madang}
  country: KR
  timeZone: Asia/Seoul
  centre: [129.06, 35.16]
  area: 1
  climate:
    warmest: {month: 8, celsius: 26}
    coldest: {month: 1, celsius: 3}
    dailyRange: 7
    relativeHumidity: 64
    annualRain: 1500
    windSpeed: 3.5
population: {people: 1000, homes: 400}
services: [administration]
fleets:
  - {id: lights, type: Streetlight, count: 1, cadence: 1h, placement: {pattern: grid}}
roles:
  - {id: operator, name: {ko: 운영자, en: Operator}, may: [read]}
access: {rules: rules.cedar, grants: {longestBreakGlass: 1h}}
"""
RULES = """
permit(principal in Agency::"police", action in [Action::"request", Action::"break-glass"], resource in EntityType::"Camera");
permit(principal in Role::"duty-officer", action == Action::"approve", resource in EntityType::"Camera");
permit(principal in Role::"privacy-officer", action == Action::"review", resource);
"""
PEOPLE = {
    "kim": {"name": "김수사", "agency": "police", "roles": []},
    "lee": {"name": "이당직", "agency": "control", "roles": ["duty-officer", "operator"]},
    "choi": {"name": "최보호", "agency": "audit", "roles": ["privacy-officer"]},
}
CAMERA = "urn:ngsi-ld:Camera:1"


class Closed:
    """A city with rules and three people, who come in by the door that all use."""

    def __init__(self, binary, folder):
        (folder / "rules.cedar").write_text(RULES, encoding="utf-8")
        (folder / "granting.city.yaml").write_text(MANIFEST, encoding="utf-8")
        with open(folder / "errors", "w", encoding="utf-8") as errors:
            self.process = subprocess.Popen(
                [str(binary), "up", str(folder / "granting.city.yaml"), "--data", str(folder / "data"), "--port", "0"],
                cwd=ROOT, stdout=subprocess.PIPE, stderr=errors, text=True)
        line = self.process.stdout.readline()
        said = (folder / "errors").read_text(encoding="utf-8")
        assert line.startswith("ready "), said
        self.url = line.split()[1]
        username, once = re.search(r"first administrator: (\S+), one-time password: (\S+)", said).groups()
        self.web = requests.Session()
        self.csrf = self.log_in(username, once)
        self.send("/oauth/password", data={"csrf": self.csrf, "current": once, "new": PASSWORD, "repeat": PASSWORD,
                                           "back": "/oauth/account"})
        self.csrf = self.log_in(username, PASSWORD)
        for username, person in PEOPLE.items():
            made = self.send("/oauth/people", json={"username": username, "password": PASSWORD, **person})
            assert made.status_code == 201, made.text
        camera = {"id": CAMERA, "type": "Camera", "video": {"type": "Property", "value": "rtsp://x"}}
        assert self.send("/ngsi-ld/v1/entities", json=camera).status_code == 201

    def field(self, page, name):
        return re.search(rf'name="{name}" value="([^"]*)"', page.text)[1]

    def log_in(self, username, password):
        self.web = requests.Session()
        page = self.web.get(self.url + "/oauth/login?back=/oauth/account", timeout=60)
        page = self.web.post(self.url + "/oauth/login", timeout=60, data={
            "csrf": self.field(page, "csrf"), "back": "/oauth/account", "username": username, "password": password})
        return self.field(page, "csrf")

    def send(self, path, **more):
        return self.web.post(self.url + path, headers={"X-CSRF-Token": self.csrf}, timeout=60, **more)


@pytest.fixture(scope="module")
def closed(tmp_path_factory):
    if os.environ.get("MADANG_URL"):
        pytest.skip("grants in the browser: they need a city of their own, and MADANG_URL names another")
    binary = find_binary()
    if binary is None:
        pytest.skip("grants in the browser: no program; set MADANG_BIN, or build madang")
    one = Closed(binary, tmp_path_factory.mktemp("granting"))
    yield one
    one.process.terminate()
    one.process.wait(timeout=30)


@pytest.fixture
def enter(browser, closed):
    """`enter(username, language)` gives a page of somebody who has just logged in, at the list of grants."""
    contexts, watches = [], []

    def log_in(username, language="ko", size="desktop", allowed=(400, 403, 404, 409), **more):
        width, height = SIZES[size]
        context = browser.new_context(
            viewport={"width": width, "height": height}, locale="ko-KR" if language == "ko" else "en-US",
            color_scheme="dark" if language == "ko" else "light", reduced_motion="reduce", **more)
        contexts.append(context)
        page = context.new_page()
        watches.append(Watch(page, allowed))
        page.goto(closed.url + "/grants")
        page.fill("#username", username)
        page.fill("#password", PASSWORD)
        page.keyboard.press("Enter")
        page.wait_for_url("**/grants")
        return page

    yield log_in
    for context in contexts:
        context.close()
    faults = [fault for watch in watches for fault in watch.faults]
    assert not faults, faults


def judge(page, name, shots):
    """Fits, reads well, and is named at every width; leaves a picture of each."""
    at_first = page.viewport_size
    for size, (width, height) in SIZES.items():
        page.set_viewport_size({"width": width, "height": height})
        page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
        page.screenshot(path=shots / f"{name}-{size}.png", full_page=True)
        assert page.evaluate(FAULTS) == [], f"{name} {size}"
        assert page.evaluate(CONTRAST) == [], f"{name} {size}"
        assert page.evaluate("document.documentElement.scrollWidth") <= width, f"{name} {size}: it scrolls sideways"
    page.set_viewport_size(at_first)


def ask(page, purpose, **more):
    page.goto(page.url.split("/grants")[0] + "/grants/new")
    for field, value in {"purpose": purpose, "legalBasis": "형사소송법 제199조", "reason": "사건 7", "type0": "Camera",
                         **more}.items():
        page.fill("#" + field, value)
    page.locator("form.form .doors button").click()


def state(page):
    return page.locator(".verdict strong").inner_text()


def test_police_ask_the_duty_officer_approves_and_it_is_ended(enter, shots):
    kim = enter("kim")
    assert kim.locator("nav[aria-label] a[href='/entities']").count() == 0, "who may not watch is not led to the city"
    assert "김수사 (police)" in kim.locator("header").inner_text()
    judge(kim, "grants-empty-ko", shots)
    kim.goto(kim.url + "/new")
    judge(kim, "grant-new-ko", shots)
    ask(kim, "실종 아동")
    kim.wait_for_url("**/grants/urn*")
    assert state(kim) == "승인 대기" and "요청했습니다" in kim.locator(".notice.good").inner_text()
    assert kim.locator("button[value=approve]").count() == 0, "nobody decides his own"
    address = kim.url.split("?")[0]
    # Loading it again does nothing again.
    kim.reload()
    assert kim.locator("tbody tr").count() == 1

    lee = enter("lee", "en")
    assert "Waiting for you (1)" in lee.locator("#waiting-title").inner_text()
    judge(lee, "grants-waiting-en", shots)
    lee.locator(".grant-link").click()
    lee.wait_for_selector("#decide-note")
    judge(lee, "grant-decide-en", shots)
    # To refuse without a word is no answer.
    lee.get_by_role("button", name="Refuse").click()
    lee.wait_for_selector("[role=alert]")
    assert "Say why you refuse" in lee.locator("[role=alert]").inner_text()
    lee.fill("#decide-note", "본 뒤 승인")
    lee.get_by_role("button", name="Approve", exact=True).click()
    lee.wait_for_url("**done=approve")
    assert state(lee) == "Active" and "Your approval is recorded" in lee.locator(".notice.good").inner_text()
    lee.goto(address.split("/grants/")[0] + "/grants")
    assert "Nothing waits" in lee.locator("section[aria-labelledby=waiting-title]").inner_text()

    kim.goto(address)
    assert state(kim) == "사용 중"
    first = kim.locator("#remaining").inner_text()
    assert re.fullmatch(r"7시간 \d+분", first), first
    rows = kim.locator("section[aria-labelledby=steps-title] tbody tr")
    assert rows.count() == 2 and "이당직 (control)" in rows.nth(1).inner_text() and "본 뒤 승인" in rows.nth(1).inner_text()
    assert all(re.fullmatch(r"\d+", text) for text in rows.locator("td:last-child").all_inner_texts())
    judge(kim, "grant-active-ko", shots)
    kim.emulate_media(media="print", color_scheme="light")
    assert kim.is_visible("dl.facts") and kim.is_visible("section[aria-labelledby=steps-title]")
    assert not kim.is_visible("form") and not kim.is_visible("header nav")
    kim.screenshot(path=shots / "grant-print-ko.png", full_page=True)
    kim.emulate_media(media="screen", color_scheme="dark")
    kim.fill("#revoke-note", "찾았음")
    kim.locator("button[value=revoke]").click()
    kim.wait_for_url("**done=revoke")
    assert state(kim) == "중도 종료됨" and kim.locator("form").count() == 0
    # What is over cannot be decided from a page that was open meanwhile.
    kim.goto(address.split("/grants/")[0] + "/grants")
    assert "실종 아동" in kim.locator("table").inner_text()
    kim.emulate_media(media="print", color_scheme="light")
    assert not kim.is_visible("header nav") and not kim.is_visible(".doors")
    kim.pdf(path=shots / "grants.pdf")


def test_the_glass_is_broken_and_reviewed(enter, shots):
    kim = enter("kim", size="phone")
    kim.get_by_role("link", name="비상 접근").first.click()
    kim.wait_for_selector("#understood")
    judge(kim, "grant-glass-ko", shots)
    assert kim.evaluate("['type0', 'scope0', 'id0'].every((id) => document.getElementById(id).offsetWidth > 280)")
    for field, value in {"purpose": "life", "legalBasis": "실종아동법 제9조", "reason": "강가에서 사라짐", "type0": "Camera"}.items():
        kim.fill("#" + field, value)
    send = kim.get_by_role("button", name="지금 접근 열기")
    send.click()
    assert kim.evaluate("document.activeElement.id") == "understood", "the browser asks for the tick"
    kim.check("#understood")
    send.click()
    kim.wait_for_url("**done=break-glass")
    assert state(kim) == "사용 중 · 심사 안 됨" and "심사 기한" in kim.locator(".grant-due").inner_text()
    assert kim.locator("button[value=review]").count() == 0
    judge(kim, "grant-taken-ko", shots)
    choi = enter("choi", "en")
    choi.locator(".grant-link").first.click()
    choi.wait_for_selector("#review-note")
    judge(choi, "grant-review-en", shots)
    choi.check("input[value=no]")
    choi.fill("#review-note", "no danger to life")
    choi.get_by_role("button", name="Record the review").click()
    choi.wait_for_url("**done=review")
    assert state(choi) == "Ended early" and "not justified" in choi.locator("section[aria-labelledby=steps-title]").inner_text()
    kim.reload()
    assert state(kim) == "중도 종료됨"


def test_what_is_refused_is_told_and_what_was_typed_stays(enter, shots):
    kim = enter("kim", "en")
    ask(kim, "leak", type0="Valve")
    kim.wait_for_selector("[role=alert]")
    alert = kim.locator("[role=alert]").inner_text()
    assert "may not ask for access to all of this" in alert and "김수사 may not request: no rule permits it" in alert
    assert kim.input_value("#purpose") == "leak" and kim.input_value("#type0") == "Valve"
    judge(kim, "grant-refused-en", shots)
    # Each field that is wrong is named, and led to.
    kim.fill("#type0", "Camera")
    kim.fill("#scope0", "north")
    kim.fill("#incident", "urn:ngsi-ld:Incident:none")
    kim.locator("form.form .doors button").click()
    kim.wait_for_selector("a[href='#scope0']")
    kim.locator("a[href='#scope0']").click()
    kim.fill("#scope0", "")
    judge(kim, "grant-faults-en", shots)
    kim.locator("form.form .doors button").click()
    kim.wait_for_selector("a[href='#incident']")
    assert "There is no such incident" in kim.locator("[role=alert]").inner_text()
    # More lines keep what is there.
    kim.get_by_role("button", name="More lines").click()
    kim.wait_for_selector("#type4")
    assert kim.input_value("#purpose") == "leak" and kim.locator("[role=alert]").count() == 0


def test_two_decide_at_once(enter):
    """Who comes second is told that it has changed, and sees how it stands."""
    kim, lee = enter("kim"), enter("lee")
    ask(kim, "twice")
    kim.wait_for_url("**/grants/urn*")
    lee.goto(kim.url.split("?")[0])
    kim.fill("#revoke-note", "needed no more")
    kim.locator("button[value=revoke]").click()
    kim.wait_for_url("**done=revoke")
    lee.fill("#decide-note", "my words")
    lee.locator("button[value=approve]").click()
    lee.wait_for_selector("[role=alert]")
    assert "그 사이에 바뀌어" in lee.locator("[role=alert]").inner_text() and state(lee) == "중도 종료됨"


def test_a_form_without_the_token_of_the_session_is_refused(enter, closed):
    kim = enter("kim", "ko")
    kim.goto(closed.url + "/grants/new")
    kim.evaluate("document.querySelector('form.form input[name=csrf]').remove()")
    for field, value in {"purpose": "no-token", "legalBasis": "x", "reason": "x", "type0": "Camera"}.items():
        kim.fill("#" + field, value)
    kim.locator("form.form .doors button").click()
    kim.wait_for_selector("h1")
    assert kim.locator("h1").inner_text() == "보낸 것이 처리되지 않았습니다"
    kim.goto(closed.url + "/grants")
    assert "no-token" not in kim.locator("main").inner_text()
    # The same by program: no token, a wrong one, one that is too far in; and nobody at all.
    cookies = {cookie["name"]: cookie["value"] for cookie in kim.context.cookies()}
    form = {"purpose": "no-token", "legalBasis": "x", "reason": "x", "type0": "Camera", "a-read": "1", "to": "2099-01-01T00:00"}
    for body, status in ((form, 403), ({**form, "csrf": "x"}, 403), ({**form, "reason": "x" * 70000}, 413)):
        answer = requests.post(closed.url + "/grants/new", data=body, cookies=cookies, timeout=60, allow_redirects=False)
        assert answer.status_code == status, answer.text
    answer = requests.post(closed.url + "/grants/new", data=form, timeout=60, allow_redirects=False)
    assert answer.status_code == 303 and answer.headers["Location"].startswith("/oauth/login")
    answer = requests.get(closed.url + "/entities", cookies=cookies, timeout=60, allow_redirects=False)
    assert answer.status_code == 403, "who may not watch does not see the city"


def test_by_keyboard_alone_and_without_scripts(enter):
    kim = enter("kim", "en", java_script_enabled=False)

    def tab_to(selector, most=60):
        for _ in range(most):
            kim.keyboard.press("Tab")
            if kim.locator(selector).first.evaluate("(e) => e === document.activeElement"):
                return
        raise AssertionError(f"the keyboard does not come to {selector}")

    tab_to("a[href='/grants/new']")
    kim.keyboard.press("Enter")
    kim.wait_for_url("**/grants/new")
    for field, text in (("purpose", "by-keyboard"), ("legalBasis", "Act 9"), ("reason", "case 8"), ("type0", "Camera")):
        tab_to("#" + field)
        kim.keyboard.type(text)
    # Enter in a field sends the request, and asks for no more lines.
    kim.keyboard.press("Enter")
    kim.wait_for_url("**done=request")
    assert state(kim) == "Waiting for approval"
    tab_to("#revoke-note")
    kim.keyboard.type("done")
    tab_to("button[value=revoke]")
    kim.keyboard.press("Enter")
    kim.wait_for_url("**done=revoke")
    assert state(kim) == "Ended early"


def test_the_list_of_who_waits_stays_current(enter):
    lee, kim = enter("lee", "en"), enter("kim")
    ask(kim, "newly-asked")
    kim.wait_for_url("**/grants/urn*")
    lee.locator(".grant-link", has_text="newly-asked").wait_for(timeout=60000)
    kim.locator("button[value=revoke]").click()
    kim.wait_for_url("**done=revoke")


@pytest.mark.parametrize("language", ["ko", "en"])
def test_an_open_city_says_so(visit, shots, language):
    page = visit("/grants", language)
    assert page.locator("main .notice").count() == 1 and page.locator("main form").count() == 0
    assert {"ko": "공개 접근", "en": "Access is open"}[language] in page.locator("main").inner_text()
    settle(page)
    judge(page, f"grants-open-{language}", shots)
