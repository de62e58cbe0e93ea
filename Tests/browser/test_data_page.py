"""The page of the data, `/data`: what it says of nothing, of datasets, of models, and of what was refused."""

import urllib.error

import pytest

from conftest import settle
from test_pages import CONTRAST, FAULTS, SIZES

CORE = "https://uri.etsi.org/ngsi-ld/default-context/"
TANK = "urn:ngsi-ld:Tank:browser"
WORDS = {
    "ko": {
        "nothing": ["아직 데이터셋이 없습니다", "등록된 데이터 모델이 없습니다"], "title": "물탱크 수위", "publisher": "마당시",
        "mode": "엄격: 모델에 맞지 않으면 거부합니다.",
    },
    "en": {
        "nothing": ["No dataset is described yet", "No data model is registered"], "title": "Levels of tanks",
        "publisher": "City of Madang", "mode": "Strict: what does not meet its model is refused.",
    },
}


def judge(page, name, shots):
    """Fits, reads well, and is named at every width; gives the pictures."""
    for size, (width, height) in SIZES.items():
        page.set_viewport_size({"width": width, "height": height})
        settle(page)
        assert page.evaluate(FAULTS) == [], size
        assert page.evaluate(CONTRAST) == [], size
        assert page.evaluate("document.documentElement.scrollWidth") <= width, f"{size}: it must not scroll sideways"
        page.screenshot(path=shots / f"{name}-{size}.png", full_page=True)


def refused(city, level):
    """Sends a tank that cannot be taken."""
    with pytest.raises(urllib.error.HTTPError) as answer:
        city.send("POST", "/ngsi-ld/v1/entities", {
            "id": TANK, "type": "Tank", "level": {"type": "Property", "value": level}})
    assert answer.value.code == 400


@pytest.fixture(scope="module")
def filled(city):
    """Datasets, a strict model, and input that does not meet it; all gone afterwards."""
    yield lambda: fill(city)
    for path in (f"models/{CORE.replace('/', '%2F')}Tank", "datasets/tanks"):
        city.send("DELETE", "/city/v1/" + path, {})
    city.send("PUT", "/city/v1/validation", {"mode": "open"})


def fill(city):
    assert city.send("PUT", "/city/v1/validation", {"mode": "strict"}) in (200, 204)
    schema = {"type": "object", "properties": {"level": {"type": "number", "minimum": 0}}}
    assert city.send("POST", "/city/v1/models", {"type": "Tank", "schema": schema}) == 201
    assert city.send("POST", "/city/v1/datasets", {
        "id": "tanks", "title": {"ko": WORDS["ko"]["title"], "en": WORDS["en"]["title"]},
        "description": {"ko": "수위", "en": "Levels"}, "licence": "http://publications.europa.eu/resource/authority/licence/CC_BY_4_0",
        "publisher": {"name": {"ko": WORDS["ko"]["publisher"], "en": WORDS["en"]["publisher"]}},
        "entities": {"types": ["Tank"]}, "expected": {"attributes": ["level"], "withinSeconds": 3600}}) == 201
    assert city.send("POST", "/ngsi-ld/v1/entities", {
        "id": TANK + ":1", "type": "Tank", "level": {"type": "Property", "value": 3}}) == 201
    for _ in range(3):
        refused(city, -1)
    # What came is shown as text, whatever it is, and however long a word of it is.
    refused(city, "<img src=x onerror=\"document.title='taken over'\"><b>bold</b>" + "x" * 300)


def test_the_data_page_from_nothing_to_all(visit, city, filled, shots):
    for language, words in WORDS.items():
        page = visit("/data", language, dark=language == "ko")
        assert all(text in page.inner_text("main") for text in words["nothing"])
        judge(page, f"data-empty-{language}", shots)
    filled()
    for language, words in WORDS.items():
        page = visit("/data", language, dark=language == "ko")
        assert page.evaluate("document.documentElement.lang") == language
        dataset = page.locator("section[aria-labelledby=datasets-title] tbody tr")
        assert dataset.count() == 1
        cells = dataset.locator("th, td").all_inner_texts()
        assert cells[:3] == [words["title"], words["publisher"], "CC_BY_4_0"] and cells[3] == "100 %"
        models = page.locator("section[aria-labelledby=models-title]")
        assert words["mode"] in models.inner_text()
        judged, failed = models.locator("tbody td").all_inner_texts()
        assert int(judged) >= 5 and int(failed) == 4
        lines = page.locator("section[aria-labelledby=refused-title] tbody tr")
        counts = [line.locator("td").first.inner_text() for line in lines.all() if TANK in line.text_content()]
        assert sorted(counts) in (["1", "3"], ["4"]), counts
        markup = lines.filter(has_text="bold</b>")
        assert markup.count() >= 1 and page.locator("main img, main td b").count() == 0
        assert page.title() != "taken over"
        judge(page, f"data-{language}", shots)
        markup.first.locator("summary").click()
        assert markup.first.locator("pre").is_visible() and "onerror" in markup.first.locator("pre").inner_text()
        judge(page, f"data-open-{language}", shots)
        # On a phone the heads of the columns are out of sight: each cell says what it is.
        cells = page.locator("td[data-label]")
        assert cells.count() == page.locator("main tbody td").count()
        for cell in cells.all():
            assert cell.get_attribute("data-label")
            assert cell.evaluate("e => getComputedStyle(e, '::before').content") not in ("none", "normal")
        # What is named can be looked up.
        href = dataset.locator("a").get_attribute("href")
        assert city.json(href)["id"] == "tanks"
        assert city.json(models.locator("a").get_attribute("href"))["type"] == "Tank"
