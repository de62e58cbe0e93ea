"""The pages before the console, used as people use them: by keyboard, on a phone, with a passkey."""

import os
import re
import socket
import subprocess
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from conftest import ROOT, find_binary

PASSWORD = "four words of mine"


@pytest.fixture(scope="module")
def city(tmp_path_factory):
    """An empty city under a name: no passkey belongs to an address that is a number."""
    if os.environ.get("MADANG_URL"):
        pytest.skip("identity in the browser: it needs a city of its own, and MADANG_URL names another")
    binary = find_binary()
    if binary is None:
        pytest.skip("identity in the browser: no program; set MADANG_BIN, or build madang")
    folder = tmp_path_factory.mktemp("identity")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"http://localhost:{port}"
    with open(folder / "errors", "w", encoding="utf-8") as errors:
        process = subprocess.Popen([str(binary), "up", "--empty", "--data", str(folder / "city"), "--port", str(port),
                                    "--address", address], cwd=ROOT, stdout=subprocess.PIPE, stderr=errors, text=True)
    assert process.stdout.readline().startswith("ready ")
    once = re.search(r"one-time password: (\S+)", (folder / "errors").read_text(encoding="utf-8"))[1]
    yield address, once
    process.terminate()
    process.wait(timeout=30)


def watched(context):
    """A page whose complaints (scripts, policies) are kept."""
    page = context.new_page()
    page.complaints = []
    page.on("console", lambda message: message.type == "error" and page.complaints.append(message.text))
    page.on("pageerror", lambda error: page.complaints.append(str(error)))
    return page


def focus(page, field):
    """Waits until the page has put the cursor there by itself."""
    page.wait_for_function("id => document.hasFocus() && document.activeElement.id === id", arg=field)


def test_people_come_in_by_keyboard_and_by_passkey(browser, city, shots):
    address, once = city
    context = browser.new_context(locale="ko-KR", viewport={"width": 360, "height": 740})
    page = watched(context)
    page.goto(address + "/oauth/account")
    assert page.url.startswith(address + "/oauth/login")
    assert page.locator("h1").inner_text() == "로그인" and page.locator("html").get_attribute("lang") == "ko"
    assert page.evaluate("document.documentElement.scrollWidth <= 360")
    page.screenshot(path=shots / "login-phone.png")
    # The field is focused, Tab leads on, Enter sends.
    focus(page, "username")
    page.keyboard.type("admin")
    page.keyboard.press("Tab")
    page.keyboard.type("wrong")
    page.keyboard.press("Enter")
    page.wait_for_selector("[role=alert]:visible")
    assert "맞지 않습니다" in page.locator("#problem").inner_text()
    focus(page, "password")
    page.keyboard.type(once)
    page.keyboard.press("Enter")
    page.wait_for_url("**/oauth/password**")
    assert page.evaluate("document.documentElement.scrollWidth <= 360")
    focus(page, "current")
    page.keyboard.type(once)
    for _ in range(2):
        page.keyboard.press("Tab")
        page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url(address + "/oauth/account")
    # A passkey, on Chromium's own authenticator.
    driver = context.new_cdp_session(page)
    driver.send("WebAuthn.enable")
    authenticator = driver.send("WebAuthn.addVirtualAuthenticator", {"options": {
        "protocol": "ctap2", "ctap2Version": "ctap2_1", "transport": "internal", "hasResidentKey": True,
        "hasUserVerification": True, "isUserVerified": True, "automaticPresenceSimulation": True}})["authenticatorId"]
    page.fill("#passkey-name", "내 전화")
    page.get_by_role("button", name="패스키 등록").click()
    page.get_by_text("내 전화").wait_for()
    page.screenshot(path=shots / "account-phone.png", full_page=True)
    assert len(driver.send("WebAuthn.getCredentials", {"authenticatorId": authenticator})["credentials"]) == 1

    def log_out():
        page.goto(address + "/oauth/logout")
        page.get_by_role("button", name="로그아웃").click()
        page.wait_for_url("**/oauth/login**")

    log_out()
    page.goto(address + "/oauth/account")
    page.get_by_role("button", name="패스키로 로그인").click()
    page.wait_for_url(address + "/oauth/account")
    assert page.get_by_text("admin").first.is_visible()
    # One that has not verified who holds it does not open.
    log_out()
    driver.send("WebAuthn.setUserVerified", {"authenticatorId": authenticator, "isUserVerified": False})
    page.goto(address + "/oauth/account")
    page.get_by_role("button", name="패스키로 로그인").click()
    page.locator("#passkey-form [role=alert]").wait_for()
    assert page.url.startswith(address + "/oauth/login")
    expected = [text for text in page.complaints if "401" not in text]
    assert not expected, expected
    context.close()


def test_a_program_is_let_in_and_the_policy_lets_the_browser_go_on(browser, city, shots):
    """Chromium holds form-action against the redirect that ends a login."""
    address, _ = city
    context = browser.new_context(locale="en-GB", viewport={"width": 1000, "height": 800})
    page = watched(context)
    arrived = []
    context.route("http://127.0.0.1:4711/**", lambda route: (arrived.append(route.request.url),
                                                             route.fulfill(status=200, body="back"))[1])
    page.goto(address + "/oauth/authorize?" + urlencode({
        "response_type": "code", "client_id": "madang-cli", "redirect_uri": "http://127.0.0.1:4711/callback",
        "scope": "openid", "state": "s", "code_challenge": "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
        "code_challenge_method": "S256"}))
    assert "Madang CLI" in page.locator("main").inner_text()
    page.screenshot(path=shots / "login.png")
    page.fill("#username", "admin")
    page.fill("#password", PASSWORD)
    page.get_by_role("button", name="Log in", exact=True).click()
    page.wait_for_url("http://127.0.0.1:4711/**")
    answered = parse_qs(urlsplit(arrived[0]).query)
    assert answered["state"] == ["s"] and answered["iss"] == [address] and answered["code"]
    assert not page.complaints, page.complaints
    context.close()
