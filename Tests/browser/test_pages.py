"""Every page in both languages and three sizes: draws, fits, reads well, and keeps its word on safety."""

import pytest

from conftest import ROOT, settle, until

SIZES = {"desktop": (1440, 900), "tablet": (820, 1100), "phone": (360, 740)}

# What a checker such as axe looks for first, in the page's own terms.
FAULTS = """() => {
  const faults = [];
  const named = (e) => (e.getAttribute('aria-label') || e.textContent || e.title || '').trim() ||
    (e.getAttribute('aria-labelledby') || '').split(' ').some((id) => document.getElementById(id)?.textContent.trim()) ||
    e.labels?.length;
  if (!document.documentElement.lang) faults.push('no lang');
  if (!document.title.trim()) faults.push('no title');
  if (document.querySelectorAll('main').length !== 1) faults.push('not one main');
  if (document.querySelectorAll('h1').length !== 1) faults.push('not one h1');
  let level = 0;
  for (const h of document.querySelectorAll('h1,h2,h3,h4')) {
    const now = Number(h.tagName[1]);
    if (now > level + 1 && level) faults.push('heading jumps: ' + h.textContent);
    level = now;
  }
  for (const e of document.querySelectorAll('img')) if (!e.hasAttribute('alt')) faults.push('img without alt');
  for (const e of document.querySelectorAll('a[href],button,input:not([type=hidden]),select,summary,[role=img],[role=search]'))
    if (!named(e) && e.getAttribute('role') !== 'search') faults.push('no name: ' + e.outerHTML.slice(0, 120));
  for (const e of document.querySelectorAll('table')) if (!e.querySelector('th[scope]')) faults.push('table without scope');
  const ids = [...document.querySelectorAll('[id]')].map((e) => e.id);
  const twice = ids.filter((id, i) => ids.indexOf(id) !== i);
  if (twice.length) faults.push('id twice: ' + twice);
  for (const name of ['aria-labelledby', 'aria-describedby', 'for'])
    for (const e of document.querySelectorAll(`[${name}]`))
      for (const id of e.getAttribute(name).split(' ')) if (!document.getElementById(id)) faults.push(`${name}: no ${id}`);
  // A picture that Playwright has taken leaves an empty style on inputs.
  for (const e of document.querySelectorAll('[style]:not([style=""])'))
    if (!e.closest('#map, .chart-canvas')) faults.push('inline style: ' + e.outerHTML.slice(0, 100));
  return faults;
}"""

# Contrast of text with what is behind it (WCAG 2.2, 1.4.3): 4.5, or 3 for large text.
CONTRAST = """() => {
  const rgb = (c) => { const m = c.match(/[\\d.]+/g).map(Number); return m.length < 4 ? [...m, 1] : m; };
  const light = ([r, g, b]) => { const f = (v) => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
    return 0.2126 * f(r) + 0.7152 * f(g) + 0.0722 * f(b); };
  const behind = (e) => { for (; e; e = e.parentElement) { const c = getComputedStyle(e).backgroundColor;
    if (c.startsWith('rgb') && rgb(c)[3] > 0.9) return rgb(c); } return [255, 255, 255, 1]; };
  const poor = [];
  for (const e of document.querySelectorAll('body *')) {
    if (e.closest('#map, [aria-hidden=true], :disabled, .visually-hidden, .skip, .chart-canvas')) continue;
    if (![...e.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim()) || !e.offsetParent) continue;
    const s = getComputedStyle(e);
    const [a, b] = [light(rgb(s.color)), light(behind(e))].sort((x, y) => y - x);
    const ratio = (a + 0.05) / (b + 0.05);
    const large = parseFloat(s.fontSize) >= 24 || (parseFloat(s.fontSize) >= 18.6 && s.fontWeight >= 700);
    if (ratio < (large ? 3 : 4.5)) poor.push(`${ratio.toFixed(2)} ${e.className} ${e.textContent.trim().slice(0, 30)}`);
  }
  return poor;
}"""


def entity_path(city):
    """The page of an entity with readings, a wrong one where there is one."""
    rows = city.json("/console/overview")["rows"] + city.json("/console/list?sort=newest")["rows"]
    return next(row["rowHref"] for row in rows if row["rowHref"].startswith("/entities/"))


def paths(city):
    return {"city": "/", "entities": "/entities", "entity": entity_path(city), "health": "/health"}


