"""People log in at another site by redirect, in a browser that keeps cookies and policies as browsers do.

The provider is a second city, under another name (`localhost`) than the first (`127.0.0.1`), so that the two are different sites.
"""

import os
import re
import socket
import subprocess

import pytest
import requests
from conftest import ROOT, find_binary

PASSWORD = "four words of mine"


class City:
    """A city with an address of its own."""

    def __init__(self, folder, host, port, *what):
        self.address = f"http://{host}:{port}"
        folder.mkdir(exist_ok=True)
        with open(folder / "errors", "w", encoding="utf-8") as errors:
            self.process = subprocess.Popen([str(find_binary()), "up", *map(str, what), "--data", str(folder / "city"), "--port",
                                             str(port), "--address", self.address], cwd=ROOT, stdout=subprocess.PIPE,
                                            stderr=errors, text=True)
        line = self.process.stdout.readline()
        said = (folder / "errors").read_text(encoding="utf-8")
        assert line.startswith("ready "), said
        self.once = re.search(r"one-time password: (\S+)", said)[1]
        # The administrator, who asks by his session.
        self.web = requests.Session()
        self.web.headers["X-CSRF-Token"] = ""

    def form(self, path, **fields):
        page = self.web.get(self.address + path, timeout=30).text
        csrf = re.search(r'name="csrf" value="([^"]*)"', page)[1]
        return csrf, self.web.post(self.address + path, data={"csrf": csrf, **fields}, timeout=60)

    def enter(self):
        self.form("/oauth/login", username="admin", password=self.once, back="/oauth/account")
        self.form("/oauth/password", current=self.once, new=PASSWORD, repeat=PASSWORD, back="/oauth/account")
        page = self.web.get(self.address + "/oauth/account", timeout=30).text
        self.web.headers["X-CSRF-Token"] = re.search(r'name="csrf" value="([^"]*)"', page)[1]

    def make(self, path, **members):
        answer = self.web.post(self.address + path, json=members, timeout=60)
        assert answer.status_code == 201, answer.text
        return answer.json()

    def stop(self):
        self.process.terminate()
        self.process.wait(timeout=30)


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


@pytest.fixture
def cities(tmp_path):
    """The provider, and a city whose pages are closed."""
    if os.environ.get("MADANG_URL"):
        pytest.skip("login at another site in the browser: it needs cities of its own, and MADANG_URL names another")
    if find_binary() is None:
        pytest.skip("login at another site in the browser: no program; set MADANG_BIN, or build madang")
    provider = City(tmp_path / "provider", "localhost", free_port(), "--empty")
    running = [provider]
    try:
        provider.enter()
        port = free_port()
        here = f"http://127.0.0.1:{port}"
        client = provider.make("/oauth/register", client_name="City", redirect_uris=[here + "/oauth/outside/police"],
                               scope="openid profile", post_logout_redirect_uris=[here + "/oauth/login"])
        provider.make("/oauth/people", username="park", name="박경위", roles=["dispatcher"], password=PASSWORD)
        (tmp_path / "secret").write_text(client["client_secret"], encoding="utf-8")
        text = (ROOT / "Examples/demo.city.yaml").read_text(encoding="utf-8")
        for key in ("file", "mapping"):
            text = text.replace(f"    {key}: ", f"    {key}: {ROOT}/Examples/").replace("plan: demo", f"plan: {ROOT}/Examples/demo")
        path = tmp_path / "closed.city.yaml"
        path.write_text(text + f"""
access: {{}}
identity:
  providers:
    - issuer: {provider.address}
      audiences: [nobody]
      roles: {{dispatcher: operator}}
      login: {{id: police, name: {{ko: 경찰청, en: Police}}, client: {client["client_id"]}, secret: {{file: secret}}}}
""", encoding="utf-8")
        running.append(City(tmp_path / "closed", "127.0.0.1", port, path))
        yield running[1].address, provider
    finally:
        for city in running:
            city.stop()


def test_a_person_comes_in_by_way_of_another_site(browser, cities, shots):
    here, provider = cities
    context = browser.new_context(locale="ko-KR", viewport={"width": 360, "height": 740})
    page = context.new_page()
    complaints = []
    page.on("console", lambda message: message.type == "error" and complaints.append(message.text))
    page.goto(here + "/entities")
    button = page.get_by_role("link", name="경찰청")
    assert page.evaluate("document.documentElement.scrollWidth <= 360")
    page.screenshot(path=shots / "login-outside-phone.png", full_page=True)
    button.click()
    page.wait_for_url(provider.address + "/oauth/login**")
    page.fill("#username", "park")
    page.fill("#password", PASSWORD)
    page.keyboard.press("Enter")
    page.get_by_role("button", name="허용", exact=True).click()
    page.wait_for_url(here + "/entities")
    page.goto(here + "/oauth/account")
    assert "박경위" in page.locator("main").inner_text() and "경찰청" in page.locator("main").inner_text()
    page.screenshot(path=shots / "account-outside-phone.png", full_page=True)
    # The policies let the browser go on to the provider, and back.
    page.get_by_role("link", name="로그아웃").click()
    page.get_by_role("button", name="로그아웃").click()
    page.wait_for_url(here + "/oauth/login")
    page.goto(provider.address + "/oauth/account")
    assert page.url.startswith(provider.address + "/oauth/login")
    # A link on another site begins no login: the person sees the city's own page first.
    context.route("http://localhost:4711/**", lambda route: route.fulfill(
        status=200, content_type="text/html", body=f'<a href="{here}/oauth/outside/police/login">in</a>'))
    page.goto("http://localhost:4711/")
    page.get_by_text("in").click()
    page.wait_for_url(here + "/oauth/outside/police/login")
    assert page.get_by_role("link", name="경찰청").is_visible()
    assert not complaints, complaints
    context.close()