@pytest.mark.parametrize("language", ["ko", "en"])
@pytest.mark.parametrize("name", ["city", "entities", "entity", "health"])
def test_page(visit, city, shots, name, language):
    page = visit(paths(city)[name], language, *SIZES["desktop"], dark=language == "ko")
    assert page.evaluate("document.documentElement.lang") == language
    assert "SIMULATED" in page.inner_text("header"), "synthetic data is labelled"
    for size, (width, height) in SIZES.items():
        page.set_viewport_size({"width": width, "height": height})
        settle(page)
        assert page.evaluate(FAULTS) == [], size
        assert page.evaluate(CONTRAST) == [], size
        assert page.evaluate("document.documentElement.scrollWidth") <= width, f"{size}: it must not scroll sideways"
        page.screenshot(path=shots / f"{name}-{language}-{size}.png", full_page=name != "city" or size == "phone")


def test_map_draws(visit, city):
    page = visit("/", width=1000, height=700)
    seen = page.evaluate("""() => {
      const gl = document.querySelector('#map canvas');
      return [gl.width, gl.height, document.querySelectorAll('.maplibregl-ctrl').length];
    }""")
    assert seen[0] > 300 and seen[1] > 300 and seen[2] >= 2
    image = page.locator("#map").screenshot()
    assert len(image) > 15000, "a plain picture would be smaller: the map is empty"


def test_errors(visit, city, shots):
    page = visit("/no/such/page", "ko", allowed_status=(404,))
    assert page.locator("h1").inner_text() == "없는 주소입니다"
    assert page.evaluate(FAULTS) == []
    page.screenshot(path=shots / "error-ko.png")


def test_language_is_kept(visit):
    page = visit("/health", "en")
    page.click("a.language")
    settle(page)
    assert page.evaluate("document.documentElement.lang") == "ko"
    page.click("nav a[href='/entities']")
    settle(page)
    assert page.evaluate("document.documentElement.lang") == "ko"


def test_print(visit, city, shots):
    page = visit(entity_path(city), "ko", dark=True)
    page.emulate_media(media="print", color_scheme="light")
    assert not page.is_visible("header nav")
    assert page.is_visible("table.attributes")
    if page.query_selector("#ranges"):
        assert [label.inner_text() for label in page.query_selector_all("#ranges label") if label.is_visible()] == ["24시간"]
    page.pdf(path=shots / "entity.pdf")


def test_the_map_prints_light(visit, city, shots):
    """What lies on the paper, asked while it is printed: the middle of the map is light, and dark again after."""
    page = visit("/", "ko", 1280, 800, dark=True)
    page.evaluate("""() => {
      window.seen = [];
      const mean = (canvas) => {
        const copy = new OffscreenCanvas(64, 64).getContext('2d');
        copy.drawImage(canvas, 0, 0, 64, 64);
        const { data } = copy.getImageData(0, 0, 64, 64);
        return data.reduce((sum, part, i) => (i % 4 === 3 ? sum : sum + part), 0) / (64 * 64 * 3);
      };
      // After the page's own listeners.
      matchMedia('print').addEventListener('change', ({ matches }) => {
        const paper = document.querySelector('#map .map-paper');
        window.seen.push([matches, paper && mean(paper), paper?.getBoundingClientRect().width,
          document.querySelector('#map').clientWidth]);
      });
    }""")
    page.pdf(path=shots / "city.pdf")
    until(page, "window.seen.length === 2")
    (printing, light, width, whole), after = page.evaluate("window.seen")
    assert printing and light > 200, light
    assert width == whole, "the picture is as wide as the paper's map"
    assert after[1] is None, "the picture goes with the paper"
    settle(page)
    assert page.evaluate("document.querySelectorAll('.map-paper').length") == 0


def test_print_of_the_city_leaves_out_what_can_only_be_pressed(visit, shots):
    page = visit("/", "ko", 800, 1100, dark=True)
    page.emulate_media(media="print")
    assert page.is_visible("#wrong-title") and page.is_visible("#map")
    for control in ("#find", "#find-next", ".maplibregl-ctrl-zoom-in", ".legend input"):
        assert not page.locator(control).first.is_visible(), control
    # Words of the legend stay on one line.
    heights = page.evaluate("[...document.querySelectorAll('.legend-item')].map((item) => item.offsetHeight)")
    assert max(heights) < 40, heights
    page.screenshot(path=shots / "city-print.png", full_page=True)


def test_readme_picture(visit, city, shots, request):
    page = visit("/", "ko", 1440, 860, dark=True)
    folder = ROOT / "docs" / "images" if request.config.getoption("--readme-picture") else shots
    folder.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=folder / "city.png")
    assert (folder / "city.png").stat().st_size <= 400_000
